"""What a network, or several of them, say about pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autodl.errors import ConfigError


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Probabilities of classes, calibrated on held-out pictures where a release was.

    ``probabilities`` is float64 ``[N, classes]``, rows sum to 1; ``classes`` names the columns.
    ``agreement`` (of an ensemble) is float64 ``[N]``: the share of votes, 0..1, for the label.
    """

    probabilities: NDArray[np.float64]
    classes: tuple[str, ...]
    agreement: NDArray[np.float64] | None = None

    @property
    def labels(self) -> NDArray[np.int64]:
        """Number of the likeliest class, ``[N]``; of equal ones the first."""
        labels: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return labels

    @property
    def names(self) -> list[str]:
        """Name of the likeliest class of every picture."""
        return [self.classes[label] for label in self.labels]

    def top(self, count: int | None = None) -> list[list[tuple[str, float]]]:
        """The ``count`` likeliest classes of every picture with their probabilities, best first.

        None is 5 of them, or all if there are fewer.

        Raises:
            ConfigError: ``count`` is not between 1 and the number of classes.
        """
        if count is None:
            count = min(5, len(self.classes))
        if not 1 <= count <= len(self.classes):
            raise ConfigError(f"top takes 1 to {len(self.classes)} classes, got {count}")
        order = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :count]
        return [
            [(self.classes[label], float(row[label])) for label in labels]
            for row, labels in zip(self.probabilities, order, strict=True)
        ]
