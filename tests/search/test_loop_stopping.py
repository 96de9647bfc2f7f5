"""A search that is told to stop, at once or not."""

from __future__ import annotations

import pytest
from loop_for_tests import SEED, Shuffled, Tracker, found, run, states

from autodl.search.loop import Stop, search
from autodl.trial import TrialState


@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_stop_lets_running_trials_finish_and_starts_no_other(open_store, workers, batch_size):
    store, executor, seen = open_store(), Shuffled(workers, 0), []

    def stop(trial):
        seen.append(trial)
        # later calls return None, which does not take it back
        return Stop("enough") if trial is not None and trial.id == 4 else None

    options = {"max_trials": 20, "seed": SEED}
    strategy = Tracker(batch_size)
    trials = list(search(strategy, executor, store, stop=stop, **options))
    assert [trial for trial in seen if trial] == trials
    at = [trial.id for trial in trials].index(4)
    assert len(trials) == at + workers  # those that were running, and no other
    assert executor.submitted == list(range(len(trials)))
    assert {"cut", "enough"}.isdisjoint(trial.reason for trial in trials)
    assert set(states(store).values()) == ({"PROPOSED"} if batch_size else set())
    list(search(Tracker(batch_size), Shuffled(2, 0), store, **options))
    if batch_size:
        run(open_store("whole"), batch_size=batch_size, count=20)
        assert found(store) == found(open_store("whole"))


@pytest.mark.parametrize("batch_size", [None, 8])
def test_a_cut_fails_running_trials_and_tells_of_them(open_store, batch_size):
    store, executor, calls = open_store(), Shuffled(3, 0), []

    def stop(trial):
        calls.append(trial)
        if len(calls) > 4:
            executor.patience = 9  # nothing will finish any more
        return Stop("the time is over", cut=True) if len(calls) == 7 else None

    strategy = Tracker(batch_size)
    trials = list(search(strategy, executor, store, max_trials=20, seed=SEED, stop=stop))
    assert calls.count(None) == 3  # at the start, and twice when nothing finished
    assert len(trials) == 4 + 3
    assert [trial.reason for trial in trials[4:]] == ["the time is over"] * 3
    assert [trial.state for trial in trials[4:]] == [TrialState.FAILED] * 3
    told = [trial.id for trial in trials]
    assert [trial_id for trial_id, _ in strategy.told] == (sorted(told) if batch_size else told)
    assert len(states(store)) == (1 if batch_size else 0)
    list(search(Tracker(batch_size), Shuffled(2, 0), store, max_trials=20, seed=SEED))
    assert store.count_finished() == 20
    assert [t.reason for t in store.trials()].count("the time is over") == 3


def test_a_stop_may_turn_into_a_cut_but_not_back(open_store):
    wanted = [None, Stop("gently"), Stop("at once", cut=True), None, None]
    store, executor = open_store(), Shuffled(4, 0)
    stops = iter(wanted)
    trials = list(
        search(Tracker(None), executor, store, max_trials=20, seed=SEED, stop=lambda _: next(stops))
    )
    assert executor.submitted == [0, 1, 2, 3]
    assert [trial.reason for trial in trials].count("at once") == 2


def test_a_stop_at_the_start_starts_nothing(open_store):
    for cut in (False, True):
        store = open_store()
        options = {"max_trials": 5, "seed": SEED, "stop": lambda _, cut=cut: Stop("no", cut)}
        assert list(search(Tracker(None), Shuffled(2, 0), store, **options)) == []
        assert store.count() == 0
