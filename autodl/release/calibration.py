"""Probabilities that mean what they say: temperature scaling (Guo et al., ICML 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

_LIMITS = (np.log(0.05), np.log(20.0))  # of the logarithm of the temperature


def probabilities(logits: NDArray[np.float64], temperature: float = 1.0) -> NDArray[np.float64]:
    """``softmax(logits / temperature)`` over the last axis; see Guo et al., equation 9."""
    found: NDArray[np.float64] = softmax(logits / temperature, axis=-1)
    return found


def log_loss(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean of -log softmax(logits)[label]; logits ``[N, classes]``, labels ``[N]``, N >= 1."""
    return float(-log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The temperature, 0.05..20, at which the log-loss of these pictures is least.

    The loss is convex in its inverse, so a bounded search finds the only minimum. Labels do not
    change. Where no picture is wrong the loss falls without end as the temperature does, which
    tells nothing of how often others are wrong: then it does not go below 1.

    Args:
        logits: finite, ``[N, classes]``, N at least 1.
        labels: ``[N]``, each in ``[0, classes)``.
    """
    wrong = (logits.argmax(axis=1) != labels).any()
    found = minimize_scalar(
        lambda exponent: log_loss(logits / np.exp(exponent), labels),
        bounds=_LIMITS if wrong else (0.0, _LIMITS[1]),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


def calibration_error(
    chances: NDArray[np.float64], labels: NDArray[np.int64], bins: int = 15
) -> float:
    """Expected calibration error: mean of |accuracy - confidence| over equal bins of confidence.

    Bins are weighted by their pictures; an empty one counts nothing (Guo et al., equation 3).

    Args:
        chances: probabilities ``[N, classes]``, N at least 1.
    """
    confidence = chances.max(axis=1)
    right = chances.argmax(axis=1) == labels
    # bin k holds (k / bins, (k + 1) / bins]; a confidence is never 0
    which = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(which, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))
