"""Rewards brought to the scale of a standard normal variable, as surrogates want them.

Accuracies of networks are far from normal: most lie close together, and some networks learn
nothing. On their own scale those few decide all that a model fits.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from autodl.strategies.surrogate.surrogate import Reals


def standardised(values: Reals) -> Reals:
    """``(values - mean) / deviation``, float64 ``[n]``; zeros where all are equal."""
    centred = values - values.mean() if len(values) else values
    deviation = centred.std() if len(values) else 0.0
    if not deviation > 1e-12 * np.abs(values).max(initial=0.0):
        return np.zeros(len(values))
    return np.asarray(centred / deviation, np.float64)


def normal_scores(values: Reals) -> Reals:
    """The normal quantile of each value's rank: what a normal sample would have in its place.

    Of equal values each has their mean rank; all equal gives zeros. Only the order counts, so
    neither outliers nor the scale matter. ``Phi^-1((rank - 1/2) / n)``, float64 ``[n]``.

    Source: van der Waerden scores; for surrogates Salinas, Shen, Perrone, A quantile-based
    approach for hyperparameter transfer learning, ICML 2020.
    """
    if not len(values):
        return np.zeros(0)
    return np.asarray(ndtri((rankdata(values) - 0.5) / len(values)), np.float64)
