"""How long a contest may go on training, and what a look at a picture is measured to take."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace

import pytest

from autodl.data.load import load_split
from autodl.jobs.fit import contest
from autodl.jobs.fit.candidates import Candidate
from autodl.jobs.fit.contest import Contest, Entrant, Round, measured
from autodl.jobs.fit.finishing import Finishing
from autodl.recipes.config import load_train

FINISHING = Finishing(looks=100, look=0.5, beside=3.0)


class Clock:
    """One that stands still, with so many seconds left."""

    seconds, interrupted = 240.0, False

    def __init__(self, left):
        self._left = left

    def left(self):
        return self._left


def entrant(folder, *, balanced, look):
    return Entrant(
        *("hand-made", "by hand", folder),
        accuracy=0.5,
        balanced=balanced,
        loss=1.0,
        epochs=1,
        seconds=1.0,
        look=look,
    )


@pytest.fixture
def begun(tmp_path):
    """A contest of which 60 seconds are left; its plan is not asked for."""
    this = Round(1, tmp_path, SimpleNamespace())
    return Contest(this, None, Clock(60.0), FINISHING, lambda line: None)


def test_what_finishing_needs_is_left(begun, tmp_path):
    """As predicted, until a look was measured: that of the best counts, as it is."""
    assert begun._time_left() == 60.0 - 100 * 0.5 - 3.0
    begun.tried.append(entrant(tmp_path, balanced=0.5, look=0.25))
    assert begun._time_left() == 60.0 - 100 * 0.25 - 3.0
    begun.tried.append(entrant(tmp_path, balanced=0.4, look=0.125))
    assert begun._time_left() == 60.0 - 100 * 0.25 - 3.0
    assert not begun._stops()
    begun.tried.append(entrant(tmp_path, balanced=0.6, look=0.5625))
    assert begun._stops()  # 0.75 seconds: too short for a training


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_look_is_at_one_view_of_one_picture(small_training, monkeypatch, mirrored):
    """All held-out pictures are looked at between two readings of the clock, which ticks by 8."""
    config = load_train(small_training.config_file)
    monkeypatch.setattr(contest, "time", SimpleNamespace(monotonic=count(0.0, 8.0).__next__))
    metrics = {**small_training.result.metrics, "mirrored": mirrored}
    candidate = Candidate("hand-made", "by hand", {}, {})
    found = measured(candidate, small_training.folder, config, metrics)
    views = len(load_split(config.data).held_out) * (1 + mirrored)
    assert found.look == 8.0 / views
    assert found.accuracy == pytest.approx(small_training.result.value) or mirrored
