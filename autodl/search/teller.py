"""Telling a strategy what its trials have come to, each once and in order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from autodl.runs.store import TrialStore
from autodl.search.observers.observer import Observer
from autodl.strategies.strategy import Strategy, Watchable
from autodl.trial import Trial


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

    @property
    def untold(self) -> Collection[int]:
        """Finished trials that wait for others to be told of before them."""
        return self._early.keys()

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
