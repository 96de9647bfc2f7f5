"""Compressing a trained network: choose levels, fine-tune, pack, and measure what was packed.

A folder holds ``config.yaml``, ``run.json``, ``architecture.json`` where the network has one,
``choice.safetensors`` (levels and weights once they are chosen), ``checkpoint.safetensors`` (what
is needed to go on), and at the end ``packed.safetensors`` and ``metrics.json``. Accuracies are on
the held-out pictures; the test part is never looked at here.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autodl.compression.bits.packed_network import load_packed_weights
from autodl.errors import AutoDLError, CheckpointError, StoreError
from autodl.jobs.compress.config import CompressConfig
from autodl.jobs.compress.result import sizes
from autodl.jobs.compress.source import (
    Source,
    find_source,
    form_identity,
    open_source,
    trained_with,
)
from autodl.runs.folder import (
    ARCHITECTURE,
    CHECKPOINT,
    CHOICE,
    METRICS,
    PACKED,
    WEIGHTS,
    check_content,
    read_manifest,
    run_folder,
    update_manifest,
)
from autodl.system.files import checksum, write_bytes, write_json
from autodl.system.state import decode_state, encode_state
from autodl.tasks.pictures import PictureTask

if TYPE_CHECKING:
    from paddle import nn

    from autodl.compression.bits.levels import Levels
    from autodl.compression.bits.packing import Tensors
    from autodl.compression.choice import Choice, Method


def compress(
    config: CompressConfig,
    model: str,
    out: Path,
    *,
    resume: bool = False,
    progress: Callable[[str], None] = lambda line: None,
    method: Method | None = None,
) -> dict[str, Any]:
    """Compress a trained network in a folder of its own, or go on with it.

    Pictures are changed (cropped, flipped, ...) as in its training unless the config says how.

    Args:
        model: see ``find_source``; nothing of it is changed.
        progress: called with a line now and then.
        method: in place of the one that the config names.

    Returns:
        The metrics, as in ``metrics.json``.

    Raises:
        AutoDLError: network, data, folder or checkpoint are unusable.
        TrialFailure: a training loss is not finite.
    """
    if out.is_dir():
        check_content(out, resume)
    folder = find_source(model)
    trained = trained_with(folder).train
    config = config.with_changes_of(trained)
    identity = {
        **config.identity(),
        **form_identity(trained),
        "Weights": checksum(folder / WEIGHTS),
    }
    if resume and (out / METRICS).exists():
        return _finished(config, out, identity)
    from autodl.training.device import select_device

    device = select_device(config.general.device)
    source = open_source(model, config.data.path)
    start = {"device": device, "model": str(source.trained.folder)}
    method = method or config.compression.factory()(**config.compression.arguments())
    work = _Work(config, source, out, progress)
    with run_folder(out, config.to_plain(), identity, start, resume=resume, reduced=config.reduced):
        if (source.trained.folder / ARCHITECTURE).exists():
            shutil.copyfile(source.trained.folder / ARCHITECTURE, out / ARCHITECTURE)
        metrics = {"device": device, **work.run(method)}
        write_json(out / METRICS, metrics)
        update_manifest(out, ended="complete", held_out_accuracy=metrics["accuracy_after"])
    return metrics


def _finished(config: CompressConfig, out: Path, identity: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of a finished compression, if it is the one that is asked for."""
    known = config.reduced(read_manifest(out).get("identity", {}))
    asked = json.loads(json.dumps(identity))
    if other := [key for key in asked if known.get(key) != asked[key]]:
        raise StoreError(
            f"{out} holds a finished compression with other {', '.join(other)}; choose another"
            " --out folder"
        )
    try:
        found: dict[str, Any] = json.loads((out / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {out / METRICS}: {error}; delete it") from None
    return found


class _Work:
    """The stages of one compression, each of which can be interrupted."""

    def __init__(
        self, config: CompressConfig, source: Source, out: Path, progress: Callable[[str], None]
    ) -> None:
        from autodl.compression.bits.rounded_layers import layers_to_round

        self._config, self._source, self._out, self._progress = config, source, out, progress
        self._network = source.trained.network
        self._task = replace(
            PictureTask.of(source.data), normalisation=source.trained.normalisation
        )
        self._layers = layers_to_round(
            self._network, keep_ends=config.layers.keep_ends, keep=config.layers.keep
        )

    def run(self, method: Method) -> dict[str, Any]:
        from autodl.training.weights import encode_weights

        before, size = self._accuracy(self._network), len(encode_weights(self._network))
        self._progress(f"held-out accuracy before: {before:.4f}")
        choice = self._choose(method)
        rounded, seconds = self._fine_tune(choice.levels)
        tensors = self._pack(choice.levels)
        after = self._accuracy(self._unpacked())
        return {
            **sizes(size, self._out / PACKED, tensors, self._layers),
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

        path, data = self._out / CHOICE, self._source.data
        if path.exists():
            state = self._read(path)
            load_arrays(self._network, state["network"])
            levels = levels_from_state(state["levels"])
            return Choice(levels, state["seconds"], state["details"])
        task = Task(
            network=self._network,
            layers=self._layers,
            pictures=data.train,
            normalisation=self._source.trained.normalisation,
            train=self._config.train,
            seed=self._config.general.seed,
            saved=self._checkpoint("choice"),
            save=lambda state: self._save("choice", state),
            progress=self._progress,
        )
        choice = method.choose(task)
        state = {
            "network": _arrays(self._network),
            "levels": levels_to_state(choice.levels),
            "seconds": choice.seconds,
            "details": choice.details,
        }
        write_bytes(path, encode_state(state))
        return choice

    def _fine_tune(self, levels: Mapping[str, Levels]) -> tuple[float, float]:
        """Round and train on; the accuracy in between, and the seconds it took."""
        from autodl.compression.batch_norms import estimate_again
        from autodl.compression.bits.rounded_layers import assign
        from autodl.compression.bits.straight_through import rounded_forward
        from autodl.training.fit import Trainer

        data, options = self._source.data, self._config.fine_tuning
        normalisation = self._source.trained.normalisation
        began, network = time.perf_counter(), self._network
        saved = self._checkpoint("fine-tuning")
        trainer = Trainer(network, self._task, options, self._config.general.seed)
        if saved is not None:
            trainer.restore(saved["trainer"])
            rounded, spent = float(saved["rounded"]), float(saved["seconds"])
        else:
            assign(self._layers, levels)
            estimate_again(network, data.train, normalisation, options.batch_size)
            rounded, spent = self._accuracy(network), 0.0
            self._progress(f"held-out accuracy of the rounded network: {rounded:.4f}")

        def seconds() -> float:
            return spent + time.perf_counter() - began

        def end_epoch(trainer: Trainer) -> None:
            state = {"trainer": trainer.state(), "rounded": rounded, "seconds": seconds()}
            self._save("fine-tuning", state)
            epoch = trainer.curve[-1]
            self._progress(
                f"[FineTuning][Epoch {len(trainer.curve)}/{options.epochs}]"
                f" loss: {epoch['loss']:.4f}, top1: {epoch['accuracy']:.4f}"
            )

        with rounded_forward(self._layers, levels):
            trainer.fit(end_epoch)
        assign(self._layers, levels)
        network.eval()
        return rounded, seconds()

    def _pack(self, levels: Mapping[str, Levels]) -> Tensors:
        from autodl.compression.bits.packing import Rounded, save_packed

        tensors: dict[str, Any] = _arrays(self._network)
        for path, own in levels.items():
            name = f"{path}.weight"
            tensors[name] = Rounded.of(tensors[name], own)
        packed = self._out / PACKED
        packed.unlink(missing_ok=True)  # of a run that ended between this and its metrics
        save_packed(packed, tensors)
        return tensors

    def _unpacked(self) -> nn.Layer:
        """A network with what the packed file holds."""
        from autodl.reparam.plain_form import plain_network

        fresh = plain_network(self._source.trained.network)
        load_packed_weights(fresh, self._out / PACKED)
        fresh.eval()
        return fresh

    def _accuracy(self, network: nn.Layer) -> float:
        from autodl.training.goal import final_score

        return final_score(network, self._task, "held_out").value

    def _save(self, stage: str, state: Mapping[str, Any]) -> None:
        write_bytes(self._out / CHECKPOINT, encode_state({"stage": stage, "state": state}))

    def _checkpoint(self, stage: str) -> Mapping[str, Any] | None:
        path = self._out / CHECKPOINT
        if not path.exists():
            return None
        known = self._read(path)
        if known["stage"] != stage:
            return None
        self._progress(f"resumed in stage {stage}")
        state: Mapping[str, Any] = known["state"]
        return state

    @staticmethod
    def _read(path: Path) -> dict[str, Any]:
        try:
            return decode_state(path.read_bytes())
        except (AutoDLError, OSError) as error:
            raise CheckpointError(f"cannot go on from {path}: {error}; delete it") from error


def _arrays(network: nn.Layer) -> dict[str, Any]:
    return {name: value.numpy() for name, value in network.state_dict().items()}
