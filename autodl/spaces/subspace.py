"""A part of a space: what is left of it when some values of some decisions are taken away."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Generic

import numpy as np

from autodl.errors import ConfigError
from autodl.spaces.rows import check_row, random_row
from autodl.spaces.space import Arch, Coded, Integers, Labelled

Values = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Subspace(Generic[Arch]):
    """A coded space with fewer values of its decisions; a row has positions among those left.

    Args:
        whole: the space.
        values: of each decision those that are left, rising, one at least.

    Raises:
        ConfigError: another number of decisions, or a decision without a value, or with an unknown
            one or one out of order.
    """

    whole: Coded[Arch]
    values: Values

    def __post_init__(self) -> None:
        sizes = self.whole.sizes
        if len(self.values) != len(sizes):
            raise ConfigError(
                f"what is left has {len(self.values)} decisions, and {type(self.whole).__name__}"
                f" {len(sizes)}"
            )
        for place, (left, size) in enumerate(zip(self.values, sizes, strict=True)):
            known = [value for value in range(size) if value in left]
            if not left or list(left) != known:
                raise ConfigError(
                    f"what is left of decision {place} must be some of 0 to {size - 1}, rising;"
                    f" got {', '.join(map(str, left)) or 'none'}"
                )

    @classmethod
    def all_of(cls, whole: Coded[Arch]) -> Subspace[Arch]:
        """The space with all its values."""
        return cls(whole, tuple(tuple(range(size)) for size in whole.sizes))

    @property
    def kind(self) -> str:
        """That of the whole."""
        return self.whole.kind

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of values that are left of each decision."""
        return tuple(map(len, self.values))

    @property
    def labels(self) -> tuple[str, ...]:
        """Those of the whole; numbers where it has none."""
        if isinstance(self.whole, Labelled):
            return self.whole.labels
        return tuple(f"decision {place}" for place in range(len(self.sizes)))

    @cached_property
    def _padded(self) -> Integers:
        widest = max(self.sizes, default=0)
        rows = [(*left, *(left[-1:] * (widest - len(left)))) for left in self.values]
        return np.array(rows, np.int64).reshape(len(rows), widest)

    def in_whole(self, rows: Integers) -> Integers:
        """Rows ``[..., decisions]`` of this space as those of the whole."""
        found: Integers = self._padded[np.arange(len(self.sizes)), rows]
        return found

    def decode(self, row: Integers) -> Arch:
        """The architecture of a row: int ``[decisions]``.

        Raises:
            EncodingError: another number of decisions, no integers, or one out of range.
        """
        return self.whole.decode(self.in_whole(check_row(row, self.sizes)))

    def encode(self, architecture: Arch) -> Integers:
        """The inverse of ``decode``, int64 ``[decisions]``.

        Raises:
            ConfigError: the architecture is not of this space.
        """
        row = self.whole.encode(architecture)
        for place, (value, left) in enumerate(zip(row.tolist(), self.values, strict=True)):
            if value not in left:
                raise ConfigError(
                    f"the architecture has a value of {self.labels[place]} that is no longer in"
                    f" the space, which was shrunk; {len(left)} of {self.whole.sizes[place]} are"
                )
            row[place] = left.index(value)
        return row

    def check(self, architecture: object) -> Arch:
        """Return the architecture if it is of this space, else raise ConfigError."""
        checked = self.whole.check(architecture)
        self.encode(checked)
        return checked

    def sample(self, rng: np.random.Generator) -> Arch:
        """An architecture with every decision uniform and independent."""
        return self.decode(random_row(self.sizes, rng))
