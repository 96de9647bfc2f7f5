"""What was told, as surrogates: one for each number of a trial, made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autodl.spaces.space import Integers
from autodl.strategies.surrogate.surrogate import Posterior, Reals, Surrogate


@dataclass(frozen=True, slots=True)
class _Known:
    """Surrogates, how many trials they were fitted to, and how many they know."""

    models: list[Surrogate]
    fitted: int
    count: int


class Learner:
    """Surrogates of the columns of ``values``, over the rows that have them.

    They are fitted to the first ``first`` trials, and anew whenever a tenth more and one are
    known; between that they are updated. So they follow from the trials alone, not from when they
    were asked for, and telling costs nothing.

    Args:
        make: a surrogate that knows nothing.
        scaled: brings values to the scale of surrogates, float64 ``[n]`` -> ``[n]``.
        first: trials of the first fit, from 1.
    """

    def __init__(
        self, make: Callable[[], Surrogate], scaled: Callable[[Reals], Reals], first: int
    ) -> None:
        self._make = make
        self._scaled = scaled
        self._first = first
        self._known: _Known | None = None

    def models(self, rows: Integers, values: Reals) -> list[Surrogate]:
        """A surrogate for each column.

        Args:
            rows: int64 ``[n, decisions]``; the first of them are those of the call before, or of a
                ``forget`` since. Fewer than ``first`` are for surrogates that have learned from
                earlier runs: they are fitted to none, and updated.
            values: what they gave, higher is better, float64 ``[n, M]``.
        """
        count, columns = values.shape
        fitted = last_fit(self._first, count)
        known = self._known
        if known is None:
            known = _Known([self._make() for _ in range(columns)], 0, 0)
        if known.fitted != fitted or not known.count:
            for model, column in zip(known.models, values[:fitted].T, strict=True):
                model.fit(rows[:fitted], self._scaled(column))
            known = _Known(known.models, fitted, fitted)
        for model, column in zip(known.models, values.T, strict=True):
            model.update(rows[known.count :], self._scaled(column))
        self._known = _Known(known.models, fitted, count)
        return known.models

    def posteriors(self, rows: Integers, values: Reals, asked: Integers) -> list[Posterior]:
        """What is believed of each column for the rows asked for; see ``models``."""
        return [model.posterior(asked) for model in self.models(rows, values)]

    def forget(self) -> None:
        """Other trials come next."""
        self._known = None


def last_fit(first: int, count: int) -> int:
    """Of ``first``, and each time a tenth and one more, the last that ``count`` has reached.

    0 before the first.
    """
    if count < first:
        return 0
    reached = first
    while (following := reached + 1 + reached // 10) <= count:
        reached = following
    return reached
