"""Rows of decisions as sequences of tokens, and how well scores order them; pure NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autodl.spaces.space import Integers

START = 0


class Vocabulary:
    """Token 0 begins a sequence; decisions of equal size share their tokens.

    ``allowed`` is which tokens stand at each position, bool ``[decisions, tokens]``.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        first, offsets = 1, dict[int, int]()
        for size in sorted(set(sizes)):
            offsets[size] = first
            first += size
        self.tokens = first
        self.offsets: Integers = np.array([offsets[size] for size in sizes], np.int64)
        place = np.arange(first) - self.offsets[:, None]
        self.allowed: NDArray[np.bool_] = (place >= 0) & (place < np.asarray(sizes)[:, None])

    def encode(self, rows: Integers) -> Integers:
        """Tokens ``[B, decisions]`` of rows ``[B, decisions]``."""
        tokens: Integers = rows + self.offsets
        return tokens

    def decode(self, tokens: Integers) -> Integers:
        """The inverse of ``encode``."""
        rows: Integers = tokens - self.offsets
        return rows


def scaled(rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rewards ``[n]`` brought to 0 ... 1 by their least and largest; 0.5 if all are equal."""
    least, largest = rewards.min(), rewards.max()
    if least == largest:
        return np.full(len(rewards), 0.5)
    between: NDArray[np.float64] = (rewards - least) / (largest - least)
    return between


def pairwise_accuracy(scores: NDArray[np.float64], rewards: NDArray[np.float64]) -> float:
    """Share of pairs that scores ``[n]`` order as rewards ``[n]`` do, a tie counting as ``>=``.

    1 for the same order, 0 for the reverse one; ``(Kendall's tau + 1) / 2`` without ties; NaN of
    fewer than two. Source: NAO (Luo et al., 2018), the authors' measure of their predictor.
    """
    first, second = np.triu_indices(len(scores), 1)
    if not len(first):
        return float("nan")
    agree = (scores[first] >= scores[second]) == (rewards[first] >= rewards[second])
    return float(agree.mean())
