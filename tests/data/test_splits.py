"""The split rule: properties that hold for every data set, and its figures on CIFAR-10."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodl.data.splits import (
    Split,
    class_order,
    default_held_out,
    reserve,
    reserve_size,
    shares,
    split,
    split_per_class,
)
from autodl.errors import DataError

CIFAR_LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 5000))
UNEVEN = np.repeat(np.arange(3), [2, 40, 500])


@st.composite
def shuffled_labels(draw):
    sizes = draw(st.lists(st.integers(2, 90), min_size=2, max_size=6))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return np.random.default_rng(draw(st.integers(0, 99))).permutation(labels)


@st.composite
def labels_and_held_out(draw):
    labels = draw(shuffled_labels())
    sizes = np.bincount(labels)
    return labels, draw(st.integers(len(sizes), int(sizes.sum() - len(sizes))))


@given(labels_and_held_out(), st.integers(0, 3))
@settings(deadline=None, max_examples=80)
def test_parts_are_disjoint_sorted_and_have_every_class(case, seed):
    labels, held_out = case
    cut = split(labels, held_out, seed=seed)
    assert len(cut.held_out) == held_out
    assert not np.intersect1d(cut.train, cut.held_out).size
    for part in (cut.train, cut.held_out):
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()
        assert part[0] >= 0
        assert part[-1] < len(labels)
        assert len(np.unique(labels[part])) == len(np.unique(labels))


@given(labels_and_held_out(), st.integers(0, 3))
@settings(deadline=None, max_examples=80)
def test_the_reserve_is_never_trained_on(case, seed):
    labels, held_out = case
    never = reserve(labels, seed).held_out
    assert not np.intersect1d(split(labels, held_out, seed=seed).train, never).size


@given(labels_and_held_out())
@settings(deadline=None, max_examples=80)
def test_held_out_pictures_are_shared_in_proportion(case):
    labels, held_out = case
    sizes = np.bincount(labels)
    counts = np.bincount(labels[split(labels, held_out).held_out])
    assert (counts < sizes).all()
    # Webster's rule picks the smallest (k + 1/2) / size, so no class that has room can be
    # behind one that got a second picture; equal up to rounding of the division
    for got, size in zip(counts, sizes, strict=True):
        for other, other_size in zip(counts, sizes, strict=True):
            if got < size - 1 and other > 1:
                assert (got + 0.5) / size >= (other - 0.5) / other_size - 1e-12


@given(shuffled_labels(), st.data())
@settings(deadline=None, max_examples=80)
def test_smaller_training_sets_are_subsets_and_held_out_pictures_stay(labels, data):
    classes = len(np.unique(labels))
    held_out = data.draw(st.integers(classes, max(classes, len(labels) // 4)), "held out")
    most = len(split(labels, held_out).train)
    larger = data.draw(st.integers(classes, most), "larger")
    smaller = data.draw(st.integers(classes, larger), "smaller")
    large, small = split(labels, held_out, larger), split(labels, held_out, smaller)
    assert len(large.train) == larger
    assert len(small.train) == smaller
    assert np.isin(small.train, large.train).all()
    np.testing.assert_array_equal(small.held_out, large.held_out)


@given(shuffled_labels(), st.data())
@settings(deadline=None, max_examples=50)
def test_a_selection_of_classes_keeps_the_order_of_the_whole(labels, data):
    classes = len(np.unique(labels))
    kept = data.draw(st.permutations(range(classes)), "kept")[:2]
    whole = class_order(labels)
    positions = np.flatnonzero(np.isin(labels, kept))
    renumbered = np.array([kept.index(label) for label in labels[positions]])
    for number, order in enumerate(class_order(renumbered, class_ids=kept)):
        np.testing.assert_array_equal(positions[order], whole[kept[number]])


def test_the_reserve_of_cifar10():
    cut = reserve(CIFAR_LABELS)
    assert (len(cut.train), len(cut.held_out)) == (47_500, 2_500)
    assert set(np.bincount(CIFAR_LABELS[cut.held_out])) == {250}
    np.testing.assert_array_equal(
        np.sort(np.concatenate([cut.train, cut.held_out])), np.arange(50_000)
    )
    np.testing.assert_array_equal(split(CIFAR_LABELS, 2_500).train, cut.train)
    np.testing.assert_array_equal(split(CIFAR_LABELS, 2_500).held_out, cut.held_out)


@pytest.mark.parametrize("held_out, most", [(10, 47_500), (2_500, 47_500), (5_000, 45_000)])
def test_what_is_left_to_train_on_cifar10(held_out, most):
    cut = split(CIFAR_LABELS, held_out)
    assert len(cut.train) == most
    assert set(np.bincount(CIFAR_LABELS[cut.train])) == {most // 10}
    small = split(CIFAR_LABELS, held_out, 1_000)
    assert set(np.bincount(CIFAR_LABELS[small.train])) == {100}


def test_the_order_is_the_documented_one_and_never_changes():
    """Frozen: another order would make old runs incomparable and cifar10-mini wrong."""
    labels = np.array([1, 0, 1, 1, 0, 1, 0, 0])
    for number, order in enumerate(class_order(labels, seed=5)):
        expected = np.random.default_rng((5, number)).permutation(np.flatnonzero(labels == number))
        np.testing.assert_array_equal(order, expected)
    first = np.concatenate([order[:25] for order in class_order(np.arange(1000) % 10)])
    digest = hashlib.sha256(first.astype("<i8").tobytes()).hexdigest()
    assert digest == "67f8c88d73da4516f2815aea2b65130f4f0c22f5727d74fac42f042ae5454aae"


def test_seeds_give_different_splits_and_sums():
    cuts = [split(UNEVEN, 30, seed=seed) for seed in (0, 1, 0)]
    assert cuts[0].sha256 == cuts[2].sha256
    assert cuts[0].sha256 != cuts[1].sha256
    moved = Split(cuts[0].held_out, cuts[0].train)
    assert moved.sha256 != cuts[0].sha256


def test_larger_totals_never_give_less_where_the_largest_remainder_would():
    """Sizes 6, 6, 2: of 10 seats the largest remainder gives the third 2, of 11 only 1."""
    sizes = [6, 6, 2]
    room = [100, 100, 100]
    before = shares(sizes, 3, room, "seats")
    for total in range(4, 60):
        after = shares(sizes, total, room, "seats")
        assert sum(after) == total
        assert sum(b - a for a, b in zip(before, after, strict=True)) == 1
        assert all(b >= a for a, b in zip(before, after, strict=True))
        before = after


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: split(UNEVEN, 2), r"cannot take 2 held-out pictures: possible are 3 .* to 539"),
        (lambda: split(UNEVEN, 540), "cannot take 540 held-out pictures: .* to 539"),
        (
            lambda: split(UNEVEN, 30, 513),
            "cannot take 513 training pictures beside 30 held-out ones: .* to 512",
        ),
        (lambda: split(UNEVEN, 30, 2), "cannot take 2 training pictures"),
        (lambda: split(np.array([0, 0, 2, 2]), 3), "class 1 has 0 pictures"),
        (lambda: split(np.array([0, 0, 1]), 2), "class 1 has 1 pictures .* at least 2"),
        (lambda: reserve(np.array([0, 0, 1])), "class 1 has 1 pictures"),
        (lambda: split(np.empty(0, np.int64), 1), "no picture to split"),
        (lambda: class_order(np.array([0, 1, 2]), class_ids=[4, 5]), "label 2 is there"),
        (lambda: split_per_class(CIFAR_LABELS, 5_000, 1), "the largest possible is 4,999"),
        (lambda: split_per_class(CIFAR_LABELS, 20, 4_751), "largest possible is 4,750"),
        (lambda: split_per_class(CIFAR_LABELS, 0, 10), "at least 1 picture"),
    ],
)
def test_impossible_numbers_name_what_is_possible(call, message):
    with pytest.raises(DataError, match=message):
        call()


def test_the_largest_possible_numbers_work():
    assert len(split(UNEVEN, 539).held_out) == 539
    assert len(split(UNEVEN, 30, 512).train) == 512
    assert len(split_per_class(CIFAR_LABELS, 20, 4_750).train) == 47_500


def test_per_class_numbers_ignore_how_large_a_class_is():
    labels = np.repeat(np.arange(3), [30, 100, 1000])
    cut = split_per_class(labels, 5, 20)
    assert np.bincount(labels[cut.held_out]).tolist() == [5, 5, 5]
    assert np.bincount(labels[cut.train]).tolist() == [20, 20, 20]
    assert not np.intersect1d(cut.train, reserve(labels).held_out).size


@pytest.mark.parametrize(
    "members, kept", [(1, 1), (19, 1), (20, 1), (21, 2), (500, 25), (5000, 250)]
)
def test_reserve_size_rounds_up(members, kept):
    assert reserve_size(members) == kept


@pytest.mark.parametrize(
    "pictures, classes, expected",
    [(50_000, 10, 2_500), (50_000, 100, 2_500), (1_000, 10, 200), (30, 10, 10)],
)
def test_default_held_out(pictures, classes, expected):
    assert default_held_out(pictures, classes) == expected
