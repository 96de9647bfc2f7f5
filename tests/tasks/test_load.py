"""From a section to a task: what a plugin's task has to offer, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

import pytest

from autodl.config.components import register, table
from autodl.data.options import DataOptions
from autodl.errors import ConfigError, PluginError
from autodl.tasks.load import declared_metric, is_pictures, load_task
from autodl.tasks.options import NextValueOptions, TaskOptions
from autodl.tasks.task import ABSOLUTE_ERROR, ACCURACY, Metric, Task

HERTZ = Metric("hertz", "hertz off", higher_is_better=False)


class Tones(TaskOptions):
    metric: ClassVar[Metric] = HERTZ
    name: str = "Tones"


class Pictures(DataOptions):
    name: str = "Tones"


def task(metric=HERTZ, **parts):
    names = [name for name in dir(Task) if not name.startswith("_")]
    return SimpleNamespace(**dict.fromkeys(names, lambda *given: 0) | {"metric": metric} | parts)


@pytest.fixture
def tones(request):
    """Registers a task with what the test gives, until it ends."""

    def add(load, options=Tones):
        register("Data", "Tones", options, load)
        return options(name="Tones")

    yield add
    table("Data").pop("Tones", None)


def test_the_metric_is_known_from_the_options_alone(tones):
    tones(task)
    assert declared_metric("Tones") == HERTZ
    assert declared_metric("NextValue") == ABSOLUTE_ERROR
    names = ("SequenceClassification", "cifar10", "of a plugin that is not here")
    assert {declared_metric(name) for name in names} == {ACCURACY}


def test_a_task_is_measured_by_what_its_options_say(tones):
    options = tones(lambda options: task(Metric("volts", "volts")))
    with pytest.raises(PluginError, match=r"Tones: the task is measured by .*volts.*TaskOptions"):
        load_task(options)


def test_what_a_task_lacks_is_named(tones):
    options = tones(lambda options: SimpleNamespace(metric=HERTZ, goal="regression"))
    with pytest.raises(PluginError, match=r"SimpleNamespace lacks .*batches.*task\.Task says"):
        load_task(options)


def test_the_test_part_is_asked_for_where_there_is_one(tones):
    options = tones(lambda options, *, test=False: task(goal=test))
    assert (load_task(options).goal, load_task(options, test=True).goal) == (False, True)
    table("Data").pop("Tones")
    with pytest.raises(ConfigError, match="Tones has no test part"):
        load_task(tones(lambda options: task()), test=True)


def test_pictures_are_those_that_we_read(tones):
    tones(task, Pictures)
    assert is_pictures(DataOptions())
    assert not is_pictures(Pictures())
    assert not is_pictures(NextValueOptions())
