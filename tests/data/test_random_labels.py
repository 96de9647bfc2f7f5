"""Labels that say nothing: fixed by position and seed, uniform, independent of the true ones."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from scipy.stats import chi2

from autodl.data.load import load, load_split
from autodl.data.options import DataOptions
from autodl.data.random_labels import random_labels
from autodl.tasks.pictures import load_pictures
from autodl.tasks.task import Changes, Drawing

SIGNIFICANCE = 1e-6  # the seed is fixed: an honest generator fails for one seed in a million


@pytest.mark.parametrize("seed", range(3))
def test_they_are_uniform_and_independent_of_the_true_ones(seed):
    """Chi-square of the counts, and of the table of drawn and true labels."""
    classes, pictures = 10, 20_000
    true = np.random.default_rng(99).integers(classes, size=pictures) ** 2 // 10  # uneven
    drawn = random_labels(pictures, classes, seed)
    assert drawn.dtype == np.int64
    expected = pictures / classes
    statistic = np.square(np.bincount(drawn, minlength=classes) - expected).sum() / expected
    assert statistic < chi2.isf(SIGNIFICANCE, classes - 1)
    table = np.zeros((true.max() + 1, classes))
    np.add.at(table, (true, drawn), 1)
    table = table[table.any(axis=1)]
    wanted = np.outer(table.sum(axis=1), table.sum(axis=0)) / pictures
    degrees = (table.shape[0] - 1) * (classes - 1)
    assert (np.square(table - wanted) / wanted).sum() < chi2.isf(SIGNIFICANCE, degrees)


def test_each_is_of_its_position_and_the_seed_alone():
    np.testing.assert_array_equal(random_labels(50, 10, 3), random_labels(100, 10, 3)[:50])
    assert (random_labels(50, 10, 3) != random_labels(50, 10, 4)).any()


def labels_of(data):
    """The label of every picture, by its bytes."""
    return {image.tobytes(): int(label) for image, label in zip(*data, strict=True)}


def test_no_cut_and_no_pass_changes_a_label():
    """Equal in every load, for every limit, and in all epochs, changed pictures or not."""
    options = {"image_size": 8, "random_labels": 5}
    whole = load_split(DataOptions(**options)).train
    few = load_split(DataOptions(**options, train=100)).train
    known = labels_of((whole.images, whole.labels))
    assert labels_of((few.images, few.labels)).items() <= known.items()
    task = load_pictures(DataOptions(**options))
    for epoch in range(2):
        drawing = Drawing(np.random.default_rng((0, epoch)), Changes(flip="none"))
        seen = [(batch.inputs, batch.targets) for batch in task.batches("train", 50, drawing)]
        pictures = np.concatenate([inputs for inputs, _ in seen])
        targets = list(chain.from_iterable(targets for _, targets in seen))
        by_picture = labels_of((task.normalisation.normalise(whole.images), whole.labels))
        assert labels_of((pictures, targets)) == by_picture


def test_only_the_training_part_has_them():
    plain, drawn = (load_split(DataOptions(random_labels=seed)) for seed in (None, 0))
    np.testing.assert_array_equal(drawn.train.images, plain.train.images)
    assert (drawn.train.labels != plain.train.labels).mean() > 0.8  # 0.9 expected, of 800
    np.testing.assert_array_equal(drawn.held_out.labels, plain.held_out.labels)
    assert drawn.split == plain.split
    assert drawn.checksum == plain.checksum == load(DataOptions()).checksum


def test_a_run_without_them_keeps_its_identity():
    assert "random_labels" not in DataOptions().identity()
    assert DataOptions(random_labels=0).identity()["random_labels"] == 0
