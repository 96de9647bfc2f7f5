"""What is measured of a machine: plausible numbers, and no trace of them."""

from __future__ import annotations

import pytest

from autodl.jobs.fit import speed
from autodl.training import metrics


def test_the_speed_is_that_of_this_machine():
    training, looking = speed.measure_speed(16, (4, 8, 8), 16)
    # an update has two more passes than a look, and its optimiser
    assert 1e7 < training < looking < 1e13


@pytest.mark.parametrize(
    "there, most", [(5, 5), (0, 1), (speed.LOOKED + 1, speed.LOOKED)], ids=["few", "none", "many"]
)
def test_no_more_pictures_are_looked_at_than_there_are(monkeypatch, there, most):
    counts = []
    monkeypatch.setattr(metrics, "logits_of", lambda network, shown, *_: counts.append(len(shown)))
    speed.measure_speed(16, (4, 8, 8), 16, there)
    assert counts == [most] * 3  # the first is not timed


def test_exporting_takes_some_time_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert 0.01 < speed.measure_exporting() < 60
    assert not list(tmp_path.iterdir())
