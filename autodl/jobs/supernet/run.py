"""Training a supernet of paths in a folder, for searches to rank architectures by.

A folder holds ``config.yaml``, ``run.json``, ``first.safetensors`` (the weights before the
training), ``checkpoint.safetensors``, and at the end ``weights.safetensors`` and ``metrics.json``,
and ``space.json``, what is left of the space, where it shrank.
The parts of the data that are held out and for tests are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from autodl.data.load import read_from
from autodl.jobs.train.record import TrainingRecord
from autodl.runs.folder import FIRST_WEIGHTS, SPACE_LEFT, WEIGHTS
from autodl.runs.run import Run
from autodl.supernets.single_path.config import SupernetConfig
from autodl.tasks.load import load_task


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
        the ``curve``: means over the architectures that were drawn, on training examples.

    Raises:
        AutoDLError: config, data, device, folder or checkpoint are unusable.
        TrialFailure: the loss is not finite.
    """
    run = Run(
        folder, config, resume=resume, accept_changed_plugins=accept_changed_plugins, tell=progress
    )
    from autodl.training.device import select_device

    device = select_device(config.general.device)
    data = load_task(config.data)
    identity = {**config.identity(), data.examples.capitalize(): data.identity()}
    shrinks = any(part.name == "Shrinking" for part in config.recipe.hooks)
    # what a training comes to, beside its metrics
    files = (FIRST_WEIGHTS, WEIGHTS, *((SPACE_LEFT,) if shrinks else ()))
    if (known := run.finished(identity, files)) is not None:
        return known
    from autodl.supernets.single_path.folder import make_supernet
    from autodl.supernets.single_path.space_left import save_left
    from autodl.training.fit import Trainer
    from autodl.training.weights import save_weights

    network = make_supernet(config, data.signature)
    trainer = Trainer(network, data, config.recipe, config.general.seed)
    with run.open(identity, device=device, **read_from(config.data, data)):
        run.tell(f"data: {data.headline}")
        save_weights(network, folder / FIRST_WEIGHTS)  # drawn anew from the seed in every start
        record = TrainingRecord(run, config.train.epochs, data, config.train.max_seconds)
        record.restore(trainer)
        stopped = trainer.fit(record.epoch)
        save_weights(network, folder / WEIGHTS)
        if shrinks:
            save_left(network.left, folder)
        metrics = {
            "device": device,
            "parameters": network.trained_parameters,
            "architectures": network.architectures,
            "epochs": len(trainer.curve),
            "stopped_early": stopped,
            "seconds": sum(epoch["seconds"] for epoch in trainer.curve),
            "curve": trainer.curve,
        }
        run.finish(metrics, files=files)
    return metrics
