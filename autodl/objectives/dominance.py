"""Several objectives at once: who dominates whom, the front, ranks and crowding.

Values are float ``[N, M]``, one row for each trial and one column for each objective, higher
being better in every column (negate what should be small). NaN is worse than everything.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

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

    Non-dominated sorting as in NSGA-II (Deb et al., IEEE TEC 2002, section III-A), in
    O(N log(N) ** 2) steps for up to three objectives, else O(N ** 2), vectorised.
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
    rows, place = np.unique(values, axis=0, return_inverse=True)
    rows = rows[::-1]  # each can only be dominated by those before it
    unique = _staircases(rows) if rows.shape[1] <= 3 else _one_by_one(rows)
    return unique[len(rows) - 1 - place.reshape(-1)]


def _staircases(rows: Values) -> NDArray[np.int64]:
    """Ranks of distinct rows of up to three objectives, the last ones of a lexical order first.

    Of each front so far the second and third objectives are kept as a staircase: one rises, the
    other falls. A row belongs below the last front whose staircase it is under.
    Source: Jensen, IEEE TEC 2003; the search over fronts: Zhang et al., IEEE TEC 2015.
    """
    second = rows[:, 1].tolist() if rows.shape[1] > 1 else [0.0] * len(rows)
    third = rows[:, 2].tolist() if rows.shape[1] > 2 else [0.0] * len(rows)
    result = np.empty(len(rows), np.int64)
    stairs: list[tuple[list[float], list[float]]] = []
    for place, (y, z) in enumerate(zip(second, third, strict=True)):
        low, high = 0, len(stairs)
        while low < high:
            middle = (low + high) // 2
            ys, zs = stairs[middle]
            step = bisect_left(ys, y)
            if step < len(ys) and zs[step] >= z:
                low = middle + 1
            else:
                high = middle
        result[place] = low
        if low == len(stairs):
            stairs.append(([], []))
        ys, zs = stairs[low]
        end = bisect_right(ys, y)
        start = end
        while start and zs[start - 1] <= z:
            start -= 1
        ys[start:end], zs[start:end] = [y], [z]
    return result


def _one_by_one(rows: Values) -> NDArray[np.int64]:
    """The same for any number of objectives."""
    columns, result = np.ascontiguousarray(rows.T), np.empty(len(rows), np.int64)
    for place in range(len(rows)):
        above = np.logical_and.reduce(columns[:, :place] >= columns[:, place, None], axis=0)
        result[place] = result[:place][above].max(initial=-1) + 1
    return result


def dominators(values: Values) -> NDArray[np.int64]:
    """By how many others every row is dominated; int64 ``[N]``.

    In O(N log N) comparisons for up to two objectives, else O(N ** 2), vectorised.
    """
    rows, place, counts = np.unique(_clean(values), axis=0, return_inverse=True, return_counts=True)
    found = np.empty(len(rows), np.int64)
    if rows.shape[1] <= 2:
        before: list[float] = []  # the last objective of rows that are above in the first
        for row in range(len(rows) - 1, -1, -1):
            last = -float(rows[row, -1])
            found[row] = end = bisect_right(before, last)
            before[end:end] = [last] * int(counts[row])
    else:
        columns = np.ascontiguousarray(rows.T)
        for row in range(len(rows)):
            above = np.logical_and.reduce(columns[:, row:] >= columns[:, row, None], axis=0)
            found[row] = counts[row:][above].sum() - counts[row]
    return found[place.reshape(-1)]


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
        with np.errstate(invalid="ignore"):  # both ends infinite: no spread
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
    grouped = np.argsort(by_rank, kind="stable")
    for members in np.split(grouped, np.cumsum(np.bincount(by_rank))[:-1]):
        distance[members] = crowding(values[members])
    order: NDArray[np.int64] = np.lexsort((np.arange(len(values)), -distance, by_rank))
    return order


def hypervolume(values: Values, reference: Values) -> float:
    """Area or volume dominated by rows of two or three objectives and above ``reference``.

    0 for no rows. Of three, the volume is summed over slices of the third, in O(N ** 2 log N).

    Args:
        reference: float ``[M]``.

    Raises:
        ValueError: neither two objectives nor three.
    """
    values = _clean(values)
    if values.shape[1] not in (2, 3):
        raise ValueError(f"the hypervolume is for 2 or 3 objectives, got {values.shape[1]}")
    kept = values[(values > reference).all(axis=1)]
    if values.shape[1] == 2:
        return _area(kept, reference)
    levels = np.unique(kept[:, 2])[::-1]
    depths = levels - np.append(levels[1:], reference[2])
    slices = (_area(kept[kept[:, 2] >= level, :2], reference[:2]) for level in levels)
    return float(sum(area * depth for area, depth in zip(slices, depths, strict=True)))


def _area(kept: Values, reference: Values) -> float:
    """What two-objective rows above ``reference`` dominate."""
    kept = kept[np.argsort(-kept[:, 0], kind="stable")]
    height = np.maximum.accumulate(kept[:, 1]) if len(kept) else kept[:, 1]
    lower = np.concatenate([[reference[1]], height[:-1]]) if len(kept) else height
    return float(((kept[:, 0] - reference[0]) * (height - lower)).sum())


def _clean(values: Values) -> Values:
    values = np.asarray(values, np.float64)
    return np.where(np.isnan(values), -np.inf, values)
