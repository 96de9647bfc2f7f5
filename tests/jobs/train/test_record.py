"""What is told of a training while it goes on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from autodl.jobs.train import record
from autodl.jobs.train.record import TrainingRecord
from autodl.tasks.task import ACCURACY

ROW = {"epoch": 1, "loss": 1.0, "accuracy": 0.5, "learning_rate": 0.1, "seconds": 10.0}


@pytest.mark.parametrize(
    "prepared, most, left",
    [(0.0, None, "0:01:30"), (20.0, None, "0:01:30"), (20.0, 100.0, "0:01:10")],
)
def test_the_time_left_is_that_of_epochs(monkeypatch, prepared, most, left):
    """Ten seconds for the first of ten; what was prepared before it is not done again."""
    lines, now = [], 0.0
    monkeypatch.setattr(record.time, "monotonic", lambda: now)
    run = SimpleNamespace(
        resume_fit=lambda trainer, tags: None,
        keep_epoch=lambda trainer, tags: None,
        tell=lines.append,
    )
    task = SimpleNamespace(metric=ACCURACY, examples="pictures", count=lambda part: 40)
    trainer = SimpleNamespace(curve=[], seconds=0.0)
    own = TrainingRecord(run, 10, task, most)
    own.restore(trainer)
    now = 10.0 + prepared
    trainer.curve.append({**ROW, **({"prepared_seconds": prepared} if prepared else {})})
    trainer.seconds = now
    own.epoch(trainer)
    assert lines[0].endswith(f"ips: 4.0 pictures/s, eta: {left}")
