"""How several networks vote, and which of them should; pure functions on probabilities."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autodl.trained.test_result import gain_interval

Vote: TypeAlias = Literal["soft", "hard", "weighted"]


class Outcome(NamedTuple):
    """Probabilities ``[N, classes]``, and the share of votes for the likeliest class, ``[N]``."""

    probabilities: NDArray[np.float64]
    agreement: NDArray[np.float64]


def soft_vote(chances: NDArray[np.float64], weights: NDArray[np.float64]) -> Outcome:
    """The weighted mean of the members' probabilities.

    Args:
        chances: ``[members, N, classes]``.
        weights: ``[members]``, not negative, with a positive sum.
    """
    mean = np.tensordot(weights / weights.sum(), chances, axes=1)
    return Outcome(mean, _agreement(chances, weights, mean))


def hard_vote(chances: NDArray[np.float64], weights: NDArray[np.float64]) -> Outcome:
    """Every member has its votes for its likeliest class; the probabilities are shares of votes.

    A tie goes to the class with the higher mean probability: a share that is too small to change
    any other outcome is given by it.
    """
    shares = weights / weights.sum()
    classes = chances.shape[2]
    votes = np.tensordot(shares, np.eye(classes)[chances.argmax(axis=2)], axes=1)
    mixed = (1 - _TIE) * votes + _TIE * np.tensordot(shares, chances, axes=1)
    return Outcome(mixed, _agreement(chances, weights, mixed))


_TIE = 1e-9


def _agreement(
    chances: NDArray[np.float64], weights: NDArray[np.float64], outcome: NDArray[np.float64]
) -> NDArray[np.float64]:
    agreed: NDArray[np.bool_] = chances.argmax(axis=2) == outcome.argmax(axis=1)
    # exact for counts of votes: where all agree it is 1 to the last bit
    share: NDArray[np.float64] = weights @ agreed / weights.sum()
    return share


def select_greedily(
    chances: NDArray[np.float64], labels: NDArray[np.int64], rounds: int = 20
) -> NDArray[np.int64]:
    """How often each member should be in the mean (Caruana et al., ICML 2004, with replacement).

    From nobody, each round adds the member with which the mean's accuracy is highest (of equal
    ones, the lowest log-loss; of these, the first). The best round counts, the earliest of equal
    ones.

    Args:
        chances: ``[members, N, classes]`` on held-out pictures.
        labels: ``[N]``.

    Returns:
        Counts ``[members]``, with a sum between 1 and ``rounds``.
    """
    members, count, _ = chances.shape
    rows = np.arange(count)
    total = np.zeros(chances.shape[1:])
    counts = np.zeros(members, np.int64)
    best_quality, best = (-1.0, 0.0), counts
    for size in range(1, rounds + 1):
        candidates = (total + chances) / size
        right = (candidates.argmax(axis=2) == labels).mean(axis=1)
        likely = np.log(np.maximum(candidates[:, rows, labels], 1e-300)).mean(axis=1)
        chosen = max(range(members), key=lambda member: (right[member], likely[member]))
        counts = counts + (np.arange(members) == chosen)
        total = total + chances[chosen]
        quality = (float(right[chosen]), float(likely[chosen]))
        if quality > best_quality:
            best_quality, best = quality, counts
    return best


class Choice(NamedTuple):
    """Votes ``[members]``, and accuracies on pictures that the votes were not chosen on.

    ``selected`` is that of greedy selection, ``mean`` that of one vote for each, and ``interval``
    has the bounds of their difference (95 %, ``gain_interval``).
    """

    counts: NDArray[np.int64]
    selected: float
    mean: float
    interval: tuple[float, float]


def choose_votes(
    chances: NDArray[np.float64], labels: NDArray[np.int64], *, folds: int = 5, seed: int = 0
) -> Choice:
    """The votes of greedy selection where they do better than one for each, else one for each.

    Votes are always good on the pictures that chose them, so the two are compared by
    cross-validation: selection on all folds but one, accuracy on that one. At a tie, and of one
    picture, there is one vote for each.

    Args:
        chances: ``[members, N, classes]`` on held-out pictures.
        labels: ``[N]``.
        folds: at most; never more than pictures.
        seed: draws the folds.
    """
    count, equal = len(labels), np.ones(len(chances), np.int64)
    by_mean = np.tensordot(equal, chances, axes=1).argmax(axis=1) == labels
    if count < 2:
        alone = float(by_mean.mean())
        return Choice(equal, alone, alone, gain_interval(by_mean, by_mean))
    by_votes = np.zeros(count, np.bool_)
    order = np.random.default_rng(seed).permutation(count)
    for left_out in np.array_split(order, min(folds, count)):
        others = np.setdiff1d(order, left_out)
        counts = select_greedily(chances[:, others], labels[others])
        mixed = np.tensordot(counts, chances[:, left_out], axes=1)
        by_votes[left_out] = mixed.argmax(axis=1) == labels[left_out]
    selected, mean = float(by_votes.mean()), float(by_mean.mean())
    counts = select_greedily(chances, labels) if selected > mean else equal
    return Choice(counts, selected, mean, gain_interval(by_votes, by_mean))
