"""The loop that ties strategy, executor and store together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from autodl.search.executors import Executor
from autodl.search.observer import Observer
from autodl.search.store import Proposal, TrialStore
from autodl.spaces.codec import Architecture
from autodl.strategies.strategy import BatchStrategy, Exhausted, Prepared, Strategy, Watchable
from autodl.trial import Trial


def search(
    strategy: Strategy,
    executor: Executor,
    store: TrialStore,
    *,
    max_trials: int,
    seed: int,
    observers: Sequence[Observer] = (),
    snapshot_every: int = 100,
) -> Iterator[Trial]:
    """Run trials until ``max_trials`` are finished or none is left; yield each as it finishes.

    Killing it at any point is safe: a proposal is stored before it is evaluated, a result
    before the strategy learns from it. A proposal that was not finished is evaluated again, with
    the generator it would have had, not asked for again.
    """
    teller = Teller(strategy, store, observers, snapshot_every)
    teller.report_update()  # a kill may have come between telling and watching
    if not store.count() and isinstance(strategy, Prepared):
        store.propose([Proposal(i, arch, 0) for i, arch in enumerate(strategy.initial())])
    queue = deque(proposal for proposal in store.unfinished() if proposal.id < max_trials)
    proposed = store.count()
    while True:
        while len(executor.running()) < executor.workers:
            if not queue:
                fresh = _ask(strategy, proposed, max_trials, teller.told, seed)
                if not fresh:
                    break
                store.propose(fresh)
                queue.extend(fresh)
                proposed += len(fresh)
            executor.submit(queue.popleft())
        running = executor.running()
        if not running:
            return
        for observer in observers:
            observer.running(running)
        trial = executor.wait()
        store.finish(trial)
        teller.finished(trial)
        yield trial


def _ask(strategy: Strategy, first: int, max_trials: int, told: int, seed: int) -> list[Proposal]:
    """The next proposals, from id ``first`` on; none before the strategy is told more, or ever.

    A batch strategy is asked for the rest of its batch; the last batch ends at ``max_trials``,
    and a later start with more trials asks for what is missing of it from the same policy.
    """
    end = min(first + 1, max_trials)
    if strategy.batch_size is not None:
        batch_start = first - first % strategy.batch_size
        if told < batch_start:
            return []
        end = min(batch_start + strategy.batch_size, max_trials)
    ids = range(first, end)
    rngs = [np.random.default_rng((seed, trial_id, 0)) for trial_id in ids]
    architectures: list[Architecture]
    try:
        if isinstance(strategy, BatchStrategy) and rngs:
            architectures = strategy.ask_batch(rngs)
        else:
            architectures = [strategy.ask(rng) for rng in rngs]
    except Exhausted:
        return []
    return [Proposal(i, arch, told) for i, arch in zip(ids, architectures, strict=True)]


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
        self._observers: Sequence[Observer] = ()  # what is replayed was watched before
        self._snapshot_every = snapshot_every
        self._early: dict[int, Trial] = {}
        if (kept := store.latest_snapshot()) is not None:
            self.told, state = kept
            strategy.restore(state)
        self._updates = self._update_count()
        for trial in store.finished(by_id=strategy.batch_size is not None, start=self.told):
            self.finished(trial)
        self._observers = observers

    def finished(self, trial: Trial) -> None:
        """Tell of a trial now, or, to a batch strategy, once all trials before it are told."""
        if self._strategy.batch_size is None:
            self._tell(trial)
            return
        self._early[trial.id] = trial
        while self.told in self._early:
            self._tell(self._early.pop(self.told))

    def _tell(self, trial: Trial) -> None:
        self._strategy.tell(trial)
        self.told += 1
        if (updates := self._update_count()) != self._updates:
            self._updates = updates
            self.report_update()
        if self.told % self._snapshot_every == 0:
            self._store.snapshot(self.told, self._strategy.state())

    def report_update(self) -> None:
        """Let the observers see the strategy's latest update, if there was one."""
        if isinstance(self._strategy, Watchable) and self._update_count():
            for observer in self._observers:
                observer.learned(self._strategy.diagnostics())

    def _update_count(self) -> float:
        if isinstance(self._strategy, Watchable):
            return self._strategy.diagnostics()["update"]
        return 0
