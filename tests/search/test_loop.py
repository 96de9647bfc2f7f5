"""The loop that ties strategy, executor and store together."""

from __future__ import annotations

import gc
import tracemalloc
from collections import deque

import numpy as np
import pytest
from loop_for_tests import SEED, SPACE, Killed, Shuffled, Tracker, dying, found, run, states

from autodl.runs.store import Proposal
from autodl.search.loop import Teller, search
from autodl.search.reuse import Reuse, WorkKeys
from autodl.strategies.random_search import RandomSearch
from autodl.strategies.strategy import Exhausted


@pytest.mark.parametrize("batch_size", [1, 4, 5, 23, 40])
def test_a_batch_strategy_gets_the_same_trials_whatever_the_workers(open_store, batch_size):
    expected, told = None, None
    for workers, order in ((1, 0), (2, 0), (3, 1), (7, 2)):
        store = open_store(f"{workers}")
        strategy, _ = run(store, batch_size=batch_size, workers=workers, order=order)
        expected, told = expected or found(store), told or strategy.told
        assert found(store) == expected
        assert strategy.told == told
    assert [trial_id for trial_id, _ in told] == list(range(23))
    assert None in [reward for _, reward in told]


def test_batches_are_asked_for_whole_and_only_when_all_before_are_told(open_store):
    store = open_store()
    run(store, batch_size=5, workers=3)
    seen = [row[0] for row in store._db.execute("SELECT tells_seen FROM trials ORDER BY id")]
    assert seen == [i - i % 5 for i in range(23)]


def test_any_other_strategy_is_told_in_the_order_of_finishing(open_store):
    store = open_store()
    strategy, trials = run(store, workers=3, order=1)
    ids = [trial.id for trial in trials]
    assert [trial_id for trial_id, _ in strategy.told] == ids
    assert ids != sorted(ids)
    assert sorted(ids) == list(range(23))
    assert [trial.id for trial in store.finished()] == ids


@pytest.mark.parametrize("workers", [1, 3, 40])
def test_workers_are_kept_busy_and_no_trial_too_many_is_run(open_store, workers):
    executor = Shuffled(workers, 0)
    list(search(Tracker(None), executor, open_store(), max_trials=12, seed=SEED))
    assert executor.submitted == list(range(12))


def test_proposals_come_from_seed_and_id(open_store):
    store = open_store()
    run(store, count=3, batch_size=5)
    strategy = Tracker(5)
    asked = [strategy.ask(np.random.default_rng((SEED, i, 0))) for i in range(3)]
    assert [trial.architecture for trial in store.trials()] == asked


@pytest.mark.parametrize("batch_size", [4, 10])
@pytest.mark.parametrize("method", ["propose", "finish", "snapshot"])
def test_a_run_that_breaks_anywhere_goes_on_to_the_same_trials(open_store, batch_size, method):
    run(open_store("whole"), batch_size=batch_size)
    expected = found(open_store("whole"))
    for after in (0, 1, 5):
        name, told, starts = f"parts-{after}", None, 0
        while told is None:
            store = open_store(name)
            dying(store, method, after)
            starts += 1
            try:
                strategy, _ = run(store, batch_size=batch_size, workers=2, order=starts)
                told = strategy.told
            except Killed:
                assert starts < 200
                # a snapshot or proposal that never gets through would loop for ever: let it
                if starts > 25:
                    store = open_store(name)
                    strategy, _ = run(store, batch_size=batch_size, workers=2)
                    told = strategy.told
            finally:
                store.close()
        assert found(open_store(name)) == expected
        assert [trial_id for trial_id, _ in told] == list(range(23))


def test_an_asynchronous_run_goes_on_with_what_the_strategy_was_told(open_store):
    store = open_store()
    first, _ = run(store, workers=3, count=10)
    second, _ = run(store, workers=2, count=23)
    assert second.told[:10] == first.told
    assert sorted(i for i, _ in second.told) == list(range(23))
    replayed = Tracker(None)
    Teller(replayed, store)
    assert replayed.told == second.told


def test_unfinished_proposals_are_evaluated_again_and_not_asked_again(open_store):
    store = open_store()
    running = search(Tracker(8), Shuffled(3, 0), store, max_trials=20, seed=SEED)
    for _ in range(3):
        next(running)
    running.close()
    left = store.proposed()
    assert len(left) == 5
    executor = Shuffled(2, 1)
    list(search(Tracker(8), executor, store, max_trials=20, seed=SEED))
    assert executor.submitted[:5] == [proposal.id for proposal in left]
    assert {p.id: p.architecture for p in left}.items() <= {
        trial.id: trial.architecture for trial in store.trials()
    }.items()


@pytest.mark.parametrize("at_a_time", [1, 2, 1000])
@pytest.mark.parametrize("count", [3, 20])
def test_stored_proposals_are_taken_up_in_parts(open_store, monkeypatch, at_a_time, count):
    monkeypatch.setattr("autodl.search.loop._AT_A_TIME", at_a_time)
    run(open_store("whole"), batch_size=20, count=20)
    store = open_store()
    store.propose(
        Proposal(trial.id, trial.architecture, 0) for trial in open_store("whole").trials()
    )
    read, proposed = [], store.proposed
    store.proposed = lambda *asked: read.append(asked) or proposed(*asked)
    _, trials = run(store, batch_size=20, workers=3, count=count)
    assert [trial.id for trial in sorted(trials, key=lambda t: t.id)] == list(range(count))
    assert found(store)[:count] == found(open_store("whole"))[:count]
    assert [start for start, _ in read] == list(range(0, count, at_a_time))


def test_fewer_trials_than_there_are_give_none(open_store):
    store = open_store()
    run(store, batch_size=8, count=10)
    for count in (10, 9, 3):
        assert run(store, batch_size=8, count=count)[1] == []
    assert store.count() == 10


@pytest.mark.parametrize("every, kept", [(1, 23), (4, 20), (23, 23), (24, None)])
def test_snapshots_are_kept_every_so_many_tells(open_store, every, kept):
    store = open_store()
    run(store, batch_size=5, every=every)
    snapshot = store.latest_snapshot()
    assert (snapshot and snapshot[0]) == kept
    if snapshot:
        assert len(snapshot[1]["told"]) == kept


class Watched(Tracker):
    def diagnostics(self):
        return {"update": len(self.told) // 5}


class Listener:
    def __init__(self):
        self.updates, self.running_sets = [], []

    def reached(self, trial):
        """Nothing to count."""

    def learned(self, diagnostics):
        self.updates.append(diagnostics["update"])

    def running(self, trial_ids):
        self.running_sets.append(trial_ids)


def test_observers_hear_of_each_update_and_at_a_start_of_the_latest_one_again(open_store):
    # a kill may have come between telling and watching; what is replayed was watched before
    store = open_store()
    heard = []
    for count in (12, 12, 23):
        listener, options = Listener(), {"max_trials": count, "seed": SEED, "snapshot_every": 4}
        list(search(Watched(5), Shuffled(2, 0), store, observers=[listener], **options))
        heard.append(listener.updates)
        assert all(1 <= len(ids) <= 2 for ids in listener.running_sets)
    assert heard == [[1, 2], [2], [2, 3, 4]]


# --- nothing more to propose ----------------------------------------------------------------------


class Dry(Tracker):
    """Has nothing more to propose after ``limit`` proposals."""

    def __init__(self, batch_size, limit):
        super().__init__(batch_size)
        self._limit, self._given = limit, 0

    def ask(self, rng):
        if self._given == self._limit:
            raise Exhausted
        self._given += 1
        return super().ask(rng)


class DryTogether(Dry):
    def ask_batch(self, rngs):
        fitting = rngs[: self._limit - self._given]
        if not fitting:
            raise Exhausted
        return [self.ask(rng) for rng in fitting]


@pytest.mark.parametrize("kind", [Dry, DryTogether])
@pytest.mark.parametrize("batch_size, limit", [(5, 0), (5, 1), (5, 12), (5, 15), (None, 12)])
def test_what_was_proposed_before_a_strategy_ran_dry_is_evaluated(
    open_store, kind, batch_size, limit
):
    store = open_store()
    _, trials = run(store, strategy=kind(batch_size, limit), workers=2)
    assert sorted(trial.id for trial in trials) == list(range(limit))
    run(open_store("whole"), batch_size=batch_size, workers=2, count=limit)
    assert found(store) == found(open_store("whole"))


# --- the state of a live run, and the order of things ------------------------------------------


def test_a_live_run_shows_which_trials_are_running(open_store):
    store = open_store()
    running = search(Tracker(8), Shuffled(3, 0), store, max_trials=20, seed=SEED)
    next(running)
    shown = states(store)
    assert sorted(shown.values()) == ["PROPOSED"] * 4 + ["RUNNING"] * 3
    running.close()
    assert set(states(store).values()) == {"PROPOSED"}


def test_trials_that_a_kill_left_running_are_evaluated_again(open_store):
    run(open_store("whole"), batch_size=8, count=8)
    store = open_store()
    running = search(Tracker(8), Shuffled(3, 0), store, max_trials=8, seed=SEED)
    next(running)
    running.close()
    for trial_id in list(states(store))[:3]:  # as a kill leaves them
        store.start(trial_id)
    again = search(Tracker(8), Shuffled(1, 0), store, max_trials=8, seed=SEED)
    next(again)
    assert list(states(store).values()).count("RUNNING") == 1
    list(again)
    assert found(store) == found(open_store("whole"))


class Diary(Watched):
    """Notes in which order the loop does things, as strategy, executor and observer."""

    def __init__(self, batch_size, notes):
        super().__init__(batch_size)
        self._notes = notes

    def ask(self, rng):
        self._notes.append("ask")
        return super().ask(rng)

    def tell(self, trial):
        self._notes.append(f"tell {trial.id}")
        super().tell(trial)


@pytest.mark.parametrize("batch_size", [None, 5])
def test_a_free_worker_gets_its_next_trial_before_anybody_watches(
    open_store, monkeypatch, batch_size
):
    notes, store, executor = [], open_store(), Shuffled(1, 0)

    def noting(owner, method, text):
        original = getattr(owner, method)

        def call(value, *more):
            notes.append(f"{text} {getattr(value, 'id', value)}")
            return original(value, *more)

        monkeypatch.setattr(owner, method, call)

    noting(store, "finish", "store")
    noting(store, "snapshot", "snapshot")
    noting(executor, "submit", "submit")
    listener = Listener()
    monkeypatch.setattr(listener, "learned", lambda numbers: notes.append("learned"))
    strategy, options = Diary(batch_size, notes), {"max_trials": 6, "seed": SEED}
    running = search(strategy, executor, store, observers=[listener], snapshot_every=5, **options)
    for _ in range(5):
        notes.clear()
        next(running)
    assert notes == ["store 4", "tell 4", "ask", "submit 5", "learned", "snapshot 5"]


def test_the_memory_of_a_search_does_not_grow_with_its_trials(open_store):
    """Of 300 trials that come after the first 150, less than 40 bytes each are kept."""
    keys = WorkKeys({}, SPACE.canonical)
    store, executor = open_store(), Shuffled(2, 0)
    options = {"max_trials": 450, "seed": SEED, "reuse": Reuse(store, keys)}
    running = search(RandomSearch(SPACE), executor, store, **options)
    executor.submitted = deque(maxlen=1)
    sizes = []
    tracemalloc.start()
    for done, _ in enumerate(running, start=1):
        if done % 150 == 0:
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[2] - sizes[0] < 300 * 40


def test_an_attribute_of_a_roles_name_plays_no_role(store):
    """Numbers called ``initial``, ``breed`` and so on are a strategy's own."""
    strategy = Tracker(None)
    strategy.initial, strategy.ask_batch, strategy.diagnostics = 8, None, {"update": 3}
    strategy.breed, strategy.parents = "fast", frozenset()
    _, trials = run(store, strategy=strategy, count=5)
    assert [trial.id for trial in trials] == list(range(5))
