"""Ranking architectures by scores that need no training, so that the better ones are trained.

Source: Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021, section 4: a search
that is warmed up by a pool, and moves where the scores are high.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from autodl.trial import Architecture

Scores = Mapping[str, float]
Ranks = NDArray[np.float64]


def mean_ranks(scores: NDArray[np.float64]) -> Ranks:
    """The mean over scores of the rank in each, 1 the best: ``[n, scores]`` to ``[n]``.

    Equal scores share the mean of their ranks; minus infinity is the lowest, NaN is not allowed.
    """
    from scipy.stats import rankdata  # not needed to start a tool

    found: Ranks = rankdata(-scores, axis=0).mean(axis=1)
    return found


def rank_among(scores: NDArray[np.float64], pool: NDArray[np.float64]) -> float:
    """The mean rank of one more architecture among a pool.

    Args:
        scores: its own, ``[scores]``.
        pool: theirs, ``[n, scores]``.

    Returns:
        From 0.5 where it is better than all in every score, to n + 0.5; among equal ones it is in
        their middle. A member of the pool without equals has the rank that ``mean_ranks`` gives.
    """
    return float((0.5 + (pool > scores).sum(axis=0) + 0.5 * (pool == scores).sum(axis=0)).mean())


class Screen:
    """A pool with its scores, and what is to be tried of it and of all that is proposed later."""

    def __init__(
        self,
        score: Callable[[Architecture], Scores],
        pool: Sequence[tuple[Architecture, Scores]],
        keep: int,
    ) -> None:
        """Rank the pool.

        Args:
            score: tells an architecture's scores, the names of the pool's.
            pool: architectures with their scores, at least one; of equal ranks the earlier is
                better.
            keep: how many of them are to be tried first; fewer if there are no more.
        """
        self._score = score
        self._names = tuple(pool[0][1])
        self._pool = np.array([self._row(scores) for _, scores in pool])
        ranks = mean_ranks(self._pool)
        order = np.argsort(ranks, kind="stable")[:keep]
        self.first = [pool[place][0] for place in order]
        self.patience = max(len(pool) // keep, 1) - 1
        """How many proposals in the place of one may be passed over."""
        self._worst = float(ranks[order[-1]])

    def passes(self, architecture: Architecture) -> bool:
        """Whether its mean rank among the pool is as good as the last one's of those kept."""
        rank = rank_among(self._row(self._score(architecture)), self._pool)
        return rank <= self._worst

    def _row(self, scores: Scores) -> NDArray[np.float64]:
        return np.array([scores[name] for name in self._names], np.float64)
