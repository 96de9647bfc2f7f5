"""The best distinct trials so far: what a policy imitates of its own past."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np

from autodl.spaces.space import Arch, Coded, Integers, canonical_form


@dataclass(frozen=True, slots=True)
class _Scored:
    reward: float
    form: Any  # canonical
    row: Integers


class BestTrials(Generic[Arch]):
    """Rows of the ``size`` best trials, of architectures with one canonical form the best.

    Trials of equal reward stand in the order in which they were added. One more than ``size`` is
    remembered, which tells that there was a selection.
    """

    def __init__(self, space: Coded[Arch], size: int) -> None:
        self._space, self._size = space, size
        self._form: Callable[[Any], Any] = canonical_form(space)
        self._best: list[_Scored] = []

    @property
    def selected(self) -> bool:
        """Whether there were more than ``size`` to select from, and ``size`` is not 0."""
        return len(self._best) > self._size > 0

    def add(self, architecture: Arch, reward: float) -> None:
        """Keep a trial if it is among the best; one that was there with less is replaced."""
        full = len(self._best) > self._size
        if full and reward <= self._best[-1].reward:
            return  # before its canonical form is made, which takes longer than all else here
        form = self._form(architecture)
        twins = [one for one in self._best if one.form == form]
        if any(twin.reward >= reward for twin in twins):
            return
        kept = [one for one in self._best if one.form != form]
        kept.append(_Scored(reward, form, self._space.encode(architecture)))
        self._best = sorted(kept, key=lambda one: -one.reward)[: self._size + 1]  # stable

    def rows(self) -> Integers:
        """Their decisions, best first, int64 ``[trials, decisions]``; there must be one."""
        return np.stack([one.row for one in self._best[: self._size]])

    def state(self) -> list[dict[str, Any]]:
        """Rows and rewards, best first."""
        return [{"row": one.row.tolist(), "reward": one.reward} for one in self._best]

    def restore(self, state: Sequence[Mapping[str, Any]]) -> None:
        """Return to a state that ``state()`` gave."""
        rows = [np.array(one["row"], np.int64) for one in state]
        forms = [self._form(self._space.decode(row)) for row in rows]
        rewards = [one["reward"] for one in state]
        self._best = list(map(_Scored, rewards, forms, rows))
