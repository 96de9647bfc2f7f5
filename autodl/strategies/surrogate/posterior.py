"""Joint beliefs as a mean and a covariance, and draws from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cholesky

from autodl.spaces.space import Integers
from autodl.strategies.surrogate.surrogate import Reals

_JITTERS = (1e-8, 1e-6, 1e-4, 1e-2)


def stable_cholesky(matrix: Reals) -> Reals:
    """The lower Cholesky factor of a covariance that rounding may have left without one.

    A multiple of the mean variance is added to the diagonal, 1e-8 at first and up to 1e-2: equal
    or nearly equal rows make a covariance singular.

    Raises:
        LinAlgError: not even that helps; it is no covariance.
    """
    scale = float(np.trace(matrix)) / max(len(matrix), 1) or 1.0
    for jitter in _JITTERS:
        try:
            factor: Reals = cholesky(matrix + jitter * scale * np.eye(len(matrix)), lower=True)
        except LinAlgError:
            continue
        return factor
    raise LinAlgError(f"no covariance: not positive definite with a jitter of {_JITTERS[-1]}")


@dataclass(frozen=True)
class NormalPosterior:
    """A multivariate normal belief; see ``Posterior``.

    ``between`` gives the covariance of all rows with those at some positions.
    """

    mean: Reals
    variance: Reals
    between: Callable[[Integers], Reals]

    def covariance(self, columns: Integers) -> Reals:
        """Between all rows and those at these positions, float64 ``[N, len(columns)]``."""
        return self.between(columns)

    def draw(self, rng: np.random.Generator, count: int) -> Reals:
        """Joint draws, float64 ``[count, N]``, in O(N ** 3): draw for few rows."""
        factor = stable_cholesky(self.between(np.arange(len(self.mean))))
        return self.mean + rng.normal(size=(count, len(self.mean))) @ factor.T
