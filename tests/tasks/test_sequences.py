"""Telling classes of series apart: parts, batches, scale, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from autodl.data.options import DataOptions
from autodl.errors import ConfigError, DataError
from autodl.tasks.load import load_task
from autodl.tasks.options import SequenceClassificationOptions
from autodl.tasks.sequences import class_names, load_classification
from autodl.tasks.task import ACCURACY, Changes, Drawing, Task


def options(**values):
    return SequenceClassificationOptions(**values)


@pytest.fixture(scope="module")
def signals():
    return load_classification(options())


def stored(tmp_path, labels, length=4, name="series.npz"):
    values = np.random.default_rng(0).normal(3, 2, size=(len(labels), 1, length))
    np.savez(tmp_path / name, series=values, labels=np.array(labels))
    return tmp_path / name


def test_the_embedded_signals(signals):
    assert isinstance(signals, Task)
    assert load_task(options()).identity() == signals.identity()
    assert (signals.count("train"), signals.count("held_out")) == (432, 144)
    assert signals.headline == "signals, 432 + 144 series of 2 x 64, 6 classes"
    assert signals.signature.inputs == (2, 64)
    assert dict(signals.signature.arguments) == {"channels": 2, "length": 64, "outputs": 6}
    assert (signals.metric, signals.goal, signals.examples) == (
        ACCURACY,
        "classification",
        "series",
    )


def test_parts_are_disjoint_seeded_and_have_classes_in_like_shares(signals):
    tested = load_classification(options(), test=True)
    parts = [signals.train, signals.held_out, tested.held_out]
    assert [len(part) for part in parts] == [432, 144, 144]
    for part in parts:
        assert {part.labels.count(name) for name in signals.classes} == {len(part) // 6}
    rows = {row.tobytes() for part in parts for row in part.values}
    assert len(rows) == 720
    again, other = load_classification(options()), load_classification(options(split_seed=1))
    assert again.identity() == signals.identity()
    assert other.identity() != signals.identity()
    assert tested.identity() == signals.identity()  # the same cut, seen from its other end
    assert tested.scale == signals.scale


def test_a_smaller_training_part_is_part_of_the_larger_one(signals):
    few = load_classification(options(train=60))
    assert few.count("train") == 60
    assert {v.tobytes() for v in few.train.values} < {v.tobytes() for v in signals.train.values}
    np.testing.assert_array_equal(few.held_out.values, signals.held_out.values)


def test_batches_are_normalised_by_the_training_part(signals):
    batches = list(signals.batches("train", 100))
    assert [len(batch) for batch in batches] == [100, 100, 100, 100, 32]
    inputs = np.concatenate([batch.inputs for batch in batches])
    assert (inputs.dtype, inputs.shape) == (np.float32, (432, 2, 64))
    np.testing.assert_allclose(inputs.mean(axis=(0, 2)), 0, atol=1e-5)  # float32 sums
    np.testing.assert_allclose(inputs.std(axis=(0, 2)), 1, atol=1e-5)
    labels = np.concatenate([batch.targets for batch in batches])
    assert [signals.classes[label] for label in labels] == list(signals.train.labels)
    held_out = next(signals.batches("held_out", 144)).inputs
    expected = (signals.held_out.values - np.array(signals.scale.mean)[:, None]) / np.array(
        signals.scale.std
    )[:, None]
    np.testing.assert_allclose(held_out, expected, atol=1e-5)


def test_a_drawn_pass_shuffles_and_drops_a_smaller_last_batch(signals):
    def drawn(seed):
        drawing = Drawing(np.random.default_rng(seed))
        return [batch.targets.tolist() for batch in signals.batches("train", 100, drawing)]

    assert [len(batch) for batch in drawn(0)] == [100] * 4
    assert drawn(0) == drawn(0) != drawn(1)


@pytest.mark.parametrize(
    "change",
    [{"pad_crop": 4}, {"flip": "random"}, {"vertical_flip": True}, {"brightness": 0.2},
     {"cutout": 8}, {"mixup": 0.2}],
)  # fmt: skip
def test_changes_of_pictures_are_refused(signals, change):
    (name,) = change
    drawing = Drawing(np.random.default_rng(0), Changes(**change))
    with pytest.raises(ConfigError, match=rf"Train.{name}=.* set Train.{name}=(0|0.0|none|False)"):
        next(signals.batches("train", 8, drawing))


def test_a_file_to_test_on_leaves_all_others_to_learn(tmp_path):
    labels = ["a", "b"] * 10
    path, test_path = stored(tmp_path, labels), stored(tmp_path, ["a", "b"], name="test.npz")
    task = load_classification(options(path=path, test_path=test_path, held_out=0.3))
    assert (task.count("train"), task.count("held_out")) == (14, 6)
    assert (
        load_classification(options(path=path, test_path=test_path), test=True).count("held_out")
        == 2
    )
    alone = load_classification(options(path=path, held_out=0.3))
    assert alone.checksum != task.checksum
    assert (alone.count("train"), alone.count("held_out")) == (10, 6)


def test_channels_of_a_file_to_test_on_are_in_the_order_of_those_to_learn(tmp_path):
    def rows(order):
        lines = [",".join(("id", "label", *order))]
        for name in range(8):
            steps = [{"x": name * 10 + step, "y": -step} for step in range(3)]
            lines += [",".join(map(str, (name, "ab"[name % 2], *map(s.get, order)))) for s in steps]
        return "\n".join(lines) + "\n"

    path, test_path = tmp_path / "learn.csv", tmp_path / "test.csv"
    path.write_text(rows(("x", "y")))
    test_path.write_text(rows(("y", "x")))
    task = load_classification(options(path=path, test_path=test_path, series="id"), test=True)
    assert task.record()["columns"] == ["x", "y"]
    assert task.held_out.values[0].tolist() == [[0, 1, 2], [0, -1, -2]]


def test_classes_that_are_numbers_are_in_the_order_of_numbers():
    assert class_names(("10", "9", "-1", "9")) == ("-1", "9", "10")
    assert class_names(("b", "10", "a")) == ("10", "a", "b")


@pytest.mark.parametrize(
    "labels, message",
    [
        (["a"] * 9, "all series are of the class 'a'; two are needed"),
        (["a"] * 9 + ["b"] * 2, "the class 'b' has 2 series, at least 3 are needed"),
    ],
)
def test_series_that_cannot_be_cut_are_refused(tmp_path, labels, message):
    with pytest.raises(DataError, match=message):
        load_classification(options(path=stored(tmp_path, labels)))


def test_other_series_to_test_on_are_refused(tmp_path):
    path = stored(tmp_path, ["a", "b"] * 5)
    for other, message in (
        (stored(tmp_path, ["a", "b"], 5, "long.npz"), r"has series of \[1, 5\] .* \[1, 4\]"),
        (stored(tmp_path, ["a", "c"], 4, "foreign.npz"), "has the class 'c', which Data.path"),
    ):
        with pytest.raises(DataError, match=message):
            load_classification(options(path=path, test_path=other))


def test_more_to_train_on_than_there_is_is_refused():
    with pytest.raises(DataError, match=r"Data.train=433: .* there are 432 to train on"):
        load_classification(options(train=433))
    with pytest.raises(ValidationError, match="leave nothing to train on"):
        options(held_out=0.5, test=0.5)


def test_pictures_are_a_task_of_their_own_name():
    assert load_task(DataOptions(train=20, held_out=10)).examples == "pictures"
