"""From a ``Data`` section to the task that its examples set."""

from __future__ import annotations

from autodl.data.load import load_split
from autodl.data.options import DataOptions
from autodl.tasks.pictures import PictureTask


def load_task(options: DataOptions) -> PictureTask:
    """Read the data and cut them into a part to learn from and one to be scored on.

    Raises:
        DataError: the data are missing, damaged or unsuitable.
        UnknownNameError: no such data set, or no such class in it.
    """
    return PictureTask.of(load_split(options))
