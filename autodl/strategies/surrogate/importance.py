"""Which decisions of a space mattered for the reward, by a forest that predicts it.

Reading a decision off trials one by one is misleading where decisions act together; a forest of
regression trees takes that up, and what it loses when it is told a wrong decision is what the
decision matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.spaces.space import Coded, Integers, Labelled
from autodl.strategies.surrogate.trees.forest import forest
from autodl.trial import Architecture

FEWEST = 30  # architectures that say something
_MOST = 1000
_FOLDS = 5
_REPEATS = 5


@dataclass(frozen=True, slots=True)
class Importance:
    """Decisions and what each matters, the largest first, and what is explained at all.

    See ``decision_importance`` for both.
    """

    decisions: tuple[tuple[str, float], ...]
    explained: float


def importance_in(
    space: Coded[Any], architectures: Sequence[Architecture], rewards: Sequence[float]
) -> Importance:
    """The importance of the decisions of a space, by name where it has names for them.

    Args:
        architectures: of complete trials.
        rewards: one for each.

    Raises:
        ConfigError: an architecture is not of the space.
        ValueError: fewer different ones than ``FEWEST``, or all rewards are equal.
        MissingPackageError: scikit-learn is not installed.
    """
    rows = np.array([space.encode(one) for one in architectures])
    found, explained = decision_importance(rows, rewards, space.sizes)
    names = (
        space.labels
        if isinstance(space, Labelled)
        else [f"decision {place}" for place in range(len(space.sizes))]
    )
    order = np.argsort(-found, kind="stable").tolist()
    decisions = tuple((names[place], float(found[place])) for place in order)
    return Importance(decisions, float(explained))


def decision_importance(
    rows: Integers, rewards: Sequence[float], sizes: Sequence[int]
) -> tuple[NDArray[np.float64], float]:
    """The importance of each decision, and how well rewards are predicted at all.

    In each of five folds a ``forest`` learns from the others; of the rewards in the fold, the
    importance of a decision is by how much the squared error grows when the decision is
    shuffled among the trials (permutation importance, Breiman, 2001), as a share of their
    variance, and at least 0. Shares do not add up to 1: what acts together is counted for each.
    The second number is the share of the variance that predictions explain (R squared, at most 1);
    near or below 0 the importances say nothing. Trials of equal decisions are in one fold, or
    results that are reused would be predicted by themselves. Of more than 1,000 trials the last are
    taken. The same trials give the same numbers.

    Args:
        rows: decisions of the trials, ``[trials, decisions]``.
        rewards: one for each trial, finite.
        sizes: number of values of each decision.

    Raises:
        ValueError: fewer different rows than ``FEWEST``, or all rewards are equal.
        MissingPackageError: scikit-learn is not installed.
    """
    table, values = np.asarray(rows, np.int64)[-_MOST:], np.asarray(rewards, np.float64)[-_MOST:]
    distinct, place_of = np.unique(table, axis=0, return_inverse=True)
    if len(distinct) < FEWEST or np.ptp(values) == 0:
        raise ValueError(
            f"importance needs {FEWEST} architectures of different rewards, got {len(distinct)}"
        )
    values = (values - values.mean()) / values.std()  # trees have thresholds of their own
    rng = np.random.default_rng(0)
    folds = (rng.permutation(len(distinct)) % _FOLDS)[place_of.reshape(-1)]
    total = len(values)  # the squared error of their mean
    losses, error = np.zeros(table.shape[1]), 0.0
    for fold in range(_FOLDS):
        held = folds == fold
        members = forest(one_hot(table[~held], sizes), values[~held])
        told, wanted = table[held], values[held]
        own = _error(members(one_hot(told, sizes)).mean(axis=0), wanted)
        error += own
        shuffled = []
        for place in range(table.shape[1]):
            for _ in range(_REPEATS):
                changed = told.copy()
                changed[:, place] = rng.permutation(told[:, place])
                shuffled.append(one_hot(changed, sizes))
        found = members(np.concatenate(shuffled)).mean(axis=0)
        found = found.reshape(len(losses), _REPEATS, -1)
        losses += ((found - wanted) ** 2).sum(axis=2).mean(axis=1) - own
    return np.maximum(losses / total, 0.0), 1.0 - error / total


def explanation(explained: float) -> str:
    """How much a forest explains, in words; where that is nothing, what it means."""
    if explained <= 0:
        return "a forest predicts rewards no better than their mean does: this says nothing"
    return f"a forest explains {explained:.0%} of the variance of rewards"


def _error(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    return float(((found - wanted) ** 2).sum())


def one_hot(rows: Integers, sizes: Sequence[int]) -> NDArray[np.float64]:
    """A column for every value of every decision: float64 ``[trials, sum(sizes)]``."""
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    found = np.zeros((len(rows), int(sum(sizes))))
    np.put_along_axis(found, rows + starts, 1.0, axis=1)
    return found
