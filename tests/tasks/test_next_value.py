"""Predicting the next value: windows, the cut by time, the scale, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from autodl.errors import ConfigError, DataError
from autodl.tasks.load import load_task
from autodl.tasks.next_value import load_next
from autodl.tasks.options import NextValueOptions
from autodl.tasks.task import Changes, Drawing, Task


def counted(tmp_path, steps=100, columns=("time", "twice")):
    """A recording whose values say which step they are of."""
    values = np.arange(steps, dtype=float)[:, None] * np.arange(1, len(columns) + 1)
    np.savez(tmp_path / "steps.npz", values=values, columns=np.array(columns))
    return tmp_path / "steps.npz"


def load(path, *, test=False, **values):
    return load_next(NextValueOptions(path=path, **values), test=test)


def steps_of(task, part="train"):
    """Windows and answers in steps: values without their scale."""
    (batch,) = task.batches(part, 10_000)
    mean, std = task.scale.mean[0], task.scale.std[0]
    return batch.inputs[:, 0] * std + mean, batch.targets[:, 0] * std + mean


@pytest.mark.parametrize("window, ahead", [(2, 1), (5, 1), (5, 4)])
def test_targets_stand_so_many_steps_behind_their_window(tmp_path, window, ahead):
    task = load(counted(tmp_path), window=window, ahead=ahead)
    seen, answers = steps_of(task)
    assert len(seen) == task.count("train") == 60 - window - ahead + 1
    expected = np.arange(len(seen))[:, None] + np.arange(window)
    np.testing.assert_allclose(seen, expected, atol=1e-3)  # float32 of numbers up to 100
    np.testing.assert_allclose(answers, expected[:, -1] + ahead, atol=1e-3)


def test_parts_follow_each_other_and_no_window_reaches_across(tmp_path):
    path = counted(tmp_path)
    task, tested = load(path, window=4), load(path, window=4, test=True)
    for found, part, first, last in (
        (task, "train", 0, 59),
        (task, "held_out", 60, 79),
        (tested, "held_out", 80, 99),
    ):
        seen, answers = steps_of(found, part)
        assert round(float(seen.min())) == first
        assert round(float(answers.max())) == last
    assert tested.scale == task.scale
    assert tested.identity() == task.identity()


def test_the_scale_is_that_of_the_training_part(tmp_path):
    task = load(counted(tmp_path), window=4)
    assert task.scale.mean == pytest.approx((29.5, 59.0))
    assert task.scale.std == pytest.approx(np.arange(60).std() * np.array([1, 2]))


def test_targets_are_some_of_the_columns(tmp_path):
    path = counted(tmp_path, columns=("a", "b", "c"))
    task = load(path, columns=["c", "a"], targets=["a"], window=3)
    assert (task.columns, task.targets) == (("c", "a"), ("a",))
    assert dict(task.signature.arguments) == {"channels": 2, "length": 3, "outputs": 1}
    (batch,) = task.batches("train", 1000)
    np.testing.assert_allclose(
        batch.targets[:, 0] * task.scale.std[1] + task.scale.mean[1],
        np.arange(3, 60),
        atol=1e-3,  # float32 of numbers up to 100
    )
    assert load(path, window=3).targets == ("a", "b", "c")


def test_the_embedded_level():
    task = load_task(NextValueOptions(targets=("level",)))
    assert isinstance(task, Task)
    assert task.headline == "level, 1768 + 568 windows of 32 steps, level, wind -> level, 1 ahead"
    assert (task.goal, task.examples, task.metric.label) == ("regression", "windows", "mae")
    assert not task.metric.higher_is_better
    assert task.metric.reward(0.25) == -0.25
    drawn = list(task.batches("train", 500, Drawing(np.random.default_rng(0))))
    assert [batch.inputs.shape for batch in drawn] == [(500, 2, 32)] * 3
    assert all(batch.inputs.dtype == batch.targets.dtype == np.float32 for batch in drawn)
    with pytest.raises(ConfigError, match=r"Train\.pad_crop=4 changes pictures"):
        next(task.batches("train", 8, Drawing(np.random.default_rng(0), Changes(pad_crop=4))))


def test_series_that_are_too_short_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"has 100 steps, 20 of them in the held-out part, .* 21"):
        load(counted(tmp_path), window=20)
    with pytest.raises(DataError, match="has 3 steps, 1 of them in the training part"):
        load(counted(tmp_path, 3), window=2)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"columns": ["a"], "targets": ["b"]}, "targets must be some of the columns a"),
        ({"columns": ["a", "a"]}, "columns names a column twice"),
        ({"window": 1}, "greater than or equal to 2"),
        ({"ahead": 0}, "greater than or equal to 1"),
        ({"held_out": 0.6, "test": 0.4}, "leave nothing to train on"),
    ],
)
def test_options_that_do_not_fit_are_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        NextValueOptions(**values)


def test_targets_that_are_no_columns_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"Data\.targets names 'levle', which is none of the col"):
        load(counted(tmp_path), targets=["levle"])
