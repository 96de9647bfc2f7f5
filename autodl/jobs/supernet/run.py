"""Training a supernet in a folder: one of paths, for searches to rank architectures by, or DARTS'.

A folder holds ``config.yaml``, ``run.json``, ``checkpoint.safetensors``, and at the end
``weights.safetensors`` and ``metrics.json``. One of paths has ``first.safetensors`` (the weights
before the training) as well, and ``space.json``, what is left of the space, where it shrank; it
looks neither at held-out examples nor at those for tests. A relaxed one has at the end
``architecture.json``, which it has chosen by the held-out examples.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autodl.data.load import read_from
from autodl.jobs.train.record import TrainingRecord
from autodl.runs.folder import ARCHITECTURE, FIRST_WEIGHTS, SPACE_LEFT, WEIGHTS
from autodl.runs.run import Run
from autodl.spaces.codec import save_architecture
from autodl.supernets.single_path.config import SupernetConfig
from autodl.tasks.load import load_task

if TYPE_CHECKING:
    from autodl.supernets.single_path.network import SinglePathNetwork
    from autodl.training.fit import Trainer


def run_supernet(
    config: SupernetConfig,
    folder: Path,
    *,
    resume: bool = False,
    accept_changed_plugins: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Train in a folder, or go on with the training there from its checkpoint.

    A checkpoint is written after every epoch, whole or not at all; a resumed training gives the
    weights of an unbroken one, bit for bit on the same machine. One that is finished is only read.

    Returns:
        ``parameters`` of the supernet, ``architectures`` that it holds, ``epochs``, ``seconds`` and
        the ``curve``: means over the updates, on training examples; of a relaxed one the weights
        on operations behind each epoch as well.

    Raises:
        AutoDLError: config, data, device, folder or checkpoint are unusable.
        TrialFailure: the loss is not finite.
    """
    run = Run(
        folder, config, resume=resume, accept_changed_plugins=accept_changed_plugins, tell=progress
    )
    from autodl.training.device import select_device
    from autodl.training.identity import recipe_identity, recipe_sections

    device = select_device(config.general.device)
    data = load_task(config.data)
    identity = {**config.identity(), data.examples.capitalize(): data.identity()}
    shrinks = any(part.name == "Shrinking" for part in config.recipe.hooks)
    # what a training comes to, beside its metrics
    own = ARCHITECTURE if config.relaxed else FIRST_WEIGHTS
    files = (own, WEIGHTS, *((SPACE_LEFT,) if shrinks else ()))
    if (known := run.finished(identity, files, recipe_sections(config.recipe))) is not None:
        return known
    from autodl.supernets.relaxed.network import RelaxedNetwork, make_relaxed
    from autodl.supernets.relaxed.progress import progress_line
    from autodl.supernets.single_path.folder import make_supernet
    from autodl.supernets.single_path.space_left import save_left
    from autodl.training.fit import Trainer
    from autodl.training.weights import save_weights

    make = make_relaxed if config.relaxed else make_supernet
    network: RelaxedNetwork | SinglePathNetwork = make(config, data.signature)
    trainer = Trainer(network, data, config.recipe, config.general.seed, keeper=run)
    identity |= recipe_identity(config.recipe, data)
    with run.open(identity, device=device, **read_from(config.data, data)):
        run.tell(f"data: {data.headline}")
        if not isinstance(network, RelaxedNetwork):  # drawn anew from the seed in every start
            save_weights(network, folder / FIRST_WEIGHTS)
        record = TrainingRecord(run, config.train.epochs, data, config.train.max_seconds)
        record.restore(trainer)

        def end_epoch(trainer: Trainer) -> None:
            record.epoch(trainer)
            if isinstance(network, RelaxedNetwork):
                run.tell(progress_line(network, len(trainer.curve), config.train.epochs))

        stopped = trainer.fit(end_epoch)
        save_weights(network, folder / WEIGHTS)
        if isinstance(network, RelaxedNetwork):
            save_architecture(network.strongest(), folder / ARCHITECTURE)
        elif shrinks:
            save_left(network.left, folder)
        metrics = {
            "device": device,
            "parameters": network.trained_parameters,
            "architectures": network.architectures,
            **_training(trainer, stopped),
        }
        run.finish(metrics, files=files)
    return metrics


def _training(trainer: Trainer, stopped: str) -> dict[str, Any]:
    """What the metrics say of a training."""
    return {
        "epochs": len(trainer.curve),
        "stopped_early": stopped,
        "seconds": trainer.seconds,
        "curve": trainer.curve,
    }
