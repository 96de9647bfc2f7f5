"""How long a contest may go on training, and what a look at a picture is measured to take."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import pytest

from autodl.data.load import load_split
from autodl.errors import ConfigError
from autodl.jobs.fit import contest
from autodl.jobs.fit.candidates import HAND_MADE, Candidate, Pictures, config_of, hand_made
from autodl.jobs.fit.contest import COMPARED, RETRAINED, Contest, Entrant, Round, measured
from autodl.jobs.fit.finishing import Finishing
from autodl.recipes.config import load_train
from autodl.runs.folder import CHECKPOINT, CONFIG, MANIFEST, TRIALS
from autodl.runs.store import TrialStore
from autodl.system.yaml_text import dump
from autodl.trial import TrialFailure

PLAN = SimpleNamespace(
    candidates=2, candidate_seconds=10.0, released=False, trials=2, trial_seconds=5.0,
    shares=SimpleNamespace(searching=60.0, retraining=90.0), widths=(4, 8, 8), batch=16, side=16,
)  # fmt: skip
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
    """A contest of which 60 seconds are left, 53 of them for finishing; ``said`` has its lines."""
    said = []
    pictures = Pictures(tmp_path / "pictures.npz", 0, "cpu", True, 5.0)
    made = Contest(Round(1, tmp_path, PLAN), pictures, Clock(60.0), FINISHING, said.append)
    made.said = said
    return made


@pytest.fixture
def trained(begun, monkeypatch):
    """Each training and what it was given; measured, every one is better than the one before."""
    calls = []

    def retrain(config, architecture, folder, *, leave, **options):
        calls.append((folder, config, leave()))
        return SimpleNamespace(metrics={})

    def better(candidate, folder, config, metrics):
        return replace(entrant(folder, balanced=0.1 * len(calls), look=0.0), name=candidate.name)

    monkeypatch.setattr("autodl.jobs.train.run.retrain", retrain)
    monkeypatch.setattr(contest, "measured", better)
    return calls


def begin(contest, step, *, epoch=True):
    """What a kill behind the first ``epoch``, or in it, has left of a training of ten minutes."""
    folder = contest._folder(step, HAND_MADE)
    folder.mkdir(parents=True)
    config = config_of(hand_made(PLAN), contest._pictures, 600.0)
    (folder / CONFIG).write_text(dump(config.to_plain()))
    if epoch:
        (folder / CHECKPOINT).write_bytes(b"")
    return folder


@pytest.mark.parametrize("epoch", [True, False])
def test_a_training_that_was_begun_ends_with_the_time(begun, trained, epoch):
    """One that is begun now has seconds of its own, however few are left."""
    begin(begun, COMPARED, epoch=epoch)
    begun._try(hand_made(PLAN), COMPARED, 10.0)
    (_, config, left) = trained.pop()
    assert config.train.max_seconds == 600.0
    assert not left  # 7 seconds are
    assert begun.said[0] == "Airbench 4-8-8, made by hand: is gone on with"
    begun.tried.clear()
    begun._clock = Clock(50.0)
    begun._try(hand_made(PLAN), COMPARED, 10.0)
    assert trained.pop()[2]
    assert begun.said[-2] == "hand-made: ended before its learning rate had come to its end"
    begun.tried.clear()
    begun._try(hand_made(PLAN), RETRAINED, 10.0)
    (_, config, left) = trained.pop()
    assert (config.train.max_seconds, left) == (1.0, False)


def test_a_training_that_was_killed_before_its_configuration_was_written_begins_anew(
    begun, trained
):
    folder = begun._folder(COMPARED, HAND_MADE)
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text("{}")
    begun._try(hand_made(PLAN), COMPARED, 10.0)
    assert trained.pop()[0] == folder
    assert not folder.exists()  # which the training itself makes


def test_what_was_begun_is_gone_on_with_also_without_time(begun, trained):
    begun._clock = Clock(0.0)
    folders = [begin(begun, COMPARED), begin(begun, RETRAINED)]
    assert begun.winner().folder == folders[1]
    assert [folder for folder, *_ in trained] == folders


def test_nothing_is_begun_without_time_if_there_is_something(begun, trained):
    begun._clock = Clock(0.0)
    assert begun.winner().folder == begun._folder(COMPARED, HAND_MADE)
    assert len(trained) == 1


def test_a_retraining_that_fails_leaves_the_best_of_the_comparison(begun, trained, monkeypatch):
    from autodl.jobs.train import run

    monkeypatch.setattr(begun, "_found", lambda: None)
    monkeypatch.setattr(begun, "_time_left", lambda: 60.0)
    retrain = run.retrain

    def diverging(config, architecture, folder, **options):
        if RETRAINED in folder.parts:
            raise TrialFailure("the training loss is nan in epoch 1 of 2", "a lower rate may help")
        return retrain(config, architecture, folder, **options)

    monkeypatch.setattr(run, "retrain", diverging)
    assert begun.winner().folder == begun._folder(COMPARED, HAND_MADE)
    assert begun.said[-1] == "hand-made failed: the training loss is nan in epoch 1 of 2"
    begun.tried.clear()
    monkeypatch.setattr(begun, "_candidates", lambda: [])
    with pytest.raises(ConfigError, match=r"to its end: hand-made: .* 1 of 2; another --seed"):
        begun.winner()


@pytest.mark.parametrize("at_once", [False, True])
def test_a_second_ctrl_c_in_the_search_ends_the_fit(begun, monkeypatch, at_once):
    from autodl.jobs.search import run

    given = []

    def interrupted(config, folder, **options):
        given.append(config.search.max_hours)
        folder.mkdir()
        TrialStore(folder / TRIALS).close()
        return SimpleNamespace(stopped="interrupted", at_once=at_once)

    monkeypatch.setattr(run, "run_search", interrupted)
    begun._clock = Clock(93.0)
    begun._clock.interrupt = lambda: setattr(begun._clock, "interrupted", True)
    if at_once:
        with pytest.raises(KeyboardInterrupt):
            begun._found()
    else:
        assert begun._found() is None
    assert begun._clock.interrupted is not at_once
    # of 40 seconds its share: 60 of the 60 + 90 + 10 that were planned for all that is left
    assert given == [pytest.approx(15.0 / 3600, abs=1e-6)]


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
