"""Several objectives at once: who dominates whom, the front, ranks and crowding.

Values are float ``[N, M]``, one row for each trial and one column for each objective, higher
being better in every column (negate what should be small). NaN is worse than everything.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
_FEW = 256


def front(values: Values) -> NDArray[np.int64]:
    """Positions of the rows that no other row dominates, in ascending order; int64.

    A row dominates another that it is nowhere below and somewhere above. Equal rows do not
    dominate each other, so all of them are in the front. Empty for no rows.
    """
    values = _clean(values)
    # later rows in this order cannot dominate earlier ones, so one pass against the front is enough
    order = np.lexsort(values.T[::-1])[::-1]
    kept = np.empty((0, values.shape[1]))
    members: list[int] = []
    for position in order:
        row = values[position]
        dominated = ((kept >= row).all(axis=1) & (kept > row).any(axis=1)).any()
        if not dominated:
            kept = np.vstack([kept, row])
            members.append(int(position))
    return np.array(sorted(members), np.int64)


def ranks(values: Values) -> NDArray[np.int64]:
    """0 for rows of the front, 1 for the front of the rest, and so on; int64 ``[N]``.

    Non-dominated sorting as in NSGA-II (Deb et al., IEEE TEC 2002, section III-A).
    """
    values = _clean(values)
    result = np.zeros(len(values), np.int64)
    if len(values) <= _FEW:  # as in tournaments: all pairs at once are ten times as fast
        at_least: NDArray[np.bool_] = np.all(values[:, None] >= values, axis=2)
        dominates = at_least & ~at_least.T
        waiting, rank = np.ones(len(values), bool), 0
        while waiting.any():
            best = waiting & ~dominates[waiting].any(axis=0)
            result[best] = rank
            waiting &= ~best
            rank += 1
        return result
    left = np.arange(len(values))
    rank = 0
    while len(left):
        best = front(values[left])
        result[left[best]] = rank
        left = np.delete(left, best)
        rank += 1
    return result


def crowding(values: Values) -> Values:
    """Crowding distance of every row among rows of one rank, float64 ``[N]``.

    Infinite for the extreme rows of an objective, else the sum over objectives of the distance
    between the two neighbours over the objective's range. An objective that is equal for all
    adds nothing. Source: Deb et al., IEEE TEC 2002, section III-B.
    """
    values = _clean(values)
    distance = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]] if len(order) else 0.0
        if not spread > 0:
            continue
        distance[order[[0, -1]]] = np.inf
        if np.isfinite(spread):
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
    return distance


def preference(values: Values) -> NDArray[np.int64]:
    """Positions from the best row to the worst: by rank, then crowding, then position."""
    values = _clean(values)
    by_rank = ranks(values)
    distance = np.zeros(len(values))
    for rank in np.unique(by_rank):
        members = np.flatnonzero(by_rank == rank)
        distance[members] = crowding(values[members])
    order: NDArray[np.int64] = np.lexsort((np.arange(len(values)), -distance, by_rank))
    return order


def hypervolume(values: Values, reference: Values) -> float:
    """Area dominated by two-objective rows and above ``reference`` ``[2]``; 0 for no rows.

    Raises:
        ValueError: not two objectives.
    """
    values = _clean(values)
    if values.shape[1] != 2:
        raise ValueError(f"the hypervolume is for two objectives, got {values.shape[1]}")
    kept = values[(values > reference).all(axis=1)]
    kept = kept[np.argsort(-kept[:, 0], kind="stable")]
    height = np.maximum.accumulate(kept[:, 1]) if len(kept) else kept[:, 1]
    lower = np.concatenate([[reference[1]], height[:-1]]) if len(kept) else height
    return float(((kept[:, 0] - reference[0]) * (height - lower)).sum())


def _clean(values: Values) -> Values:
    values = np.asarray(values, np.float64)
    return np.where(np.isnan(values), -np.inf, values)
