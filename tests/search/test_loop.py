"""The loop that ties strategy, executor and store together."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from autodl.search.evaluate import evaluate_trial
from autodl.search.loop import Stop, Teller, search
from autodl.search.store import TrialStore
from autodl.spaces.cell_space import CellSpace
from autodl.strategies.strategy import Exhausted
from autodl.trial import Evaluation, Trial, TrialFailure, TrialState

SPACE = CellSpace(nodes=3)
SEED = 7


def evaluator(architecture, rng):
    noise = rng.random()
    if noise < 0.2:
        raise TrialFailure("too little noise")
    return Evaluation(noise + architecture.to_tokens()[0].count(1))


class Shuffled:
    """Runs up to ``workers`` trials and finishes them in an order of its own."""

    def __init__(self, workers, order_seed):
        self.workers = workers
        self._running = deque()
        self._draw = np.random.default_rng(order_seed)
        self.submitted = []
        self.patience = 0

    def submit(self, proposal, stage=None):
        assert len(self._running) < self.workers
        self._running.append(proposal)
        self.submitted.append(proposal.id)

    def running(self):
        return tuple(sorted(proposal.id for proposal in self._running))

    def wait(self, timeout=None):
        assert 0 < timeout <= 1
        if self.patience:  # so often nothing finishes in time
            self.patience -= 1
            return None
        self._running.rotate(int(self._draw.integers(len(self._running))))
        proposal = self._running.popleft()
        return evaluate_trial(evaluator, proposal.id, proposal.architecture, SEED)

    def cut(self, reason):
        trials = [
            Trial(proposal.id, proposal.architecture, TrialState.FAILED, reason=reason)
            for proposal in self._running
        ]
        self._running.clear()
        return trials

    def close(self):
        self._running.clear()


class Tracker:
    """Proposals depend on all that was told, in its order; notes what was told."""

    def __init__(self, batch_size):
        self.batch_size = batch_size
        self.told = []

    def ask(self, rng):
        heard = len(self.told)
        if self.batch_size is not None:
            heard -= heard % self.batch_size
        shift = sum(trial_id * (reward or 0.5) for trial_id, reward in self.told[:heard])
        tokens = (rng.integers(10, size=6) + int(1000 * shift)) % 10
        return SPACE.decode(tokens, rng.integers(2, size=6))

    def tell(self, trial):
        self.told.append((trial.id, trial.reward))

    def state(self):
        return {"told": [list(pair) for pair in self.told]}

    def restore(self, state):
        self.told = [tuple(pair) for pair in state["told"]]


@pytest.fixture
def open_store(tmp_path):
    opened = []

    def open_store(name="trials"):
        store = TrialStore(tmp_path / f"{name}.sqlite")
        store._db.execute("PRAGMA synchronous = OFF")  # the machine does not lose its power here
        opened.append(store)
        return store

    yield open_store
    for store in opened:
        store.close()


def found(store):
    return [
        (trial.id, trial.state, trial.architecture, trial.reward, trial.reason)
        for trial in store.trials()
    ]


def run(store, *, batch_size=None, workers=1, order=0, count=23, strategy=None, every=4):
    strategy = strategy or Tracker(batch_size)
    executor = Shuffled(workers, order)
    options = {"max_trials": count, "seed": SEED, "snapshot_every": every}
    return strategy, list(search(strategy, executor, store, **options))


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


class Killed(BaseException):
    pass


def dying(store, method, after):
    """A store that breaks down around the ``after``-th call of a method, done or not."""
    original, calls = getattr(store, method), iter(range(10**6))

    def call(*arguments):
        number = next(calls)
        if number == after and after % 2:
            raise Killed
        original(*arguments)
        if number == after:
            raise Killed

    setattr(store, method, call)


@pytest.mark.parametrize("batch_size", [4, 10])
@pytest.mark.parametrize("method", ["propose", "finish", "snapshot"])
def test_a_run_that_breaks_anywhere_goes_on_to_the_same_trials(open_store, batch_size, method):
    run(open_store("whole"), batch_size=batch_size)
    expected = found(open_store("whole"))
    for after in (0, 1, 2, 5):
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
    left = store.unfinished()
    assert len(left) == 5
    executor = Shuffled(2, 1)
    list(search(Tracker(8), executor, store, max_trials=20, seed=SEED))
    assert executor.submitted[:5] == [proposal.id for proposal in left]
    assert {p.id: p.architecture for p in left}.items() <= {
        trial.id: trial.architecture for trial in store.trials()
    }.items()


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


def states(store):
    return {trial.id: trial.state.value for trial in store.trials() if not trial.state.finished}


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


# --- stopping -----------------------------------------------------------------------------------


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
