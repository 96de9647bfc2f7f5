"""A whole width search: one supernet is trained, and the best widths within a budget are decoded.

A folder holds ``config.yaml``, ``run.json``, ``annealing.json`` (the curve of Phi foreseen),
``checkpoint.safetensors``, and at the end ``architecture.json``, which ``autodl train`` takes,
``ranking.json`` and ``metrics.json``. The test part of the data is never looked at.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autodl.data.load import SearchData, describe, headline, load_split, read_from
from autodl.errors import ConfigError, StoreError
from autodl.jobs.width.config import (
    WidthConfig,
    control_range,
    cost_range,
    make_space,
    sharing_options,
)
from autodl.runs.folder import ANNEALING, ARCHITECTURE, CHECKPOINT, METRICS, RANKING, check_seals
from autodl.runs.run import Run
from autodl.spaces.codec import load_architecture, save_architecture
from autodl.spaces.width.architecture import WidthArchitecture
from autodl.spaces.width.space import WidthSpace
from autodl.system.files import write_json
from autodl.tasks.pictures import PictureTask
from autodl.tasks.task import Drawing

if TYPE_CHECKING:
    from autodl.supernets.width.annealing import Annealing
    from autodl.supernets.width.supernet import Supernet
    from autodl.training.fit import Trainer

_FILES = (ARCHITECTURE, RANKING)  # what a search comes to, beside its metrics
_RANDOM, _DECODING, _ALIGNED = 4, 5, 7  # streams of random numbers beside those of the training
_ANNEALED = 0.1  # Phi in multiples of its start, at the end of a transition
_COMPARED, _PICTURES = 2, 256  # architectures and pictures whose gradients are compared


@dataclass(frozen=True, slots=True)
class WidthResult:
    """What a search found: the best architecture, its cost, and its shared-weight accuracy.

    The accuracy is on the held-out pictures; random widths have none.
    """

    folder: Path
    architecture: WidthArchitecture
    macs: int
    accuracy: float | None


def run_width_search(
    config: WidthConfig,
    folder: Path,
    *,
    resume: bool = False,
    accept_changed_plugins: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> WidthResult:
    """Search in a folder, or go on with the search there from its checkpoint.

    A checkpoint is written after every epoch, whole or not at all; a resumed search gives what an
    unbroken one does, bit for bit on the same machine. One that is finished is only read.

    Raises:
        AutoDLError: config, data, device, folder or checkpoint are unusable.
        TrialFailure: the loss is not finite.
    """
    run = Run(
        folder, config, resume=resume, accept_changed_plugins=accept_changed_plugins, tell=progress
    )
    data = PictureTask.of(load_split(config.data))
    space = space_for(config, data)
    identity = {**config.identity(), "Pictures": describe(data)}
    if run.finished(identity, _FILES) is not None:
        return read_result(folder)
    device = "cpu"
    if config.width.mode != "random":  # which trains nothing
        from autodl.training.device import select_device

        device = select_device(config.general.device)
        check_meta(config, space)
    with run.open(identity, device=device, **read_from(config.data, data)):
        run.tell(f"data: {headline(data)}")
        if config.width.mode == "random":
            _finish(config, space, run, _random(config, space), {"curve": []})
        else:
            trainer = _trainer(config, space, data, folder, run.tell)
            _finish(config, space, run, *_train(config, trainer, run))
    return read_result(folder)


def space_for(config: WidthConfig, data: SearchData) -> WidthSpace:
    """The space of a search on these pictures; see ``make_space``."""
    return make_space(config, classes=len(data.classes), image_size=data.train.images.shape[1])


def read_result(folder: Path) -> WidthResult:
    """The result of a finished search.

    Raises:
        StoreError: there is none, or it is damaged.
    """
    try:
        found = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        architecture = load_architecture(folder / ARCHITECTURE)
        check_seals(folder, (METRICS, ARCHITECTURE))
        if not isinstance(architecture, WidthArchitecture):
            raise TypeError(f"{ARCHITECTURE} holds no widths")
        return WidthResult(folder, architecture, found["macs"], found["accuracy"])
    except (OSError, ValueError, KeyError, TypeError, StoreError) as error:
        raise StoreError(
            f"{folder} holds no finished width search: {error}; run the search again"
        ) from None


def result_lines(config: WidthConfig, result: WidthResult) -> list[str]:
    """What a search found, for people."""
    lines = [
        f"best widths: {' '.join(map(str, result.architecture.channels))}",
        f"their cost:  {result.macs:,} MACs ({config.width.convention})",
    ]
    if result.accuracy is not None:
        lines.append(f"accuracy with shared weights, held-out: {result.accuracy:.4f}")
    return [*lines, f"train them:  autodl train --architecture {result.folder / ARCHITECTURE} ..."]


def check_meta(config: WidthConfig, space: WidthSpace) -> None:
    """Raise ConfigError unless the candidates fit into the meta width, as the mode lays them."""
    from autodl.supernets.width.projections import layout
    from autodl.supernets.width.supernet import meta_widths

    meta = meta_widths(space, config.width.candidates[-1], config.supernet.meta_width)
    for widths, channels in set(zip(space.candidates, meta, strict=True)):
        layout(widths, channels, sharing_options(config).overlap)


def make_supernet(config: WidthConfig, space: WidthSpace) -> Supernet:
    """The untrained supernet of a search.

    Raises:
        ConfigError: the candidates do not fit into the meta width.
    """
    from autodl.supernets.width.affine_sharing import Sharing
    from autodl.supernets.width.supernet import Supernet, meta_widths

    options = sharing_options(config)
    meta = meta_widths(space, config.width.candidates[-1], options.meta_width)
    sharing = Sharing(options.overlap, options.noise, options.per_pair)
    return Supernet(space, sharing, meta, config.general.seed)


def foresee(config: WidthConfig, network: Supernet, pictures: int) -> Annealing:
    """Simulate the projections, and choose their rate unless the config gives one.

    Raises:
        ConfigError: no rate anneals within the annealed epochs.
    """
    from autodl.supernets.width.annealing import annealed_updates, choose_rate, foretell
    from autodl.supernets.width.projection_descent import layer_shapes
    from autodl.supernets.width.transition import descent_of

    options = config.supernet
    shapes = layer_shapes(network, per_pair=options.per_pair)
    epochs = options.epochs - options.warmup_epochs
    updates = annealed_updates(pictures, options.batch_size, epochs, options.projection_interval)
    seed, descent = config.general.seed, descent_of(options)
    if options.projection_rate is None:
        return choose_rate(shapes, descent, updates, seed)
    return foretell(shapes, descent, options.projection_rate, updates, seed)


def _trainer(
    config: WidthConfig,
    space: WidthSpace,
    data: PictureTask,
    folder: Path,
    progress: Callable[[str], None],
) -> Trainer:
    from autodl.supernets.width.transition import supernet_trainer

    network = make_supernet(config, space)
    rate = None
    if config.width.mode == "transition":
        rate = _rate(config, network, len(data.train), folder, progress)
    return supernet_trainer(
        network,
        data,
        sharing_options(config),
        config.controller,
        budget=float(config.width.budget_macs),
        rate=rate,
        seed=config.general.seed,
    )


def _rate(
    config: WidthConfig,
    network: Supernet,
    pictures: int,
    folder: Path,
    progress: Callable[[str], None],
) -> float:
    """The rate of the descent: the config's, the one chosen before, or chosen now.

    What it will do is simulated, told and kept before anything is trained.
    """
    path, given = folder / ANNEALING, config.supernet.projection_rate
    if given is not None and (path.exists() or (folder / CHECKPOINT).exists()):
        return given
    if path.exists():
        try:
            return float(json.loads(path.read_text(encoding="utf-8"))["rate"])
        except (OSError, ValueError, KeyError, TypeError):
            raise StoreError(f"{path} is damaged; delete it to choose the rate anew") from None
    chosen = foresee(config, network, pictures)
    progress(str(chosen))
    progress(chosen.told())
    if chosen.left > _ANNEALED:  # the rate is the config's
        progress(
            f"Phi will end at {100 * chosen.left:.1f} % of its start, so candidates will still"
            " share; stop here and raise Supernet.projection_rate, or leave it out"
            + _why_not_independent(config)
        )
    write_json(path, asdict(chosen))
    return chosen.rate


def _why_not_independent(config: WidthConfig) -> str:
    """What stands against it besides the rate."""
    meta, widths = config.supernet.meta_width, config.width.candidates
    if meta is None or meta >= sum(widths):
        return ""
    return (
        f"; {sum(widths)} channels of all candidates in a meta width of {meta} cannot become"
        " independent at any rate: leave out Supernet.meta_width"
    )


def _train(
    config: WidthConfig, trainer: Trainer, run: Run
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Train from the checkpoint, if there is one, and rank what is decoded."""
    from autodl.supernets.width.decoding import decode
    from autodl.supernets.width.transition import controller_of

    run.resume_fit(trainer, _tags)

    def after_epoch(trainer: Trainer) -> None:
        run.keep_epoch(trainer, _tags)
        run.tell(_line(trainer.curve, config.supernet.epochs))

    began = time.perf_counter()
    trainer.fit(after_epoch)
    left = _share(trainer.curve)
    if config.width.mode == "transition" and left > _ANNEALED:  # the rate was the config's
        run.tell(
            f"Phi ends at {100 * left:.1f} % of its start: candidates still share;"
            " raise Supernet.projection_rate, or leave it out"
        )
    rng = np.random.default_rng((config.general.seed, _DECODING))
    space = trainer.network.space
    choices = decode(controller_of(trainer), space, config.controller, cost_range(config), rng)
    ranking = []
    for row, macs in zip(choices, space.macs(choices).tolist(), strict=True):
        accuracy = _shared_accuracy(config, trainer, row)
        ranking.append(_entry(space, row, macs, accuracy))
    ranking.sort(key=lambda entry: -entry["accuracy"])
    run.tell(f"ranked {len(ranking)} architectures, best {ranking[0]['accuracy']:.4f}")
    return ranking, {"curve": trainer.curve, "seconds": time.perf_counter() - began}


def shared_accuracies(
    config: WidthConfig, folder: Path, architectures: Sequence[WidthArchitecture]
) -> list[float]:
    """Held-out accuracies of architectures with the shared weights of a finished search.

    Raises:
        AutoDLError: the search is not finished, or an architecture is not of its space.
    """
    trainer = _trained(config, folder)
    space = trainer.network.space
    return [_shared_accuracy(config, trainer, space.encode(widths)) for widths in architectures]


def gradient_cosine(config: WidthConfig, folder: Path) -> float:
    """How well the candidates of a finished search agree on where their meta weights should go.

    The mean of ``gradient_alignment`` for the same random architectures in all searches of a
    space, on the same training pictures.

    Raises:
        AutoDLError: the search is not finished, or was random.
    """
    from autodl.supernets.width.alignment import gradient_alignment

    trainer = _trained(config, folder)
    rng = np.random.default_rng((0, _ALIGNED))
    choices = trainer.network.space.uniform(rng, _COMPARED)
    batch = next(iter(trainer.task.batches("train", _PICTURES, Drawing(rng))))
    return gradient_alignment(trainer.network, choices, batch.inputs, batch.targets)


def _shared_accuracy(config: WidthConfig, trainer: Trainer, choices: NDArray[np.int64]) -> float:
    from autodl.supernets.width.transition import shared_accuracy

    seed = config.general.seed
    return shared_accuracy(trainer.network, trainer.task, choices, config.supernet, seed)


def _trained(config: WidthConfig, folder: Path) -> Trainer:
    """The trainer of a finished search, at its end."""
    read_result(folder)
    data = PictureTask.of(load_split(config.data))
    trainer = _trainer(config, space_for(config, data), data, folder, lambda line: None)
    if not Run(folder, config, resume=True).restore(trainer):
        raise StoreError(f"{folder} has its {CHECKPOINT} no more; search anew in another folder")
    return trainer


def preview(config: WidthConfig) -> Annealing:
    """How a transition will be annealed, without training anything; see ``foresee``.

    Raises:
        ConfigError: the mode is another one, or see ``foresee``.
    """
    if config.width.mode != "transition":
        raise ConfigError(f"Width.mode {config.width.mode} anneals nothing; set it to transition")
    data = PictureTask.of(load_split(config.data))
    network = make_supernet(config, space_for(config, data))
    return foresee(config, network, len(data.train))


def _entry(
    space: WidthSpace, choices: NDArray[np.int64], macs: int, accuracy: float | None
) -> dict[str, Any]:
    return {"channels": list(space.decode(choices).channels), "macs": macs, "accuracy": accuracy}


def _random(config: WidthConfig, space: WidthSpace) -> list[dict[str, Any]]:
    """Random widths at the cost of the others' results."""
    rng = np.random.default_rng((config.general.seed, _RANDOM))
    choices = space.at_cost(rng, 1, *control_range(config))
    return [_entry(space, choices[0], int(space.macs(choices)[0]), None)]


def _finish(
    config: WidthConfig,
    space: WidthSpace,
    run: Run,
    ranking: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, Any],
) -> None:
    best = ranking[0]
    architecture = WidthArchitecture(space.network, tuple(best["channels"]), space.cells)
    write_json(run.folder / RANKING, list(ranking))
    save_architecture(architecture, run.folder / ARCHITECTURE)
    found = {"mode": config.width.mode, "macs": best["macs"], "accuracy": best["accuracy"]}
    run.finish({**found, **metrics}, files=_FILES)


_TAGS = {"loss": "train", "accuracy": "train", "learning_rate": "train", "macs": "train"}
_CONTROLLER = ("reward", "baseline", "entropy")


def _tags(epoch: Mapping[str, float]) -> dict[str, float]:
    """``train/...``, ``controller/...`` and, of the projections, ``sharing/...``."""
    return {
        f"{_TAGS.get(name, 'controller' if name in _CONTROLLER else 'sharing')}/{name}": value
        for name, value in epoch.items()
        if name not in ("epoch", "seconds", "compute_seconds")
    }


def _share(curve: Sequence[Mapping[str, float]]) -> float:
    """Phi in multiples of its start; 0 where nothing was shared."""
    return curve[-1]["phi"] / curve[0]["phi"] if curve[0]["phi"] else 0.0


def _line(curve: Sequence[Mapping[str, float]], epochs: int) -> str:
    epoch, share = curve[-1], _share(curve)
    rewarded = f", reward: {epoch['reward']:.4f}" if "reward" in epoch else ""
    return (
        f"[Supernet][Epoch {len(curve)}/{epochs}] lr: {epoch['learning_rate']:.5f}, loss:"
        f" {epoch['loss']:.4f}, top1: {epoch['accuracy']:.4f}{rewarded}, Phi: {100 * share:.1f} %,"
        f" {epoch['seconds']:.1f} s"
    )
