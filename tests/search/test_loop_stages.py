"""The loop with a fidelity rule: trials that stop on the way, go on, or end there."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from loop_for_tests import SEED, Killed, Shuffled, Staged, Tracker, dying, found, states

from autodl.search.fidelity.halving import AsynchronousSuccessiveHalving
from autodl.search.fidelity.median import MedianRule
from autodl.search.loop import Stop, search
from autodl.search.staging import Staging
from autodl.spaces.codec import encode_text
from autodl.trial import Stage, TrialState

EPOCHS, COUNT = 9, 30
RULES = {
    "halving": AsynchronousSuccessiveHalving,
    "median": partial(MedianRule, interval=3),
}
OBJECTIVES = {
    "one": lambda evaluation: (evaluation.reward,),
    "two": lambda evaluation: (evaluation.metrics["accuracy"], -evaluation.metrics["macs"]),
}


class Noting(Tracker):
    def __init__(self, batch_size=None):
        super().__init__(batch_size)
        self.heard = []

    def tell(self, trial):
        super().tell(trial)
        self.heard.append(trial)


def told_ids(strategy):
    """Also of what was told before it was restored."""
    return [trial_id for trial_id, _ in strategy.told]


def staging(store, folder, rule="halving", objectives="one", count=COUNT):
    made = RULES[rule](epochs=EPOCHS, max_trials=count)
    return Staging(made, store, folder, OBJECTIVES[objectives])


@pytest.fixture
def start(open_store, tmp_path):
    """Start or resume a search by its name; its strategy, executor, store, and trials to come."""

    def start(name="run", *, workers=1, order=0, batch_size=None, evaluator=None, **more):
        options = {key: more.pop(key) for key in ("rule", "objectives") if key in more}
        store, strategy = more.pop("store", None) or open_store(name), Noting(batch_size)
        executor = Shuffled(workers, order, evaluator or Staged(EPOCHS))
        stages = staging(store, tmp_path / f"{name}-checkpoints", **options)
        wanted = {"max_trials": COUNT, "seed": SEED, "snapshot_every": 4, **more}
        return (
            strategy,
            executor,
            store,
            search(strategy, executor, store, staging=stages, **wanted),
        )

    return start


def directly(trial, epochs=EPOCHS):
    """The evaluation of so many epochs in one go, as the store keeps it."""
    generator = np.random.default_rng((SEED, trial.id, 1))
    evaluation = Staged(EPOCHS).stage(trial.architecture, generator, Stage(epochs))
    return replace(evaluation, checkpoint=b"")


@pytest.mark.parametrize("objectives, batch_size", [("one", None), ("two", 10)])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("rule", RULES)
def test_a_search_in_stages(start, tmp_path, rule, objectives, batch_size, workers):
    evaluator = Staged(EPOCHS)
    strategy, _, store, running = start(
        rule=rule,
        objectives=objectives,
        batch_size=batch_size,
        workers=workers,
        evaluator=evaluator,
    )
    trials = list(running)
    stored = {trial.id: trial for trial in store.trials()}
    assert sorted(trial.id for trial in trials) == list(stored) == list(range(COUNT))
    assert {trial.id: trial for trial in trials} == stored  # finished, and as they were yielded
    assert {TrialState.COMPLETE, TrialState.PRUNED} <= {trial.state for trial in trials}
    # each is told once, with its last reward and fidelity, in the order that is promised
    assert strategy.heard == (list(stored.values()) if batch_size else trials)
    for trial in trials:
        if trial.state is TrialState.FAILED:
            assert trial.reason.startswith("lost in epoch")
        else:
            epochs = round(trial.fidelity * EPOCHS)
            assert trial.evaluation == directly(trial, epochs)
            assert (epochs == EPOCHS) == (trial.state is TrialState.COMPLETE)
    # every epoch was trained once: each stage began where the one before had ended
    reached = {}
    for text, begun, end in evaluator.log:
        assert reached.get(text, 0) == begun
        reached[text] = end
    assert any(begun for _, begun, _ in evaluator.log)
    assert list((tmp_path / "run-checkpoints").iterdir()) == []


def test_halving_runs_a_third_of_each_rung_and_more_only_by_mistake(start):
    evaluator = Staged(EPOCHS, lost=0)
    *_, running = start(evaluator=evaluator)
    trials = list(running)
    ends = [end for _, _, end in evaluator.log]
    assert ends.count(1) == COUNT
    assert COUNT // 3 <= ends.count(3) < COUNT
    assert ends.count(3) // 3 <= ends.count(9) < ends.count(3)
    # the last promotion is of trials among the best third of all
    values = sorted((trial.evaluation.curve[0]["reward"] for trial in trials), reverse=True)
    for trial in trials:
        if trial.evaluation.curve[0]["reward"] >= values[COUNT // 3 - 1]:
            assert trial.fidelity > 1 / EPOCHS


@pytest.mark.parametrize("rule", RULES)
def test_a_trial_that_is_lost_in_a_later_stage_is_failed(start, tmp_path, rule):
    strategy, _, store, running = start(rule=rule, evaluator=Staged(EPOCHS, lost=0.15))
    list(running)
    lost = [trial for trial in store.trials() if trial.state is TrialState.FAILED]
    assert any(trial.reason > "lost in epoch 3" for trial in lost)
    assert {(trial.evaluation, trial.fidelity) for trial in lost} == {(None, 0.0)}
    assert sorted(told_ids(strategy)) == list(range(COUNT))
    assert list((tmp_path / "run-checkpoints").iterdir()) == []


def test_a_strategy_hears_of_retired_trials_long_before_the_end(start):
    strategy, _, store, running = start()
    for trial in running:
        if trial.state is TrialState.PRUNED:
            break
    assert store.count() < COUNT
    assert strategy.heard[-1] == trial
    list(running)


# --- broken off, and gone on with ---------------------------------------------------------------


@pytest.mark.parametrize(
    "method, rule, batch_size",  # every two of the values meet
    [
        ("start", "halving", None),
        ("start", "median", 10),
        ("report", "halving", 10),
        ("report", "median", None),
        ("finish", "halving", None),
        ("finish", "median", 10),
        ("propose", "halving", 10),
        ("propose", "median", None),
    ],
)
def test_one_worker_that_breaks_anywhere_comes_to_the_same(
    start, open_store, tmp_path, method, rule, batch_size
):
    options = {"rule": rule, "batch_size": batch_size}
    *_, whole, running = start("whole", **options)
    ids = [trial.id for trial in running]
    for call in (0, 3):
        name, told, starts = f"parts-{call}", None, 0
        while told is None:
            store, starts = open_store(name), starts + 1
            if starts <= 6:  # what never gets through would break for ever
                dying(store, method, call)
            strategy, *_, running = start(name, store=store, **options)
            try:
                list(running)
                told = told_ids(strategy)
            except Killed:
                pass
            finally:
                store.close()
        again = open_store(name)
        assert found(again) == found(whole)
        assert [trial.id for trial in again.finished()] == ids
        assert list(again.reports()) == list(whole.reports())
        assert told == (sorted(ids) if batch_size else ids)
        assert list((tmp_path / f"{name}-checkpoints").iterdir()) == []


@pytest.mark.parametrize("rule", RULES)
def test_several_workers_that_break_lose_nothing_and_count_nothing_twice(start, open_store, rule):
    done, evaluator = {}, Staged(EPOCHS)
    for attempt in range(200):
        store = open_store("run")
        dying(store, ("report", "finish", "start")[attempt % 3], 1 + attempt % 7)
        strategy, *_, running = start(
            store=store, rule=rule, workers=3, order=attempt, evaluator=evaluator
        )
        try:
            list(running)
            break
        except Killed:
            now = {trial.id: trial for trial in store.finished()}
            assert done.items() <= now.items()
            done = now
        finally:
            store.close()
    heard = told_ids(strategy)
    assert heard == [trial.id for trial in open_store("run").finished()]
    assert sorted(heard) == list(range(COUNT))
    for trial in open_store("run").trials():
        if trial.state is not TrialState.FAILED:
            assert trial.evaluation == directly(trial, round(trial.fidelity * EPOCHS))
    # what a break cost is at most the stages that were running
    twice = len(evaluator.log) - len(set(evaluator.log))
    assert twice <= 3 * attempt


def paused(store):
    return [i for i, state in states(store).items() if state == "PAUSED"]


def after(calls):
    """Stops a search, gently, when it has asked so many times."""
    left = iter([None] * calls)
    return lambda trial: next(left, Stop("enough"))


def test_a_trial_that_is_killed_in_a_later_stage_goes_on_from_its_checkpoint(start):
    evaluator = Staged(EPOCHS, lost=0)
    *_, store, running = start(evaluator=evaluator, rule="median", stop=after(2))
    list(running)
    assert paused(store) == [0]
    store.start(0)  # as a kill leaves it
    list(start(evaluator=evaluator, rule="median")[-1])
    text = encode_text(store.trial(0).architecture)
    stages = [stage for other, *stage in evaluator.log if other == text]
    assert stages == [[0, 3], [3, 6], [6, 9]]
    assert store.trial(0).evaluation == directly(store.trial(0))


@pytest.mark.parametrize("harm", ["missing", "cut short", "nonsense", "empty"])
def test_a_checkpoint_that_is_lost_costs_time_and_nothing_else(start, tmp_path, harm):
    *_, whole, running = start("whole")
    list(running)
    *_, store, running = start(stop=after(8))
    list(running)
    files = list((tmp_path / "run-checkpoints").iterdir())
    assert len(files) == len(paused(store)) > 2
    for path in files:
        content = path.read_bytes()
        other = {"cut short": content[:-9], "nonsense": b"\xff" * 400, "empty": b""}
        path.unlink() if harm == "missing" else path.write_bytes(other[harm])
    evaluator = Staged(EPOCHS)
    list(start(evaluator=evaluator)[-1])
    assert found(store) == found(whole)
    assert any(begun == 0 and end > 1 for _, begun, end in evaluator.log)


# --- stopping -----------------------------------------------------------------------------------


def test_a_stop_keeps_paused_trials_for_the_next_start(start):
    *_, whole, running = start("whole")
    list(running)
    *_, store, running = start(stop=after(20))
    list(running)
    assert paused(store)
    assert store.count() < COUNT
    *_, running = start()
    list(running)
    assert found(store) == found(whole)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("batch_size", [None, 10])
def test_a_cut_in_a_later_stage_keeps_what_the_trial_had_reached(start, tmp_path, rule, batch_size):
    calls = []
    strategy, executor, store, running = start(
        rule=rule,
        batch_size=batch_size,
        workers=2,
        stop=lambda trial: (
            Stop("the time is over", cut=True)
            if any(i in reported for i in executor.running()) and len(calls) > 15
            else calls.append(trial)
        ),
    )
    reported = set()
    report = store.report
    store.report = lambda trial, *more: (report(trial, *more), reported.add(trial.id))
    trials = list(running)
    cut = {trial.id for trial in trials if trial.reason == "the time is over"}
    assert not cut & reported  # only what was in its first stage
    left = {trial.id: trial for trial in store.paused()}
    broken = [trial for trial in left.values() if trial.reason == "the time is over"]
    assert broken
    for trial in broken:
        assert trial.evaluation == directly(trial, round(trial.fidelity * EPOCHS))
    kept = {path.name.partition("-epoch")[0] for path in (tmp_path / "run-checkpoints").iterdir()}
    assert kept == {f"trial-{i:06d}" for i in left}
    evaluator = Staged(EPOCHS, lost=0)
    strategy, *_, running = start(rule=rule, batch_size=batch_size, evaluator=evaluator)
    list(running)
    assert sorted(told_ids(strategy)) == list(range(COUNT))
    for trial in broken:
        went_on = store.trial(trial.id)
        assert (went_on.state, went_on.reason) != (TrialState.FAILED, "the time is over")
        assert went_on.fidelity > trial.fidelity  # it was promoted, and stays so
    assert {i for i in range(COUNT) if store.trial(i).reason == "the time is over"} == cut


class Mortal(Shuffled):
    """Its workers die in the middle of the second stage of every trial, so many times."""

    def __init__(self, deaths):
        super().__init__(1, 0, Staged(EPOCHS, lost=0))
        self._deaths, self._died = deaths, {}

    def wait(self, timeout=None):
        trial = super().wait(timeout)
        count = self._died.get(trial.id, 0)
        if trial.fidelity <= 1 / EPOCHS or count >= self._deaths:
            return trial
        self._died[trial.id] = count + 1
        lost = {"state": TrialState.FAILED, "evaluation": None, "reason": "its worker died"}
        return replace(trial, **lost, broken_off=True)


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_worker_that_dies_in_a_later_stage_destroys_nothing(open_store, tmp_path, deaths):
    stores = [open_store(name) for name in ("whole", "dying")]
    observer = Reached()
    for store, count in zip(stores, (0, deaths), strict=True):
        stages, executor = staging(store, tmp_path / "checkpoints"), Mortal(count)
        options = {"max_trials": COUNT, "seed": SEED, "staging": stages, "observers": [observer]}
        list(search(Noting(), executor, store, **options))
    assert all(trial.reward is not None for trial in stores[1].trials())
    if deaths == 1:
        assert found(stores[1]) == found(stores[0])
    else:  # nobody comes beyond the first stage
        assert {(t.state, t.fidelity) for t in stores[1].trials()} == {
            (TrialState.PRUNED, 1 / EPOCHS)
        }


def test_seconds_are_those_of_all_stages(start):
    *_, executor, store, running = start(rule="median")
    wait, spent = executor.wait, {}

    def slow(timeout=None):
        trial = replace(wait(timeout), seconds=0.25)
        spent[trial.id] = spent.get(trial.id, 0) + 0.25
        return trial

    executor.wait = slow
    list(running)
    assert {trial.id: trial.seconds for trial in store.trials()} == spent
    assert max(spent.values()) == 0.25 * 3


class Reached:
    """An observer of stages alone."""

    def __init__(self):
        self.stages = []

    def reached(self, trial):
        self.stages.append((trial.id, round(trial.fidelity * EPOCHS)))

    def running(self, trial_ids):
        """Nothing to note."""


def test_observers_hear_of_the_stages_that_do_not_end_a_trial(start):
    observer = Reached()
    _, _, store, trials = start(observers=[observer])
    list(trials)
    reports = [(report.trial_id, report.epochs) for report in store.reports()]
    last = [(trial.id, round(trial.fidelity * EPOCHS)) for trial in store.finished()]
    ended_at_once = [stage for stage in reports if stage not in observer.stages]
    assert set(ended_at_once) <= set(last)
    assert observer.stages == [stage for stage in reports if stage not in ended_at_once]
    assert {epochs for _, epochs in observer.stages} == {1, 3}
