"""One seeded rule that cuts a training part into pictures to train on and pictures to score on.

Every class has a fixed seeded order of its pictures. Held-out pictures come from the front
of that order, training pictures from behind its *reserve*: the first 5 % of the class, or
the held-out ones where those are more. On CIFAR-10 the reserve is 2,500 pictures, and the
other 47,500 are all that anything ever trains on, however few pictures are held out.

Shares of uneven classes follow Webster's divisor method, not the largest remainder: that
one can give a class *less* when the total grows (the Alabama paradox), and then a smaller
training set would not be a subset of a larger one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autodl.errors import DataError

SPLIT_SEED = 2018
RESERVE_DIVISOR = 20  # the reserve is one picture in 20 (5 %), rounded up

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Positions in the training part: sorted, int64, and never in both arrays."""

    train: Indices
    held_out: Indices

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) over both index arrays; equal sums mean the same split."""
        digest = hashlib.sha256()
        for indices in (self.train, self.held_out):
            digest.update(len(indices).to_bytes(8, "little"))
            digest.update(np.ascontiguousarray(indices, dtype="<i8").data)
        return digest.hexdigest()


def class_order(
    labels: NDArray[np.int64], seed: int = SPLIT_SEED, class_ids: Sequence[int] | None = None
) -> tuple[Indices, ...]:
    """For each class the seeded order of its pictures, as positions in ``labels``.

    Args:
        labels: int64 ``[N]``, each in ``[0, classes)``.
        seed: class ``k`` is shuffled by ``default_rng((seed, class_ids[k]))``.
        class_ids: what the classes were numbered before some were selected, so that a
            selection keeps the order (and thus the reserve) of the whole; default 0, 1, ...

    Returns:
        One int64 array per class; empty for a number that no label has.
    """
    count = int(labels.max(initial=-1)) + 1
    ids = range(count) if class_ids is None else class_ids
    if len(ids) < count:
        raise DataError(f"label {count - 1} is there, but class ids for {len(ids)} classes only")
    return tuple(
        np.random.default_rng((seed, class_id)).permutation(np.flatnonzero(labels == number))
        for number, class_id in enumerate(ids)
    )


def split(
    labels: NDArray[np.int64],
    held_out: int,
    train: int | None = None,
    seed: int = SPLIT_SEED,
    class_ids: Sequence[int] | None = None,
) -> Split:
    """Cut into ``held_out`` pictures to score on and at most ``train`` to train on.

    Both parts are stratified and have at least one picture of every class. With the same
    ``held_out``, a smaller ``train`` gives a subset of a larger one.

    Args:
        labels: int64 ``[N]``, each class with at least 2 pictures.
        held_out: number of pictures to hold out.
        train: limit on the training pictures; None takes all behind the reserve.
        seed: see ``class_order``.
        class_ids: see ``class_order``.

    Raises:
        DataError: a number is out of range (the message has the largest possible), or a
            class has too few pictures.
    """
    order = class_order(labels, seed, class_ids)
    _require_pictures(order, at_least=2)
    sizes = [len(members) for members in order]
    held = shares(sizes, held_out, [size - 1 for size in sizes], "held-out pictures")
    pools = _behind_reserve(order, held)
    room = [len(pool) for pool in pools]
    wanted = sum(room) if train is None else train
    taken = shares(room, wanted, room, f"training pictures beside {held_out:,} held-out ones")
    return _gather(order, held, pools, taken)


def split_per_class(
    labels: NDArray[np.int64],
    held_out: int,
    train: int,
    seed: int = SPLIT_SEED,
    class_ids: Sequence[int] | None = None,
) -> Split:
    """As ``split``, but the numbers are pictures of *every* class, however large it is.

    Raises:
        DataError: a number is below 1, or the smallest class has too few pictures.
    """
    if held_out < 1 or train < 1:
        raise DataError(
            f"every class needs at least 1 picture in both parts, got {train} and {held_out}"
        )
    order = class_order(labels, seed, class_ids)
    smallest = min(len(members) for members in order)
    if held_out >= smallest:
        raise DataError(
            f"cannot hold out {held_out:,} pictures of every class: the smallest class has "
            f"{smallest:,}; the largest possible is {max(smallest - 1, 0):,}"
        )
    pools = _behind_reserve(order, [held_out] * len(order))
    if train > (largest := min(len(pool) for pool in pools)):
        raise DataError(
            f"cannot train on {train:,} pictures of every class beside {held_out:,} held-out "
            f"ones; the largest possible is {largest:,}"
        )
    return _gather(order, [held_out] * len(order), pools, [train] * len(order))


def reserve(
    labels: NDArray[np.int64], seed: int = SPLIT_SEED, class_ids: Sequence[int] | None = None
) -> Split:
    """The reserve rule itself: 5 % of every class held out, all the rest to train on.

    On CIFAR-10 47,500 and 2,500 pictures.

    Raises:
        DataError: a class has fewer than 2 pictures.
    """
    order = class_order(labels, seed, class_ids)
    _require_pictures(order, at_least=2)
    held = [reserve_size(len(members)) for members in order]
    pools = _behind_reserve(order, held)
    return _gather(order, held, pools, [len(pool) for pool in pools])


def reserve_size(members: int) -> int:
    """How many of a class's ``members`` are never trained on: 5 %, rounded up."""
    return -(-members // RESERVE_DIVISOR)


def default_held_out(pictures: int, classes: int) -> int:
    """How many pictures to hold out unless told: 20 %, at most 2,500, at least one a class."""
    return max(classes, min(2_500, pictures // 5))


def shares(sizes: Sequence[int], total: int, capacities: Sequence[int], what: str) -> list[int]:
    """Share ``total`` among classes in proportion to ``sizes`` (Webster, 1832).

    Every class gets at least 1 and at most its capacity. A larger total never gives a
    class less. Ties go to the class with the lower number.

    Raises:
        DataError: ``total`` is below the number of classes or above the sum of capacities.
    """
    if not len(sizes) <= total <= sum(capacities):
        raise DataError(
            f"cannot take {total:,} {what}: possible are {len(sizes):,} (one per class) "
            f"to {sum(capacities):,}"
        )
    turns = [(np.arange(room) + 0.5) / size for size, room in zip(sizes, capacities, strict=True)]
    for turn in turns:
        turn[0] = 0.0  # everybody's first picture goes before anybody's second
    owner = np.repeat(np.arange(len(sizes)), list(capacities))
    winners = owner[np.argsort(np.concatenate(turns), kind="stable")[:total]]
    return [int(count) for count in np.bincount(winners, minlength=len(sizes))]


def _require_pictures(order: Sequence[Indices], at_least: int) -> None:
    if not order:
        raise DataError("there is no picture to split")
    for number, members in enumerate(order):
        if len(members) < at_least:
            raise DataError(
                f"class {number} has {len(members)} pictures in the training part, "
                f"at least {at_least} are needed: add pictures or leave the class out"
            )


def _behind_reserve(order: Sequence[Indices], held: Sequence[int]) -> list[Indices]:
    return [
        members[max(reserve_size(len(members)), count) :]
        for members, count in zip(order, held, strict=True)
    ]


def _gather(
    order: Sequence[Indices], held: Sequence[int], pools: Sequence[Indices], taken: Sequence[int]
) -> Split:
    held_out = [members[:count] for members, count in zip(order, held, strict=True)]
    train = [pool[:count] for pool, count in zip(pools, taken, strict=True)]
    return Split(np.sort(np.concatenate(train)), np.sort(np.concatenate(held_out)))
