"""What every coded space offers through its rows, unless it has something better of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, cast

import numpy as np

from autodl.errors import ConfigError, EncodingError
from autodl.spaces.space import Coded, Integers, Listed, Sampled, Varied, canonical_form
from autodl.system.roles import missing, require

MOST_LISTED = 1_000_000


def check_row(row: Integers | Sequence[int], sizes: Sequence[int]) -> Integers:
    """The row as int64 ``[len(sizes)]``, a copy.

    Raises:
        EncodingError: another number of decisions, no integers, or one out of range.
    """
    array = np.asarray(row)
    if array.shape != (len(sizes),) or (array.size and array.dtype.kind not in "iu"):
        raise EncodingError(
            f"this space has rows of {len(sizes)} integers, got {array.dtype} of shape"
            f" {list(array.shape)}"
        )
    outside = (array < 0) | (array >= _limits(tuple(sizes)))
    if outside.any():
        place = int(outside.argmax())
        raise EncodingError(
            f"decision {place} goes from 0 to {sizes[place] - 1}, got {int(array[place])}"
        )
    return array.astype(np.int64)


@lru_cache
def _limits(sizes: tuple[int, ...]) -> Integers:
    return np.array(sizes, np.int64)


def check_choices(key: str, chosen: Sequence[str], known: Sequence[str]) -> None:
    """Refuse names to choose from that are none of the known ones, or nothing to choose from.

    Args:
        key: of the config, for the message.

    Raises:
        ConfigError: none, an unknown name, or one twice.
    """
    if not chosen or len(set(chosen)) < len(chosen) or not {*chosen} <= {*known}:
        raise ConfigError(
            f"{key} must be some of {', '.join(known)}, each once;"
            f" got {', '.join(map(str, chosen)) or 'none'}"
        )


def random_row(sizes: Sequence[int], rng: np.random.Generator) -> Integers:
    """A row with every decision uniform and independent, int64 ``[len(sizes)]``."""
    return rng.integers(np.asarray(sizes, np.int64))


def changed_row(row: Integers, sizes: Sequence[int], rng: np.random.Generator) -> Integers:
    """The row with one decision changed: which one, and its new value, are uniform.

    Raises:
        ConfigError: no decision has a second value.
    """
    open_ = np.flatnonzero(np.asarray(sizes) > 1)
    if not len(open_):
        raise ConfigError("a space of one architecture has nothing to mutate; widen Space")
    place, changed = rng.choice(open_), row.copy()
    changed[place] = (row[place] + rng.integers(1, sizes[place])) % sizes[place]
    return changed


def sampler(space: Any, who: str) -> Callable[[np.random.Generator], Any]:
    """How to draw an architecture.

    Args:
        who: needs it, for the message.

    Raises:
        ConfigError: the space cannot be drawn from.
    """
    require(space, Sampled, f"{who} draws from its space")
    return cast(Sampled[Any], space).sample


def variation(space: Any, who: str) -> Callable[[Any, np.random.Generator], Any]:
    """How to vary an architecture: as the space does, or by a decision of its row.

    Raises:
        ConfigError: it does neither, or there is but one architecture: said here, at the start,
            and not at the first mutation.
    """
    if isinstance(space, Coded) and max(space.sizes, default=1) < 2:
        raise ConfigError(
            f"{who} has nothing to vary in a space of one architecture; widen Space, or choose"
            " another Strategy"
        )
    if isinstance(space, Varied):
        return space.mutate
    coded = as_coded(space, who, or_else="mutate")

    def mutate(architecture: Any, rng: np.random.Generator) -> Any:
        return coded.decode(changed_row(coded.encode(architecture), coded.sizes, rng))

    return mutate


def listing(space: Any, who: str) -> Iterator[Any]:
    """Every architecture once: as the space lists them, or row by row, the last decision first.

    Of architectures with one canonical form, the first stands for all.

    Raises:
        ConfigError: the space does neither, or has more than ``MOST_LISTED`` rows.
    """
    if isinstance(space, Listed):
        return space.architectures()
    coded: Coded[Any] = as_coded(space, who, or_else="architectures")
    rows = prod(coded.sizes)
    if rows > MOST_LISTED:
        raise ConfigError(
            f"{type(space).__name__} is too large to list: it has {rows:.3g} rows, and at most"
            f" {MOST_LISTED:,} are gone through; choose another Strategy or a smaller Space"
        )
    canonical, seen = canonical_form(space), set[Any]()

    def every() -> Iterator[Any]:
        for row in product(*map(range, coded.sizes)):
            architecture = coded.decode(np.array(row, np.int64))
            if (form := canonical(architecture)) not in seen:
                seen.add(form)
                yield architecture

    return every()


def as_coded(space: Any, who: str, or_else: str = "") -> Coded[Any]:
    """The space, if its architectures are rows of decisions.

    Args:
        who: needs it, for the message.
        or_else: a method that would do as well.

    Raises:
        ConfigError: it lacks what ``Coded`` asks for; the message names what.
    """
    if isinstance(space, Coded):
        return space
    other = f", or {or_else!r}" if or_else else ""
    raise ConfigError(
        f"{who} needs a space of rows (autodl.spaces.space.Coded{other}), and"
        f" {type(space).__name__} lacks {', '.join(missing(space, Coded))}"
    )
