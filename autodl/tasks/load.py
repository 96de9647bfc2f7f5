"""From a ``Data`` section to the task that its examples set."""

from __future__ import annotations

from inspect import signature

from autodl.config.components import table
from autodl.data.options import DataOptions, ExampleOptions
from autodl.errors import ConfigError, PluginError, lookup
from autodl.system.roles import missing
from autodl.tasks.options import TaskOptions
from autodl.tasks.task import ACCURACY, Metric, Task


def load_task(options: ExampleOptions, *, test: bool = False) -> Task:
    """Read the data and cut them into a part to learn from and one to be scored on.

    Args:
        test: give the test part in the place of the one that scores.

    Raises:
        ConfigError: there is no test part.
        DataError: the data are missing, damaged or unsuitable.
        PluginError: the task lacks something, or is measured by something else than its options
            say.
        UnknownNameError: no such data set, or no such class in it.
    """
    load = lookup(table("Data"), options.name, "data set").load_factory()
    if test and "test" not in signature(load).parameters:
        raise ConfigError(
            f"Data.name {options.name} has no test part that could be read here; what reads its"
            " examples has no parameter test (docs/plugins.md)"
        )
    task: Task = load(options, test=True) if test else load(options)
    if lacks := missing(task, Task):
        raise PluginError(
            f"Data.name {options.name}: its {type(task).__name__} lacks {', '.join(lacks)};"
            " autodl.tasks.task.Task says what they do"
        )
    if task.metric != (declared := declared_metric(options.name)):
        raise PluginError(
            f"Data.name {options.name}: the task is measured by {task.metric}, and its options"
            f" say {declared}; let them be TaskOptions (autodl.tasks.options) with that metric"
        )
    return task


def is_pictures(options: ExampleOptions) -> bool:
    """Whether the examples are our pictures in classes; those of a plugin are read by it alone."""
    return isinstance(options, DataOptions) and not table("Data")[options.name].plugin


def declared_metric(name: str) -> Metric:
    """What the task on examples is measured by, as their options say; accuracy if they do not.

    Args:
        name: of the examples, ``Data.name``; of an unknown one nothing is said.
    """
    entry = table("Data").get(name)
    model = entry.load_options() if entry else TaskOptions
    return model.metric if issubclass(model, TaskOptions) else ACCURACY
