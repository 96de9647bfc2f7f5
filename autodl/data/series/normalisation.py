"""Series brought to mean 0 and deviation 1, channel by channel, as the training part has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autodl.errors import DataError


@dataclass(frozen=True, slots=True)
class ChannelScale:
    """Mean and standard deviation of each channel.

    Raises:
        DataError: unequal numbers of them, one that is not finite, or a deviation that is not
            positive.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        values = (*self.mean, *self.std)
        if not self.mean or len(self.mean) != len(self.std) or not np.isfinite(values).all():
            raise DataError(f"a mean and a deviation for each channel, got {self.mean}, {self.std}")
        if min(self.std) <= 0:
            raise DataError(f"deviations must be positive, got {min(self.std)}")

    @classmethod
    def of(cls, values: NDArray[np.floating]) -> ChannelScale:
        """Statistics over all but the middle axis of ``[N, channels, length]``: training alone.

        A channel that never changes keeps its values, less their mean: its deviation counts as 1.
        """
        wide = values.astype(np.float64)
        mean, std = wide.mean(axis=(0, 2)), wide.std(axis=(0, 2))
        # rounding leaves a constant about 1e-16 of its size
        still = std <= 1e-12 * np.maximum(np.abs(mean), 1e-300)
        return cls(tuple(mean.tolist()), tuple(np.where(still, 1.0, std).tolist()))

    def normalise(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """``(value - mean) / std``: ``[..., channels, length]`` to float32 of that shape."""
        mean, std = (np.asarray(numbers)[:, None] for numbers in (self.mean, self.std))
        scaled: NDArray[np.float32] = ((values - mean) / std).astype(np.float32)
        return scaled

    def channels(self, positions: Sequence[int]) -> ChannelScale:
        """That of some channels."""
        mean = tuple(self.mean[i] for i in positions)
        return ChannelScale(mean, tuple(self.std[i] for i in positions))
