"""``Data`` sections of tasks on series."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from autodl.config.paths import AbsolutePath
from autodl.data.options import Count, ExampleOptions
from autodl.data.splits import SPLIT_SEED
from autodl.tasks.task import ABSOLUTE_ERROR, ACCURACY, Metric

Share = Annotated[float, Field(gt=0, lt=1)]


class TaskOptions(ExampleOptions):
    """A ``Data`` section that says what its task is measured by, before any data are read.

    Reports, lines of progress and plots go by it, and ``load_task`` holds the task to it.
    """

    metric: ClassVar[Metric] = ACCURACY


class SequenceClassificationOptions(TaskOptions):
    """Telling the class of a series.

    The three parts have classes in like shares. ``held_out`` and ``test`` are shares of the series
    in ``path``; where there is a ``test_path``, nothing of ``path`` is kept for the test.
    """

    name: Literal["SequenceClassification"] = "SequenceClassification"
    path: AbsolutePath | None = Field(
        None, description=".npz or .csv file; null: the embedded signals"
    )
    test_path: AbsolutePath | None = Field(None, description="a file of the same form, to test on")
    label: str = Field("label", description="CSV: column of the class")
    series: str | None = Field(
        None, description="CSV: column that numbers the series, a row a step; null: a row a series"
    )
    held_out: Share = Field(0.2, description="share that scores an architecture")
    test: Share = Field(0.2, description="share that is kept for the test")
    train: Count | None = Field(None, description="limit on the series to train on")
    split_seed: Annotated[int, Field(strict=True, ge=0)] = Field(
        SPLIT_SEED, description="seed of the split; the same for all runs that are compared"
    )

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if self.held_out + self.test >= 1:
            raise ValueError("held_out and test leave nothing to train on; their sum must be < 1")
        return self


class NextValueOptions(TaskOptions):
    """Predicting the value of a series from those before it.

    The series is cut by time: the oldest part is trained on, the next scores architectures, the
    newest is the test. No window reaches from one part into another.
    """

    metric: ClassVar[Metric] = ABSOLUTE_ERROR
    name: Literal["NextValue"] = "NextValue"
    path: AbsolutePath | None = Field(
        None, description=".npz or .csv file; null: the embedded level"
    )
    columns: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        None, description="what the network sees; null: all columns"
    )
    targets: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        None, description="what it predicts, some of the columns; null: all of these"
    )
    window: Annotated[int, Field(strict=True, ge=2)] = Field(
        32, description="steps that the network sees"
    )
    ahead: Annotated[int, Field(strict=True, ge=1)] = Field(
        1, description="steps from the last that it sees to the one that it predicts"
    )
    held_out: Share = Field(0.2, description="share of the steps that scores an architecture")
    test: Share = Field(0.2, description="share of the steps that is kept for the test")

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if self.held_out + self.test >= 1:
            raise ValueError("held_out and test leave nothing to train on; their sum must be < 1")
        return self

    @model_validator(mode="after")
    def _predicts_what_it_sees(self) -> Self:
        for name in ("columns", "targets"):
            chosen = getattr(self, name) or ()
            if len(set(chosen)) < len(chosen):
                raise ValueError(f"{name} names a column twice: {', '.join(chosen)}")
        if self.columns and not {*self.targets_or_all(self.columns)} <= {*self.columns}:
            raise ValueError(f"targets must be some of the columns {', '.join(self.columns)}")
        return self

    def targets_or_all(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """The columns that are predicted."""
        return columns if self.targets is None else self.targets
