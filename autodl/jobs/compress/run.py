"""Compressing a trained network: choose levels, fine-tune, pack, and measure what was packed.

A folder holds ``config.yaml``, ``run.json``, ``architecture.json`` and ``train.yaml`` (with which
the network was trained: a packed network is opened like any trained one),
``choice.safetensors`` (levels and weights once they are chosen), ``checkpoint.safetensors`` (what
is needed to go on), and at the end ``packed.safetensors`` and ``metrics.json``. Accuracies are on
the held-out pictures; the test part is never looked at here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autodl.compression.bits.packed_network import load_packed_weights
from autodl.data.load import describe, read_from
from autodl.data.views import six_views
from autodl.errors import ConfigError
from autodl.jobs.compress.config import CompressConfig
from autodl.jobs.compress.result import sizes
from autodl.jobs.compress.source import (
    Source,
    find_source,
    form_identity,
    open_source,
    trained_with,
)
from autodl.recipes.recipe import recipe_of
from autodl.runs.folder import ARCHITECTURE, CHOICE, PACKED, TRAINING, update_manifest
from autodl.runs.run import Run
from autodl.spaces.codec import load_architecture, save_architecture
from autodl.system.files import checksum, write_text
from autodl.system.yaml_text import dump
from autodl.tasks.pictures import PictureTask
from autodl.trained.model import weights_file

if TYPE_CHECKING:
    from paddle import nn

    from autodl.compression.bits.levels import Levels
    from autodl.compression.bits.packing import Tensors
    from autodl.compression.choice import Choice, Method


_FILES = (PACKED, ARCHITECTURE, TRAINING)  # what a compression comes to


def compress(
    config: CompressConfig,
    model: str,
    out: Path,
    *,
    resume: bool = False,
    accept_changed_plugins: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Compress a trained network in a folder of its own, or go on with it.

    Pictures are changed (cropped, flipped, ...) as in its training unless the config says how.

    Args:
        model: see ``find_source``; nothing of it is changed.
        progress: called with a line now and then.

    Returns:
        The metrics, as in ``metrics.json``.

    Raises:
        AutoDLError: network, data, folder or checkpoint are unusable.
        TrialFailure: a training loss is not finite.
    """
    folder = find_source(model)
    trained = trained_with(folder).train
    config = config.with_changes_of(trained)
    run = Run(
        out, config, resume=resume, accept_changed_plugins=accept_changed_plugins, tell=progress
    )
    identity = {
        **config.identity(),
        **form_identity(trained),
        "Weights": checksum(weights_file(folder)),
    }
    from autodl.training.identity import recipe_sections

    later = recipe_sections(recipe_of(config.fine_tuning))
    if (found := run.finished(identity, (PACKED,), later)) is not None:
        return found if (out / TRAINING).exists() else _completed(found, config, model, run)
    _check_recipes(config)
    from autodl.training.device import select_device

    device = select_device(config.general.device)
    source = open_source(model, config.data.path)
    method = config.compression.factory()(**config.compression.arguments())
    work = _Work(config, source, run)
    identity |= work.check_fine_tuning()
    read = read_from(source.config.data, source.data)
    with run.open(identity, device=device, model=source.trained.folder, **read):
        _keep_training(source, out)
        metrics = {"device": device, **work.run(method)}
        run.finish(metrics, files=_FILES, held_out_accuracy=metrics["accuracy_after"])
    return metrics


def _check_recipes(config: CompressConfig) -> None:
    """Refuse what would draw the network anew, or is not asked while levels are chosen.

    Choosing levels keeps nothing of parts.

    Raises:
        ConfigError: a part of ``Train`` has an identity of its own, or a hook of it or of
            ``FineTuning`` sets first weights.
    """
    from autodl.training.identity import recipe_sections, refuse_first_weights

    for options in (config.train, config.fine_tuning):
        refuse_first_weights(recipe_of(options))
    if needed := recipe_sections(recipe_of(config.train)):
        raise ConfigError(
            f"Train has a part with a {needed[0]}, which is not asked while levels are chosen;"
            " give it in FineTuning.terms (a hook in FineTuning.hooks), or leave it out"
        )


def _keep_training(source: Source, out: Path) -> None:
    """Keep what is needed to build the network and to know its pictures without its training."""
    save_architecture(load_architecture(source.trained.folder / ARCHITECTURE), out / ARCHITECTURE)
    update_manifest(out, pictures=json.loads(json.dumps(describe(source.data))))
    write_text(out / TRAINING, dump(source.config.to_plain()))


def _completed(
    found: Mapping[str, Any], config: CompressConfig, model: str, run: Run
) -> dict[str, Any]:
    """Metrics of an earlier version, with what opens the folder like any trained network."""
    source = open_source(model, config.data.path)
    own = {"held_out_accuracy": found["accuracy_after"], "mirrored": False}  # measured so
    metrics = {**source.facts(), **found, **own}
    _keep_training(source, run.folder)
    run.finish(metrics, files=_FILES)
    return metrics


class _Work:
    """The stages of one compression, each of which can be interrupted."""

    def __init__(self, config: CompressConfig, source: Source, run: Run) -> None:
        from autodl.compression.bits.rounded_layers import layers_to_round

        self._config, self._source, self._run = config, source, run
        self._network = source.trained.network
        self._task = replace(
            PictureTask.of(source.data), normalisation=source.trained.normalisation
        )
        self._layers = layers_to_round(
            self._network, keep_ends=config.layers.keep_ends, keep=config.layers.keep
        )
        whitened = source.whitened()
        if whitened is not None and whitened not in self._layers.values():
            whitened.weight.stop_gradient = True  # its kernels stay what they were made

    def check_fine_tuning(self) -> dict[str, Any]:
        """Refuse a recipe that does not fit before bits are chosen, which takes long.

        Returns:
            What its parts are found to be of, see ``recipe_identity``.

        Raises:
            ConfigError: it does not fit the network or the pictures.
        """
        from autodl.reparam.plain_form import plain_network
        from autodl.training.fit import Trainer
        from autodl.training.identity import recipe_identity

        fresh = plain_network(self._network)  # what begins a training may change its network
        recipe = recipe_of(self._config.fine_tuning)
        Trainer(fresh, self._task, recipe, self._config.general.seed)
        return recipe_identity(recipe, self._task)

    def run(self, method: Method) -> dict[str, Any]:
        from autodl.training.weights import encode_weights

        before, size = self._accuracy(self._network), len(encode_weights(self._network))
        self._run.tell(f"held-out accuracy before: {before:.4f}")
        choice = self._choose(method)
        rounded, seconds, epochs = self._fine_tune(choice.levels)
        tensors = self._pack(choice.levels)
        unpacked = self._unpacked()
        after = self._accuracy(unpacked)
        facts = self._source.facts()
        spent, core = choice.seconds + seconds, facts["core_seconds"]
        return {
            **facts,
            "epochs": facts["epochs"] + choice.epochs + epochs,
            "seconds": facts["seconds"] + spent,
            "core_seconds": None if core is None else core + spent,
            "held_out_accuracy": after,
            **self._of_six_views(unpacked),
            **sizes(size, self._run.folder / PACKED, tensors, self._layers),
            "original_sha256": checksum(self._source.weights_file),
            "accuracy_before": before,
            "accuracy_rounded": rounded,
            "accuracy_after": after,
            "held_out_pictures": len(self._source.data.held_out),
            "search_seconds": choice.seconds,
            "fine_tuning_seconds": seconds,
            "details": dict(choice.details),
        }

    def _choose(self, method: Method) -> Choice:
        from autodl.compression.choice import Choice, Task, levels_from_state, levels_to_state
        from autodl.training.weights import load_arrays

        data = self._source.data
        if (state := self._run.restored(CHOICE)) is not None:
            load_arrays(self._network, state["network"])
            levels = levels_from_state(state["levels"])
            return Choice(levels, state["seconds"], state["details"], state.get("epochs", 0))
        task = Task(
            network=self._network,
            layers=self._layers,
            pictures=data.train,
            normalisation=self._source.trained.normalisation,
            train=self._config.train,
            seed=self._config.general.seed,
            saved=self._checkpoint("choice"),
            save=lambda state: self._save("choice", state),
            progress=self._run.tell,
            unseen=self._source.unseen,
        )
        choice = method.choose(task)
        state = {
            "network": _arrays(self._network),
            "levels": levels_to_state(choice.levels),
            "seconds": choice.seconds,
            "details": choice.details,
            "epochs": choice.epochs,
        }
        self._run.save(state, CHOICE)
        return choice

    def _fine_tune(self, levels: Mapping[str, Levels]) -> tuple[float, float, int]:
        """Round and train on; the accuracy in between, and the seconds and epochs it took."""
        from autodl.compression.batch_norms import estimate_again
        from autodl.compression.bits.rounded_layers import assign
        from autodl.compression.bits.straight_through import rounded_forward
        from autodl.release.distillation import kept_seconds
        from autodl.training.device import compute_clock
        from autodl.training.fit import Trainer

        data, options = self._source.data, self._config.fine_tuning
        normalisation = self._source.trained.normalisation
        clock, network = compute_clock(), self._network
        began = clock()
        saved = self._checkpoint("fine-tuning")
        seed = self._config.general.seed
        trainer = Trainer(network, self._task, recipe_of(options), seed, keeper=self._run)
        if saved is not None:
            trainer.restore(saved["trainer"])
            rounded, spent = float(saved["rounded"]), float(saved["seconds"])
        else:
            assign(self._layers, levels)
            estimate_again(network, data.train, normalisation, options.batch_size)
            rounded, spent = self._accuracy(network), kept_seconds(self._run)
            self._run.tell(f"held-out accuracy of the rounded network: {rounded:.4f}")

        def seconds() -> float:
            return spent + clock() - began

        def end_epoch(trainer: Trainer) -> None:
            state = {"trainer": trainer.state(), "rounded": rounded, "seconds": seconds()}
            self._save("fine-tuning", state)
            epoch = trainer.curve[-1]
            self._run.tell(
                f"[FineTuning][Epoch {len(trainer.curve)}/{options.epochs}]"
                f" loss: {epoch['loss']:.4f}, top1: {epoch['accuracy']:.4f}"
            )

        with rounded_forward(self._layers, levels):
            trainer.fit(end_epoch)
        assign(self._layers, levels)
        network.eval()
        return rounded, seconds(), len(trainer.curve)

    def _pack(self, levels: Mapping[str, Levels]) -> Tensors:
        from autodl.compression.bits.packing import Rounded, save_packed

        tensors: dict[str, Any] = _arrays(self._network)
        for path, own in levels.items():
            name = f"{path}.weight"
            tensors[name] = Rounded.of(tensors[name], own)
        packed = self._run.folder / PACKED
        if packed.is_file():  # of a run that ended between this and its metrics
            packed.unlink()
        save_packed(packed, tensors)
        return tensors

    def _unpacked(self) -> nn.Layer:
        """A network with what the packed file holds."""
        from autodl.reparam.plain_form import plain_network

        fresh = plain_network(self._source.trained.network)
        load_packed_weights(fresh, self._run.folder / PACKED)
        fresh.eval()
        return fresh

    def _accuracy(self, network: nn.Layer) -> float:
        from autodl.training.goal import final_score

        mirrored = self._source.trained.mirrored
        return final_score(network, self._task, "held_out", views=mirrored).value

    def _of_six_views(self, network: nn.Layer) -> dict[str, float]:
        """The accuracy of means over six views, where the source's is known of these."""
        from autodl.training.goal import final_score

        if not self._source.six_views:
            return {}
        found = final_score(network, self._task, "held_out", views=six_views)
        return {"held_out_accuracy_six_views": found.value}

    def _save(self, stage: str, state: Mapping[str, Any]) -> None:
        self._run.save({"stage": stage, "state": state})

    def _checkpoint(self, stage: str) -> Mapping[str, Any] | None:
        known = self._run.restored()
        if known is None or known["stage"] != stage:
            return None
        self._run.tell(f"resumed in stage {stage}")
        state: Mapping[str, Any] = known["state"]
        return state


def _arrays(network: nn.Layer) -> dict[str, Any]:
    return {name: value.numpy() for name, value in network.state_dict().items()}
