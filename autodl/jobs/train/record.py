"""What is kept and told of a training while it goes on: checkpoint, log and lines, by epochs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autodl.runs.run import Run
from autodl.tasks.task import Task

if TYPE_CHECKING:
    from autodl.training.fit import Trainer


@dataclass(slots=True)
class TrainingRecord:
    """What is kept and told of a training, epoch by epoch."""

    run: Run
    epochs: int
    task: Task
    most_seconds: float | None = None
    first: int = 0
    began: float = 0.0

    def restore(self, trainer: Trainer) -> None:
        """Go on from the checkpoint, if there is one."""
        self.run.resume_fit(trainer, _tags)
        self.first, self.began = len(trainer.curve), time.monotonic()

    def epoch(self, trainer: Trainer) -> None:
        """Write the checkpoint, log and tell."""
        self.run.keep_epoch(trainer, _tags)
        number, epoch = len(trainer.curve), trainer.curve[-1]
        prepared = sum(row.get("prepared_seconds", 0.0) for row in trainer.curve[self.first :])
        spent = time.monotonic() - self.began - prepared  # which is not done again
        left = spent / (number - self.first) * (self.epochs - number)
        if self.most_seconds is not None:
            left = min(left, max(self.most_seconds - trainer.seconds, 0.0))
        self.run.tell(_epoch_line(epoch, number, self.epochs, self.task, left))


def _tags(epoch: Mapping[str, float]) -> dict[str, float]:
    """The numbers of an epoch by what they are logged as."""
    return {
        f"train/{name}".replace("train/held_out", "eval/held_out"): value
        for name, value in epoch.items()
        if name != "epoch"
    }


def _epoch_line(
    epoch: Mapping[str, float], number: int, total: int, task: Task, seconds_left: float
) -> str:
    metric, held_out = task.metric, ""
    if (measured := f"held_out_{metric.name}") in epoch:
        held_out = f", held-out {metric.label}: {epoch[measured]:.4f}"
    hours, rest = divmod(round(seconds_left), 3600)
    speed = f" ips: {task.count('train') / epoch['seconds']:.1f} {task.examples}/s,"
    if "cut" in epoch:  # after some of its examples, which nobody has counted
        speed = ""
    return (
        f"[Train][Epoch {number}/{total}] lr: {epoch['learning_rate']:.5f},"
        f" loss: {epoch['loss']:.4f}, {metric.label}: {epoch[metric.name]:.4f}{held_out},"
        f"{speed} eta: {hours}:{rest // 60:02d}:{rest % 60:02d}"
    )
