"""Asynchronous successive halving: the best of every rung go on."""

from __future__ import annotations

from bisect import bisect_left, insort
from heapq import heappop, heappush

from autodl.errors import ConfigError
from autodl.objectives.order import ParetoOrder
from autodl.search.fidelity.rule import Fate, Verdict


class AsynchronousSuccessiveHalving:
    """Promote the best of every rung without waiting for the rung to fill (ASHA).

    Rungs are at ``least_epochs * reduction ** k`` and at ``epochs``. A trial pauses at its rung;
    it is promoted once it is among the best ``1 / reduction`` of all that ever reported there.
    With several objectives the order is by Pareto rank, then crowding distance.

    Not in the paper: a paused trial is retired once so many are better (with several objectives:
    dominate it) that it will not be promoted even if ``max_trials`` report, so that strategies
    learn of it early. Of N reports, one more costs O(log N) steps and moving a list, with several
    objectives O(N), vectorised.
    Source: Li et al., MLSys 2020, algorithm 2; Schmucker et al., arXiv:2106.12639, for several
    objectives.
    """

    def __init__(
        self, *, epochs: int, max_trials: int, least_epochs: int = 1, reduction: int = 3
    ) -> None:
        if not 1 <= least_epochs <= epochs:
            raise ConfigError(
                f"Fidelity.least_epochs must be 1 to Train.epochs = {epochs}, got {least_epochs}"
            )
        if reduction < 2:
            raise ConfigError(f"Fidelity.reduction must be at least 2, got {reduction}")
        self._reduction = reduction
        self.rungs = [least_epochs]
        while self.rungs[-1] * reduction < epochs:
            self.rungs.append(self.rungs[-1] * reduction)
        if self.rungs[-1] != epochs:
            self.rungs.append(epochs)
        self._max_trials = max_trials
        self._reports = [_Rung() for _ in self.rungs]

    def first_stage(self) -> int:
        """The lowest rung."""
        return self.rungs[0]

    def report(self, trial_id: int, epochs: int, values: tuple[float, ...]) -> Verdict:
        """Record the values at the rung; the trial pauses there unless it is the last."""
        rung = self.rungs.index(epochs)
        if rung:
            self._reports[rung - 1].promote(trial_id)  # when replayed: it had been promoted
        if rung == len(self.rungs) - 1:
            return Verdict(Fate.DONE)
        self._reports[rung].add(trial_id, values)
        return Verdict(Fate.PAUSE)

    def promote(self) -> tuple[int, int] | None:
        """The best promotable trial of the highest rung that has one."""
        for rung in range(len(self.rungs) - 2, -1, -1):
            trial_id = self._reports[rung].best(self._reduction)
            if trial_id is not None:
                self._reports[rung].promote(trial_id)
                return trial_id, self.rungs[rung + 1]
        return None

    def promoted(self, trial_id: int) -> int:
        """The rung after the last that it reported at."""
        rung = max(i for i, rung in enumerate(self._reports) if trial_id in rung.ids)
        self._reports[rung].promote(trial_id)
        return self.rungs[rung + 1]

    def retired(self) -> list[int]:
        """Those that fell below the places that a rung can still come to promote."""
        found, most = [], self._max_trials
        for rung in self._reports:
            found += rung.retire(most // self._reduction)
            # an early promotion may have been one too many: only what is retired stays below
            most -= len(rung.retired)
        return sorted(found)

    def forget(self, trial_id: int) -> None:
        """Nothing: what it reached before still counts."""


class _Rung:
    """What was reported at a rung, in order, so that a search stays fast."""

    def __init__(self) -> None:
        self.ids: dict[int, int] = {}  # and how many came before
        self.promoted: set[int] = set()
        self.retired: set[int] = set()
        self._sorted: list[tuple[float, int]] = []  # best first, of equals the earlier trial
        self._waiting: list[tuple[float, int]] = []  # heaps of those not yet promoted: best first
        self._worst: list[tuple[float, int]] = []  # and worst first
        self._several: ParetoOrder | None = None  # in place of these, with several objectives
        self._came: list[int] = []

    def add(self, trial_id: int, values: tuple[float, ...]) -> None:
        self.ids[trial_id] = len(self._came)
        self._came.append(trial_id)
        if len(values) == 1:
            key = (-values[0], trial_id)
            insort(self._sorted, key)
            heappush(self._waiting, key)
            heappush(self._worst, (values[0], -trial_id))
        else:
            self._several = self._several or ParetoOrder(len(values))
            self._several.add(values)

    def promote(self, trial_id: int) -> None:
        self.promoted.add(trial_id)
        if self._several is not None:
            self._several.take(self.ids[trial_id])

    def retire(self, places: int) -> list[int]:
        """Those that fell below so many places since the last time and were not promoted."""
        found = []
        if self._several is not None:
            found = [self._came[position] for position in self._several.give_up(places)]
        while self._worst:
            value, negative = self._worst[0]
            trial_id = -negative
            if trial_id not in self.promoted:
                if bisect_left(self._sorted, (-value, trial_id)) < places:
                    break
                found.append(trial_id)
            heappop(self._worst)
        self.retired.update(found)
        return found

    def best(self, reduction: int) -> int | None:
        """The best trial that was not promoted, if it is among the best ``1 / reduction``."""
        places = len(self._came) // reduction
        if self._several is not None:
            position = self._several.best(places)
            return None if position is None else self._came[position]
        while self._waiting and self._waiting[0][1] in self.promoted:
            heappop(self._waiting)
        if not self._waiting:
            return None
        place = bisect_left(self._sorted, self._waiting[0])
        return self._waiting[0][1] if place < places else None
