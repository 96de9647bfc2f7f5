"""The ``Data`` section of every configuration, checked before anything is read.

Its ``name`` says which examples there are, and with them which other keys it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from autodl.config.components import table
from autodl.config.paths import AbsolutePath
from autodl.config.sections import Section
from autodl.data.splits import SPLIT_SEED
from autodl.errors import lookup

DEFAULT = "cifar10-mini"

Count = Annotated[int, Field(strict=True, ge=1)]


class ExampleOptions(Section):
    """What every ``Data`` section says: which examples, and where they are, if not embedded."""

    name: str
    path: AbsolutePath | None = None

    @classmethod
    def chosen(cls, values: Mapping[str, Any]) -> type[Section]:
        """The options of the examples that are named, as the catalogue of tasks has them.

        Raises:
            UnknownNameError: there are none of that name.
        """
        if cls is not ExampleOptions:
            return cls
        name = values.get("name", DEFAULT)
        return lookup(table("Data"), str(name), "data set").load_options()


class DataOptions(ExampleOptions):
    """Which pictures to use and how to cut them; unknown keys are errors.

    ``held_out`` defaults to 20 % of the training part, at most 2,500 pictures: 2,500 on
    CIFAR, 200 on the embedded sample.
    """

    ADDED = ("normalise", "random_labels")

    name: str = Field(
        DEFAULT, description="cifar10, cifar100, folder, npz or cifar10-mini (embedded)"
    )
    path: AbsolutePath | None = Field(
        None, description="archive, folder or file to read; not for cifar10-mini"
    )
    image_size: Annotated[int, Field(strict=True, ge=8, le=512)] | None = Field(
        None, description="side in pixels, 8..512; null keeps the stored size"
    )
    train: Count | None = Field(
        None, description="limit on the training pictures; null takes all behind the reserve"
    )
    held_out: Count | None = Field(
        None, description="pictures that score an architecture; null: 20 %, at most 2,500"
    )
    classes: Annotated[int, Field(strict=True, ge=2)] | tuple[str, ...] | None = Field(
        None, description="the first so many classes, or their names; null takes all"
    )
    split_seed: Annotated[int, Field(strict=True, ge=0)] = Field(
        SPLIT_SEED, description="seed of the split; the same for all runs that are compared"
    )
    normalise: Literal["channels", "pictures"] = Field(
        "channels",
        description="by mean and deviation of each channel of the training part, or each picture by"
        " its own; wherever the network is used later, too",
    )
    random_labels: Annotated[int, Field(strict=True, ge=0, lt=2**31)] | None = Field(
        None,
        description="seed of labels that take the place of those of the training part, drawn once"
        " for each picture; null keeps the true ones",
    )
