"""The levels that a layer's weights may take, and from a posterior to how many there are."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autodl.compression.errors import CompressionError

FloatArray = NDArray[np.float32]
MOST_BITS = 16


def bits_of(levels: int) -> int:
    """Bits that tell ``levels`` apart: 0 for one, 1 for two, 2 for three and four."""
    return ceil(log2(levels))


def carrying(weights: NDArray[np.float64], mass: float) -> int:
    """Size of the smallest set of components with at least ``mass`` of the weights."""
    reached = np.cumsum(np.sort(weights)[::-1])
    return min(int(np.searchsorted(reached, mass)) + 1, len(weights))


@dataclass(frozen=True, slots=True)
class Progression:
    """Grid points ``start, start + interval, ...``: ``2^bits`` of them."""

    start: int
    interval: int
    bits: int


def shortest_progression(
    weights: NDArray[np.float64], mass: float, least_bits: int = 1
) -> Progression:
    """The fewest bits whose best arithmetic progression of grid points has more than ``mass``.

    Of equally heavy progressions the one of the smallest interval, then start, is taken. If none
    of fewer bits is heavy enough, all points are: of ``T`` that is a power of two, ``log2 T`` bits.

    Args:
        weights: of the grid's points from left to right, ``[T]``.
        least_bits: to begin with, at least 1.
    """
    points = len(weights)
    for bits in range(least_bits, bits_of(points) + 1):
        count = 2**bits
        best, found = mass, None
        for interval in range(1, (points - 1) // (count - 1) + 1):
            for start in range(points - (count - 1) * interval):
                carried = weights[start : start + (count - 1) * interval + 1 : interval].sum()
                if carried > best + 1e-12:  # rounding is no reason to prefer one
                    best, found = carried, Progression(start, interval, bits)
        if found is not None:
            return found
    return Progression(0, 1, bits_of(points))


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """``2^bits`` numbers, float32, ascending (the last may repeat).

    With ``grid`` (offset and step, float32) they are ``offset + step * [0, 1, ...]``, and stored
    as these two numbers.

    Raises:
        CompressionError: not ``2^bits`` finite ascending numbers, or bits not in 0..16.
    """

    bits: int
    values: FloatArray
    grid: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.bits <= MOST_BITS:
            raise CompressionError(f"bits per weight are 0 to {MOST_BITS}, got {self.bits}")
        if self.values.shape != (2**self.bits,):
            raise CompressionError(
                f"{self.bits} bits have {2**self.bits} levels, got {list(self.values.shape)}"
            )
        if not np.isfinite(self.values).all() or (np.diff(self.values) < 0).any():
            raise CompressionError("levels are finite numbers in ascending order")

    @classmethod
    def codebook(cls, values: ArrayLike, bits: int | None = None) -> Levels:
        """Any numbers, in any order; the largest is repeated until there are ``2^bits``."""
        ascending = np.sort(np.asarray(values, np.float32))
        bits = bits_of(len(ascending)) if bits is None else bits
        if not 0 <= bits <= MOST_BITS or len(ascending) > 2**bits:
            raise CompressionError(f"{len(ascending)} levels do not fit into {bits} bits (0 to 16)")
        return cls(bits, np.pad(ascending, (0, 2**bits - len(ascending)), mode="edge"))

    @classmethod
    def even(cls, offset: float, step: float, bits: int) -> Levels:
        """Evenly spaced: computed in float32, so that loading gives the same numbers."""
        if not 0 <= bits <= MOST_BITS:
            raise CompressionError(f"bits per weight are 0 to {MOST_BITS}, got {bits}")
        first, by = np.float32(offset), np.float32(step)
        values = first + by * np.arange(2**bits, dtype=np.float32)
        return cls(bits, values, (float(first), float(by)))

    @property
    def edges(self) -> FloatArray:
        """Midpoints between neighbours, float32 ``[2^bits - 1]``."""
        return (self.values[1:] + self.values[:-1]) * np.float32(0.5)

    def nearest(self, weights: FloatArray) -> NDArray[np.int64]:
        """Index of the nearest level of every weight; on a midpoint the lower one."""
        return np.searchsorted(self.edges, weights).astype(np.int64)

    def rounded(self, weights: FloatArray) -> FloatArray:
        """Every weight's nearest level, float32, of the same shape."""
        return self.values[self.nearest(weights)]

    def storage_bits(self, weights: int) -> int:
        """Bits that ``weights`` weights take with their levels: indices and float32 numbers."""
        return weights * self.bits + 32 * (2**self.bits if self.grid is None else 2)


def uniform_levels(weights: FloatArray, bits: int) -> Levels:
    """Evenly spaced levels from one end to the other of the weights within 3 deviations.

    This is the quantiser of the baselines: weights outside are clipped. A constant layer has one
    level, repeated.

    Raises:
        CompressionError: bits not in 1..16, or a weight is not finite.
    """
    if not 1 <= bits <= MOST_BITS:
        raise CompressionError(f"a uniform quantiser has 1 to {MOST_BITS} bits, got {bits}")
    if not np.isfinite(weights).all():
        raise CompressionError("some weights are not finite; train the network anew")
    mean, reach = float(weights.mean()), 3.0 * float(weights.std())
    low = max(float(weights.min()), mean - reach)
    high = min(float(weights.max()), mean + reach)
    return Levels.even(low, max(high - low, 0.0) / (2**bits - 1), bits)
