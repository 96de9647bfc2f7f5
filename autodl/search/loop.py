"""The loop that ties strategy, executor and store together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from autodl.errors import StoreError
from autodl.search.executors import Executor
from autodl.search.observer import Observer
from autodl.search.store import Proposal, TrialStore
from autodl.spaces.codec import Architecture
from autodl.strategies.strategy import BatchStrategy, Exhausted, Prepared, Strategy, Watchable
from autodl.trial import Trial

_LOOK_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a search ends before its trials are done, and how.

    Trials that are running are finished and no others are started; with ``cut`` they are ended
    at once, FAILED with the reason.
    """

    reason: str
    cut: bool = False


def never(trial: Trial | None) -> Stop | None:
    """Search until all trials are done."""
    return None


def search(
    strategy: Strategy,
    executor: Executor,
    store: TrialStore,
    *,
    max_trials: int,
    seed: int,
    observers: Sequence[Observer] = (),
    snapshot_every: int = 100,
    stop: Callable[[Trial | None], Stop | None] = never,
) -> Iterator[Trial]:
    """Run trials until ``max_trials`` are finished or none is left; yield each as it finishes.

    Killing it at any point is safe: a proposal is stored before it is evaluated, a result
    before the strategy learns from it. A proposal that was not finished is evaluated again, with
    the generator it would have had, not asked for again.

    Observers, and whoever consumes the trials, get each one after the worker that is free now
    has its next proposal, so that they may take their time.

    Args:
        stop: called with every trial that finishes, before another one is started, and with
            None at the start and about once a second. A ``Stop`` is not taken back by a later
            None; it can be sharpened by one that cuts. Proposals that were not started are left
            for the next start.
    """
    teller = Teller(strategy, store, observers, snapshot_every)
    if not store.count() and isinstance(strategy, Prepared):
        store.propose([Proposal(i, arch, 0) for i, arch in enumerate(strategy.initial())])
    store.reset_running()  # a kill has left them
    feeder = _Feeder(strategy, executor, store, max_trials, seed)
    shown: tuple[int, ...] = ()
    trial: Trial | None = None
    halt = stop(None)
    try:
        while True:
            if halt is None:
                feeder.feed(teller.told)
            teller.report()
            if trial is not None:
                yield trial
            if halt is not None and halt.cut:
                break
            running = executor.running()
            if not running:
                return
            if running != shown:
                for observer in observers:
                    observer.running(running)
                shown = running
            trial = executor.wait(_LOOK_EVERY_SECONDS)
            if trial is not None:
                store.finish(trial)
                teller.finished(trial)
            halt = stop(trial) or halt
        ended = executor.cut(halt.reason)
        for trial in ended:
            store.finish(trial)
            teller.finished(trial)
        teller.report()
        yield from ended
    finally:
        with suppress(StoreError):  # the next start does it too
            store.reset_running()


class _Feeder:
    """Gives free workers what to evaluate: first what is proposed already, then what it asks."""

    def __init__(
        self, strategy: Strategy, executor: Executor, store: TrialStore, max_trials: int, seed: int
    ) -> None:
        self._strategy = strategy
        self._executor = executor
        self._store = store
        self._max_trials = max_trials
        self._seed = seed
        self._proposed = store.count()
        self._queue = deque(p for p in store.unfinished() if p.id < max_trials)

    def feed(self, told: int) -> None:
        """Keep all workers busy, as far as there is something to evaluate."""
        while len(self._executor.running()) < self._executor.workers:
            if not self._queue:
                fresh = self._ask(told)
                if not fresh:
                    return
                self._store.propose(fresh)
                self._queue.extend(fresh)
                self._proposed += len(fresh)
            proposal = self._queue.popleft()
            self._store.start(proposal.id)
            self._executor.submit(proposal)

    def _ask(self, told: int) -> list[Proposal]:
        """The next proposals; none before the strategy is told more, or ever.

        A batch strategy is asked for the rest of its batch; the last batch ends at
        ``max_trials``, and a later start with more trials asks for what is missing of it from the
        same policy.
        """
        first = self._proposed
        end = min(first + 1, self._max_trials)
        if self._strategy.batch_size is not None:
            batch_start = first - first % self._strategy.batch_size
            if told < batch_start:
                return []
            end = min(batch_start + self._strategy.batch_size, self._max_trials)
        ids = range(first, end)
        rngs = [np.random.default_rng((self._seed, trial_id, 0)) for trial_id in ids]
        # a strategy may have less to propose than it was asked for
        found = zip(ids, ask_all(self._strategy, rngs), strict=False)
        return [Proposal(trial_id, architecture, told) for trial_id, architecture in found]


def ask_all(strategy: Strategy, rngs: Sequence[np.random.Generator]) -> Iterator[Architecture]:
    """What the strategy proposes, as far as it gets."""
    with suppress(Exhausted):
        if isinstance(strategy, BatchStrategy) and rngs:
            yield from strategy.ask_batch(rngs)
        else:
            for rng in rngs:
                yield strategy.ask(rng)


class Teller:
    """Tells a strategy what the store holds, in the order it has to be told, and of each once.

    On construction the strategy is brought up to date: the last snapshot, then the rest.
    """

    def __init__(
        self,
        strategy: Strategy,
        store: TrialStore,
        observers: Sequence[Observer] = (),
        snapshot_every: int = 100,
    ) -> None:
        self.told = 0
        self._strategy = strategy
        self._store = store
        self._observers = observers
        self._snapshot_every = snapshot_every
        self._early: dict[int, Trial] = {}
        self._learned: list[Mapping[str, float]] = []
        if (kept := store.latest_snapshot()) is not None:
            self.told, state = kept
            strategy.restore(state)
        self._kept = self.told
        self._update = 0.0  # the latest that was noted; they count from 1
        for trial in store.finished(by_id=strategy.batch_size is not None, start=self.told):
            self.finished(trial)
            self._learned.clear()  # what is replayed was watched before
        self._update = 0.0
        self._note_update()  # but perhaps not the latest: a kill may have come in between

    def finished(self, trial: Trial) -> None:
        """Tell of a trial now, or, to a batch strategy, once all trials before it are told."""
        if self._strategy.batch_size is None:
            self._tell(trial)
            return
        self._early[trial.id] = trial
        while self.told in self._early:
            self._tell(self._early.pop(self.told))

    def report(self) -> None:
        """Do what can wait: let observers see the latest updates, keep a snapshot if it is due."""
        for diagnostics in self._learned:
            for observer in self._observers:
                observer.learned(diagnostics)
        self._learned.clear()
        if self.told - self._kept >= self._snapshot_every:
            self._store.snapshot(self.told, self._strategy.state())
            self._kept = self.told

    def _tell(self, trial: Trial) -> None:
        self._strategy.tell(trial)
        self.told += 1
        self._note_update()

    def _note_update(self) -> None:
        """Keep the numbers of an update for ``report``, if there was one."""
        if not isinstance(self._strategy, Watchable):
            return
        diagnostics = dict(self._strategy.diagnostics())
        if diagnostics["update"] != self._update:
            self._update = diagnostics["update"]
            self._learned.append(diagnostics)
