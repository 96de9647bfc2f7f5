"""From a ``Data`` section to the task that its examples set."""

from __future__ import annotations

from autodl.config.components import table
from autodl.data.options import ExampleOptions
from autodl.errors import lookup
from autodl.tasks.task import Task


def load_task(options: ExampleOptions) -> Task:
    """Read the data and cut them into a part to learn from and one to be scored on.

    Raises:
        DataError: the data are missing, damaged or unsuitable.
        UnknownNameError: no such data set, or no such class in it.
    """
    task: Task = lookup(table("Data"), options.name, "data set").load_factory()(options)
    return task
