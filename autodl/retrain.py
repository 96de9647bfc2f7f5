"""Training chosen architectures in full: one folder each, checkpointed and resumed exactly.

A folder holds ``config.yaml``, ``run.json``, ``architecture.json``, ``checkpoint.safetensors``
(all that is needed to go on), and at the end ``weights.safetensors`` (the network alone) and
``metrics.json``. The test part of the data is never looked at here; see ``autodl/final_test.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from autodl.assemble import (
    Component,
    check_sections,
    plan_maker,
    read_component,
    read_general,
    read_section,
)
from autodl.config import GlobalOptions, RawConfig, Section, load_config
from autodl.data.load import SearchData, describe, load_split
from autodl.data.options import DataOptions
from autodl.errors import StoreError
from autodl.files import replacing, write_json
from autodl.options.training import TrainOptions
from autodl.search.event_log import EventLog
from autodl.search.run_folder import TRIALS, run_folder, update_manifest
from autodl.search.store import TrialStore
from autodl.spaces.codec import Architecture, encode_text, load_architecture, save_architecture
from autodl.state import decode_state, encode_state

ARCHITECTURE, CHECKPOINT = "architecture.json", "checkpoint.safetensors"
WEIGHTS, METRICS = "weights.safetensors", "metrics.json"


class EvaluationOptions(Section):
    """``Evaluation`` section: how often the held-out pictures are looked at on the way."""

    interval: int = Field(1, ge=1, description="epochs between two measurements")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A checked configuration of a training."""

    general: GlobalOptions
    network: Component
    data: DataOptions
    train: TrainOptions
    evaluation: EvaluationOptions

    def to_plain(self) -> dict[str, Any]:
        """Every key with its value, as a config file would give it."""
        return {
            "Global": self.general.model_dump(mode="json"),
            "Network": self.network.to_plain(),
            "Data": self.data.model_dump(mode="json"),
            "Train": self.train.model_dump(mode="json"),
            "Evaluation": self.evaluation.model_dump(mode="json"),
        }

    def identity(self) -> dict[str, Any]:
        """What must not change when a training is resumed: all but device and place of data."""
        plain = self.to_plain()
        del plain["Global"]["device"], plain["Data"]["path"], plain["Evaluation"]
        return plain


def load_train(path: Path | str, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read the configuration of a training, and import its plugins.

    Raises:
        ConfigError: the file or an override is unusable.
        PluginError: a plugin cannot be imported.
    """
    return resolve_train(load_config(Path(path), overrides))


def resolve_train(raw: RawConfig) -> TrainConfig:
    """Check the values of a training's configuration, section by section."""
    check_sections(raw, ("Global", "Network", "Data", "Train", "Evaluation"))
    return TrainConfig(
        general=read_general(raw),
        network=read_component(raw, "Network"),
        data=read_section(DataOptions, raw, "Data"),
        train=read_section(TrainOptions, raw, "Train"),
        evaluation=read_section(EvaluationOptions, raw, "Evaluation"),
    )


def best_of_run(run: Path, top: int) -> list[tuple[str, Architecture]]:
    """The ``top`` best architectures of a search, each once, with a name by trial number.

    Raises:
        StoreError: no run there, or no complete trial in it.
    """
    with closing(TrialStore(run / TRIALS, read_only=True)) as store:
        trials = store.best(store.count())
    distinct = {encode_text(trial.architecture): trial for trial in reversed(trials)}
    kept = sorted(distinct.values(), key=lambda trial: (-(trial.reward or 0.0), trial.id))[:top]
    if not kept:
        raise StoreError(f"{run} has no complete trial; `tools/report.py {run}` says why")
    return [(f"trial-{trial.id:04d}", trial.architecture) for trial in kept]


@dataclass(frozen=True, slots=True)
class Retrained:
    """How a training ended; ``accuracy`` is on the held-out pictures, after the last epoch."""

    folder: Path
    accuracy: float
    metrics: Mapping[str, Any]


def retrain(
    config: TrainConfig,
    architecture: Architecture,
    folder: Path,
    *,
    resume: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> Retrained:
    """Train one architecture in a folder, or go on with it from its checkpoint.

    A checkpoint is written after every epoch, whole or not at all; a resumed training gives
    the weights of an unbroken one, bit for bit on the same machine.

    Args:
        progress: called with one line for every epoch.

    Raises:
        AutoDLError: data, device, folder or checkpoint are unusable.
        TrialFailure: the training loss is not finite.
    """
    data = load_split(config.data)
    identity = {
        **config.identity(),
        "Architecture": architecture.to_json(),
        "Pictures": describe(data),
    }
    start = {"device": config.general.device}
    with run_folder(folder, config.to_plain(), identity, start, resume=resume):
        save_architecture(architecture, folder / ARCHITECTURE)
        with closing(EventLog(folder / "vdl")) as log:
            metrics = _train(config, architecture, folder, data, log, progress)
        update_manifest(folder, ended="complete", held_out_accuracy=metrics["held_out_accuracy"])
    return Retrained(folder, metrics["held_out_accuracy"], metrics)


def _train(
    config: TrainConfig,
    architecture: Architecture,
    folder: Path,
    data: SearchData,
    log: EventLog,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    from autodl.networks.network import PlanNetwork
    from autodl.training.device import select_device
    from autodl.training.metrics import score
    from autodl.training.trainer import Trainer
    from autodl.training.weights import save_weights

    device = select_device(config.general.device)
    make_plan = plan_maker(
        config.network, classes=len(data.classes), image_size=data.train.images.shape[1]
    )
    plan = make_plan(architecture)
    network = PlanNetwork(plan, config.general.seed)
    trainer = Trainer(network, data.train, data.normalisation, config.train, config.general.seed)
    checkpoint = folder / CHECKPOINT
    if checkpoint.exists():
        trainer.restore(decode_state(checkpoint.read_bytes()))
        progress(f"resumed after epoch {len(trainer.curve)}")
    began, first = time.monotonic(), len(trainer.curve)

    def after_epoch(trainer: Trainer) -> None:
        epoch = trainer.curve[-1]
        number, total = len(trainer.curve), config.train.epochs
        if number % config.evaluation.interval == 0 or number == total:
            held_out = score(network, data.held_out, data.normalisation)
            epoch["held_out_accuracy"], epoch["held_out_loss"] = held_out.accuracy, held_out.loss
        with replacing(checkpoint) as aside:
            aside.write_bytes(encode_state(trainer.state()))
        for name, value in epoch.items():
            if name != "epoch":
                log.scalar(
                    f"train/{name}".replace("train/held_out", "eval/held_out"), value, number
                )
        left = (time.monotonic() - began) / (number - first) * (total - number)
        progress(_epoch_line(epoch, number, total, len(data.train), left))

    stopped = trainer.fit(after_epoch)
    held_out = score(network, data.held_out, data.normalisation)
    save_weights(network, folder / WEIGHTS)
    metrics = {
        "held_out_accuracy": held_out.accuracy,
        "held_out_loss": held_out.loss,
        "held_out_pictures": len(data.held_out),
        "epochs": len(trainer.curve),
        "stopped_early": stopped,
        "parameters": plan.parameters,
        "macs": plan.macs,
        "device": device,
        "seconds": sum(epoch["seconds"] for epoch in trainer.curve),
        "classes": list(data.classes),
        "mean": list(data.normalisation.mean),
        "std": list(data.normalisation.std),
        "curve": trainer.curve,
    }
    write_json(folder / METRICS, metrics)
    return metrics


def _epoch_line(
    epoch: Mapping[str, float], number: int, total: int, pictures: int, seconds_left: float
) -> str:
    held_out = ""
    if "held_out_accuracy" in epoch:
        held_out = f", held-out top1: {epoch['held_out_accuracy']:.4f}"
    hours, rest = divmod(round(seconds_left), 3600)
    return (
        f"[Train][Epoch {number}/{total}] lr: {epoch['learning_rate']:.5f},"
        f" loss: {epoch['loss']:.4f}, top1: {epoch['accuracy']:.4f}{held_out},"
        f" ips: {pictures / epoch['seconds']:.1f} pictures/s,"
        f" eta: {hours}:{rest // 60:02d}:{rest % 60:02d}"
    )


def load_trained(folder: Path) -> tuple[TrainConfig, Architecture, dict[str, Any]]:
    """Config, architecture and metrics of a finished training.

    Raises:
        StoreError: the folder holds none, or one that is not finished.
    """
    import json

    try:
        metrics: dict[str, Any] = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{folder} holds no finished training: {error}; give a folder that tools/train.py made"
        ) from None
    config = load_train(folder / "config.yaml")
    return config, load_architecture(folder / ARCHITECTURE), metrics
