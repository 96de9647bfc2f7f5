"""The loop with reuse: identical architectures are evaluated once, whoever runs what when."""

from __future__ import annotations

from contextlib import closing

import pytest
from loop_for_tests import SEED, Killed, Shuffled, Staged, Tracker, dying, found, states

from autodl.errors import ConfigError
from autodl.runs.folder import TRIALS
from autodl.runs.store import TrialStore
from autodl.search.fidelity.halving import AsynchronousSuccessiveHalving
from autodl.search.loop import search
from autodl.search.reuse import EarlierRun, Reuse, WorkKeys
from autodl.search.staging import Staging
from autodl.spaces.cell.space import CellSpace
from autodl.trial import Evaluation, TrialFailure, TrialState

SMALL = CellSpace(nodes=2, operations=("conv_1x1", "conv_3x3"), tied=True)  # 8 names, 7 graphs
KEYS = WorkKeys({"data": "of the tests"}, SMALL.canonical)
COUNT = 40


class Repeating(Tracker):
    """Proposes the few architectures of a small space again and again."""

    def ask(self, rng):
        row = SMALL.encode(SMALL.sample(rng))
        heard = len(self.told) - (len(self.told) % self.batch_size if self.batch_size else 0)
        row[0] = (row[0] + int(1000 * sum(r or 0.5 for _, r in self.told[:heard]))) % 2
        return SMALL.decode(row)


class Noisy:
    """Gives every trial its own reward, so that evaluating a twin again would show."""

    def __init__(self, failing=0.4):
        self.evaluated = []
        self._failing = failing

    def __call__(self, architecture, rng):
        self.evaluated.append(SMALL.canonical(architecture))
        noise = rng.random()
        if noise < self._failing:
            raise TrialFailure("bad luck")
        return Evaluation(noise, {"noise": noise})


def run(store, *, strategy=None, batch_size=None, workers=1, order=0, evaluator=None, **more):
    strategy = strategy or Repeating(batch_size)
    executor = Shuffled(workers, order, evaluator or Noisy())
    options = {"max_trials": COUNT, "seed": SEED, "snapshot_every": 7, **more}
    earlier = options.pop("earlier", ())
    reuse = Reuse(store, KEYS, earlier)
    return strategy, executor, search(strategy, executor, store, reuse=reuse, **options)


def check(store):
    """Every trial has the result of the first of its kind that did not fail."""
    first = {}
    for trial in store.trials():
        kind = SMALL.canonical(trial.architecture)
        if trial.state is TrialState.FAILED:
            assert kind not in first
        elif kind in first:
            twin = first[kind]
            assert (trial.state, trial.evaluation) == (twin.state, twin.evaluation)
            assert (trial.reason, trial.seconds) == (f"result of trial {twin.id}", 0)
        else:
            first[kind] = trial
            assert trial.reason == ""
    return first


@pytest.mark.parametrize("batch_size", [1, 5, 40])
def test_a_batch_strategy_gets_the_same_trials_whatever_the_workers(open_store, batch_size):
    expected, told = None, None
    for workers, order in ((1, 0), (2, 0), (2, 1), (3, 1), (3, 2), (7, 3)):
        store, evaluator = open_store(f"{workers}-{order}"), Noisy()
        strategy, _, running = run(
            store, batch_size=batch_size, workers=workers, order=order, evaluator=evaluator
        )
        list(running)
        expected, told = expected or found(store), told or strategy.told
        assert found(store) == expected
        assert strategy.told == told
        failed = [t for t in store.trials() if t.state is TrialState.FAILED]
        assert len(evaluator.evaluated) == len(check(store)) + len(failed) < COUNT / 2
        assert failed
    assert [trial_id for trial_id, _ in told] == list(range(COUNT))


@pytest.mark.parametrize("workers", [1, 3])
def test_any_other_strategy_is_told_of_each_trial_once(open_store, workers):
    store, evaluator = open_store(), Noisy()
    strategy, _, running = run(store, workers=workers, order=1, evaluator=evaluator)
    ids = [trial.id for trial in running]
    assert [trial_id for trial_id, _ in strategy.told] == ids
    assert sorted(ids) == list(range(COUNT))
    failed = [t for t in store.trials() if t.state is TrialState.FAILED]
    assert len(evaluator.evaluated) == len(check(store)) + len(failed)


def test_without_reuse_all_are_evaluated(open_store):
    evaluator = Noisy()
    options = {"max_trials": COUNT, "seed": SEED}
    list(search(Repeating(5), Shuffled(2, 0, evaluator), open_store(), **options))
    assert len(evaluator.evaluated) == COUNT


class Fixed(Tracker):
    """Proposes what it is given, in turn."""

    def __init__(self, batch_size, architectures):
        super().__init__(batch_size)
        self._turn = iter(architectures)

    def ask(self, rng):
        return next(self._turn)


def test_renamed_nodes_are_no_other_architecture(open_store):
    one, other = SMALL.decode([0, 1, 0]), SMALL.decode([1, 0, 0])
    assert one != other
    store, evaluator = open_store(), Noisy(failing=0)
    list(run(store, strategy=Fixed(2, [one, other]), evaluator=evaluator, max_trials=2)[-1])
    trials = list(store.trials())
    assert len(evaluator.evaluated) == 1
    assert [trial.architecture for trial in trials] == [one, other]  # each as it was proposed
    assert trials[0].reward == trials[1].reward


@pytest.mark.parametrize("batch_size", [None, 6])
@pytest.mark.parametrize("workers", [1, 3])
def test_after_a_first_twin_that_fails_the_next_one_is_evaluated(open_store, workers, batch_size):
    twins = [SMALL.decode([0, 1, 1])] * 6

    def evaluator(architecture, rng, count=iter(range(9))):  # noqa: B008  (counts the calls)
        if next(count) < 2:
            raise TrialFailure("not yet")
        return Evaluation(0.5)

    store = open_store()
    strategy = Fixed(batch_size, twins)
    list(run(store, strategy=strategy, workers=workers, evaluator=evaluator, max_trials=6)[-1])
    assert [(t.state.value, t.reason) for t in store.trials()] == [
        *(("FAILED", "not yet"), ("FAILED", "not yet"), ("COMPLETE", "")),
        *[("COMPLETE", "result of trial 2")] * 3,
    ]


def test_a_strategy_of_one_idea_is_not_asked_for_all_at_once(open_store):
    store = open_store()
    strategy = Fixed(None, [SMALL.decode([0, 0, 0])] * 500)
    _, executor, running = run(
        store, strategy=strategy, workers=2, evaluator=Noisy(failing=0), max_trials=500
    )
    wait, asked = executor.wait, []

    def late(timeout=None):
        asked.append(store.count())
        return wait(timeout) if len(asked) > 3 else None

    executor.wait = late
    assert len(list(running)) == 500
    assert asked[:4] == [101] * 4  # the one that runs and a hundred that wait for it
    assert len(check(store)) == 1


# --- with stages --------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("batch_size", [None, 10])
def test_a_paused_twin_is_waited_for(open_store, tmp_path, batch_size, workers):
    store, evaluator = open_store(), Staged(3, lost=0)
    rule = AsynchronousSuccessiveHalving(epochs=3, max_trials=COUNT)
    staging = Staging(rule, store, tmp_path / "ckpt", lambda evaluation: (evaluation.reward,))
    strategy, _, running = run(
        store, batch_size=batch_size, workers=workers, evaluator=evaluator, staging=staging
    )
    ids = [trial.id for trial in running]
    assert sorted(ids) == list(range(COUNT))
    assert [i for i, _ in strategy.told] == (sorted(ids) if batch_size else ids)
    first = check(store)
    assert {trial.state for trial in first.values()} == {TrialState.PRUNED, TrialState.COMPLETE}
    assert [begun for _, begun, _ in evaluator.log].count(0) == len(first)
    assert not states(store)


# --- broken off ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["propose", "start", "finish"])
def test_a_run_that_breaks_anywhere_goes_on_to_the_same_trials(open_store, method):
    whole = open_store("whole")
    list(run(whole, batch_size=10)[-1])
    for call in (0, 1, 5):
        name, told, starts = f"parts-{call}", None, 0
        while told is None:
            store, starts = open_store(name), starts + 1
            if starts <= 12:  # what never gets through would break for ever
                dying(store, method, call)
            strategy, _, running = run(store, batch_size=10, workers=3, order=starts)
            try:
                list(running)
                told = [trial_id for trial_id, _ in strategy.told]
            except Killed:
                pass
            finally:
                store.close()
        assert found(open_store(name)) == found(whole)
        assert told == list(range(COUNT))


# --- results of earlier runs --------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """An earlier run of 40 trials."""
    folder = tmp_path / "earlier"
    folder.mkdir()
    with closing(TrialStore(folder / TRIALS)) as store:
        list(run(store, batch_size=10, evaluator=Noisy(failing=0.2), seed=SEED + 1)[-1])
    return folder


@pytest.mark.parametrize("workers", [1, 3])
def test_results_of_an_earlier_run_are_taken_and_those_of_the_same_run_come_first(
    open_store, folder, workers
):
    with closing(TrialStore(folder / TRIALS, read_only=True)) as store:
        known = {
            SMALL.canonical(t.architecture): t
            for t in list(store.finished(by_id=True))[::-1]
            if t.state is TrialState.COMPLETE
        }
    assert 2 < len(known) <= 7
    store, evaluator = open_store(), Noisy(failing=0)
    with closing(EarlierRun(folder, KEYS)) as earlier:
        list(run(store, batch_size=10, workers=workers, evaluator=evaluator, earlier=[earlier])[-1])
    assert not set(known) & set(evaluator.evaluated)
    seen = set()
    for trial in store.trials():
        kind = SMALL.canonical(trial.architecture)
        if kind in known:
            assert trial.evaluation == known[kind].evaluation
            source = f"trial {known[kind].id} of {folder}"
            assert trial.reason == f"result of {source}"
            assert trial.seconds == 0
        seen.add(kind)
    assert len(evaluator.evaluated) == len(seen - set(known))


def test_a_run_of_another_context_is_refused(folder):
    other = WorkKeys({"data": "of somebody else"}, SMALL.canonical)
    with pytest.raises(ConfigError, match=r"Search\.cache: nothing in .*earlier can be reused"):
        EarlierRun(folder, other)
