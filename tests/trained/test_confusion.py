"""Confusion matrices and figures of classes, against counts by hand."""

from __future__ import annotations

import math

import numpy as np

from autodl.trained.confusion import (
    balanced_accuracy,
    class_figures,
    confusion_matrix,
    most_confused,
)

# 4 cats (3 right, 1 called dog), 2 dogs (1 right, 1 called cat), no fish, nothing called fish
LABELS, SAID = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0])
NAMES = ("cat", "dog", "fish")
MATRIX = confusion_matrix(LABELS, SAID, 3)


def test_rows_are_what_is_there_and_columns_what_is_said():
    assert MATRIX.tolist() == [[3, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_it_is_the_count_over_pairs():
    rng = np.random.default_rng(0)
    labels, said = rng.integers(0, 5, (2, 200))
    expected = np.zeros((5, 5), int)
    np.add.at(expected, (labels, said), 1)
    np.testing.assert_array_equal(confusion_matrix(labels, said, 5), expected)


def test_figures_of_classes():
    cat, dog, fish = class_figures(LABELS, SAID, NAMES)
    assert (cat.precision, cat.recall, cat.f1, cat.support) == (0.75, 0.75, 0.75, 4)
    assert (dog.precision, dog.recall, dog.f1, dog.support) == (0.5, 0.5, 0.5, 2)
    assert (fish.precision, fish.recall, fish.f1, fish.support) == (None, None, None, 0)


def test_balanced_accuracy_is_the_mean_recall_of_the_classes_that_are_there():
    assert balanced_accuracy(LABELS, SAID, 3) == (0.75 + 0.5) / 2
    assert math.isnan(balanced_accuracy(LABELS[:0], SAID[:0], 3))


def test_the_pairs_that_are_confused_most_often():
    labels, said = (
        np.repeat([1, 2, 0, 1, 2], [4, 3, 1, 2, 5]),
        np.repeat([0, 1, 1, 1, 2], [4, 3, 1, 2, 5]),
    )
    assert most_confused(labels, said, NAMES, 2) == [("dog", "cat", 4), ("fish", "dog", 3)]
    assert most_confused(labels, labels, NAMES, 5) == []


def test_ten_thousand_classes_take_no_matrix():
    names = tuple(map(str, range(10_000)))
    labels = np.arange(10_000)
    assert balanced_accuracy(labels, labels, 10_000) == 1.0
    assert len(class_figures(labels, labels, names)) == 10_000
    assert most_confused(labels, np.roll(labels, 1), names, 1) == [("0", "9999", 1)]
