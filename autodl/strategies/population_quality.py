"""The quality of a population, and when it has stopped rising (EAT-NAS).

Where children inherit weights, the best accuracy goes on rising with the training that they have
had in all, so it does not tell when to stop; mean and spread of a whole population do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

_LEAST_STD = 1e-8


def population_quality(
    accuracies: Sequence[float],
    *,
    target_std: float = 0.01,
    exponents: tuple[float, float] = (-0.07, -0.07),
) -> float:
    """``mean * (std / target_std) ** w``: higher for a better mean and for a smaller spread.

    ``std`` is that of the population (divided by N), at least 1e-8; ``w`` is the first exponent
    where it is at most ``target_std``, else the second. Equal to the mean at ``target_std``. A mean
    below 0, of negatives of errors, is divided instead: there, too, a smaller spread is better.

    Source: Fang et al., EAT-NAS, arXiv:1901.05884, which names the ingredients; the form is that
    of MnasNet's reward (Tan et al., CVPR 2019, equation 2), the numbers are this project's.

    Raises:
        ValueError: no accuracies.
    """
    if not len(accuracies):
        raise ValueError("a population without members has no quality")
    values = np.asarray(accuracies, np.float64)
    std = max(values.std(), _LEAST_STD)
    exponent = exponents[0] if std <= target_std else exponents[1]
    mean = values.mean()
    return float(mean * (std / target_std) ** (exponent if mean >= 0 else -exponent))


class Saturation:
    """Whether the best quality so far has hardly risen over the last cycles.

    Once it has not, that is so for good.

    Args:
        patience: cycles to look back; None never saturates.
        least_gain: relative rise over them that is still enough.
    """

    def __init__(self, patience: int | None, least_gain: float) -> None:
        self._patience = patience
        self._least_gain = least_gain
        self._bests: deque[float] = deque(maxlen=1 if patience is None else patience + 1)

    @property
    def reached(self) -> bool:
        """Whether to stop."""
        if self._patience is None or len(self._bests) <= self._patience:
            return False
        before, now = self._bests[0], self._bests[-1]
        return now - before < self._least_gain * abs(before)

    def note(self, quality: float) -> None:
        """Take in the quality after a cycle."""
        if not self.reached:
            self._bests.append(max(quality, *self._bests) if self._bests else quality)

    def state(self) -> list[float]:
        """The best quality as it was after each of the last cycles."""
        return list(self._bests)

    def restore(self, state: Sequence[float]) -> None:
        """Return to a state that ``state()`` gave."""
        self._bests.clear()
        self._bests.extend(state)
