"""Pictures as a task: batches against the functions they are made of, and what a task tells."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.data.augment import augmenter, mixup
from autodl.data.batches import iterate
from autodl.data.load import describe, load_split
from autodl.data.options import DataOptions
from autodl.data.resize import resize_batch
from autodl.tasks.load import load_task
from autodl.tasks.pictures import PictureTask
from autodl.tasks.task import Batch, Changes, Drawing, Metric, Task

OPTIONS = DataOptions(image_size=16, train=30, held_out=20, classes=3)


@pytest.fixture(scope="module")
def task():
    return load_task(OPTIONS)


def test_it_is_a_task_and_the_data_of_a_search(task):
    assert isinstance(task, Task)
    data = load_split(OPTIONS)
    assert task.identity() == describe(data)
    assert (task.count("train"), task.count("held_out"), task.examples) == (30, 20, "pictures")
    assert task.signature.inputs == (3, 16, 16)
    assert task.signature.outputs == (3,)
    assert dict(task.signature.arguments) == {"classes": 3, "image_size": 16}
    assert (task.metric.name, task.metric.higher_is_better) == ("accuracy", True)
    assert task.record()["held_out_pictures"] == 20


def test_without_a_drawing_examples_come_in_their_order(task):
    batches = list(task.batches("held_out", 8))
    assert [len(batch) for batch in batches] == [8, 8, 4]
    images = np.concatenate([batch.inputs for batch in batches])
    np.testing.assert_array_equal(images, task.normalisation.normalise(task.held_out.images))
    labels = np.concatenate([batch.targets for batch in batches])
    np.testing.assert_array_equal(labels, task.held_out.labels)


def test_a_drawing_shuffles_changes_mixes_and_grows(task):
    changes = Changes(
        pad_crop=2, flip="alternating", vertical_flip=True, brightness=0.2,
        cutout=4, mixup=0.5, first_size=8, grown=0.6,
    )  # fmt: skip
    drawing = Drawing(np.random.default_rng(5), changes, epoch=1, epochs=3, seed=3)
    found = list(task.batches("train", 8, drawing))
    assert [len(batch) for batch in found] == [8, 8, 8]  # a smaller last one is left out
    rng = np.random.default_rng(5)
    augment = augmenter(
        padding=2, flip_rule="alternating", vertical=True, brightness=0.2, cutout_size=4,
        fill=task.normalisation.mean_colour, epoch=1, seed=3,
    )  # fmt: skip
    plain = iterate(
        task.train, 8, normalisation=task.normalisation, rng=rng, augment=augment, drop_last=True
    )
    assert [task.side(changes, epoch, 3) for epoch in range(3)] == [8, 12, 16]
    order = np.random.default_rng(5).permutation(30)
    for number, (batch, (images, labels)) in enumerate(zip(found, plain, strict=True)):
        mixed = mixup(resize_batch(images, 12), labels, rng, 0.5)
        np.testing.assert_array_equal(batch.inputs, mixed.images)
        np.testing.assert_array_equal(batch.targets, labels)
        np.testing.assert_array_equal(batch.partners, mixed.partners)
        np.testing.assert_array_equal(batch.positions, order[8 * number : 8 * number + 8])
        np.testing.assert_array_equal(task.train.labels[batch.partner_positions], batch.partners)
        assert batch.weight == mixed.weight


def test_views_are_the_picture_and_its_mirror_image(task):
    inputs = np.arange(24.0).reshape(2, 1, 3, 4)
    same, mirrored = task.views(inputs)
    assert same is inputs
    np.testing.assert_array_equal(mirrored, inputs[..., ::-1])


def test_pictures_alone_have_no_held_out_part(task):
    alone = PictureTask.alone(task.train, task.normalisation)
    assert (alone.count("train"), alone.count("held_out")) == (30, 0)
    assert alone.classes == ("0", "1", "2")


def test_rows_of_a_batch_are_those_of_all_its_arrays():
    places = np.array([7, 5, 3, 1])
    inputs, targets = np.arange(8).reshape(4, 2), np.arange(4)
    batch = Batch(inputs, targets, targets[::-1], 0.25, places, places[::-1])
    half = batch.rows(lambda rows: rows[1:3])
    np.testing.assert_array_equal(half.positions, [5, 3])
    np.testing.assert_array_equal(half.partner_positions, [3, 5])
    np.testing.assert_array_equal(half.inputs, [[2, 3], [4, 5]])
    np.testing.assert_array_equal(half.targets, [1, 2])
    np.testing.assert_array_equal(half.partners, [2, 1])
    assert (half.weight, len(half)) == (0.25, 2)
    assert Batch(batch.inputs, batch.targets).rows(lambda rows: rows[:1]).partners is None


def test_a_reward_is_higher_where_the_metric_is_better():
    accuracy, error = Metric("accuracy", "top1"), Metric("mae", "mae", higher_is_better=False)
    assert accuracy.reward(0.75) == 0.75
    assert error.reward(0.75) == -0.75
    assert error.value(error.reward(0.75)) == 0.75
