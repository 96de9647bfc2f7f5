"""The ``Study`` section: which runs there are, and what they are compared with."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from autodl.config.sections import Section
from autodl.errors import did_you_mean

JobName = Literal["search", "simulate", "train", "supernet", "compress"]
StepName = Literal["again", "train", "test", "rank", "alignment"]
Variation = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class PlotOptions(Section):
    """``Study.plot``: columns, and which variations are one curve."""

    x: str | None = Field(None, description="column from left to right; null: the variations")
    y: str | None = Field(None, description="column upwards; null: as usual for the job")
    lines: dict[str, tuple[Variation, ...]] = Field(
        default_factory=dict,
        description="of a plot with x: by name, variations that are one curve, from left to right",
    )


class StudyOptions(Section):
    """``Study`` section; the other sections of the file are those of its job.

    ``vary`` has for each variation the sections in which it differs. Where a value is not known
    before another run, it is a reference to what the variation ``of`` came to with the same seed:
    ``{of: bayesian, value: search_seconds, times: 10}``, see ``Reference``. Beside sections a
    variation may have ``then``: options of steps for its runs alone, laid over those of all, where
    null leaves a step out.
    """

    job: JobName = Field("search", description="what each run is")
    vary: dict[Variation, dict[str, Any]] = Field(
        {"run": {}}, description="by name, the sections that differ"
    )
    seeds: tuple[Seed, ...] = Field(
        (0, 1, 2), description="Global.seed of the runs; a single number N stands for 0 to N - 1"
    )
    then: dict[StepName, dict[str, Any]] = Field(
        default_factory=dict, description="what follows each run, with its options; or a list"
    )
    control: str | None = Field(
        None, description="variation that the others are compared with; null: every two"
    )
    columns: tuple[str, ...] = Field(
        (),
        description="of the table; empty: the usual ones. COLUMN_after_100 is that of the best of"
        " so many trials",
    )
    reach: tuple[float, ...] = Field(
        (),
        description="rewards, or of an error how low; the table says after how many trials"
        " searches reach them",
    )
    front: dict[str, float] = Field(
        default_factory=dict,
        description="the worst that counts of the reward, first, and of one cost or two, by their"
        " columns; adds a column hypervolume",
    )
    plot: PlotOptions = Field(PlotOptions(), description="what plot.svg shows")
    source: str | None = Field(
        None,
        description="what runs start from: to compress a released network or folder of a training,"
        " to train an architecture's file or folder of a search; {seed} stands for the seed",
    )
    tune: dict[str, tuple[Any, ...]] = Field(
        default_factory=dict,
        description="to simulate: values of Section.key, of which the best on the first half of the"
        " seeds is a variation named tuned; the study is of the other half",
    )

    @field_validator("seeds", mode="before")
    @classmethod
    def _counted(cls, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int):
            return tuple(value) if isinstance(value, list) else value
        return tuple(range(value))

    @field_validator("then", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return {step: {} for step in value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds names at least one, and each once, got {list(self.seeds)}")
        if not self.vary:
            raise ValueError("vary names at least one variation, such as vary: {plain: {}}")
        if self.control is not None and self.control not in self.names:
            hint = did_you_mean(self.control, self.names)
            raise ValueError(
                f"control {self.control!r} is no variation.{hint} There are"
                f" {', '.join(self.names)}."
            )
        if self.tune and (self.job != "simulate" or len(self.seeds) < 2):
            raise ValueError("tune is for job: simulate with at least two seeds; leave it out")
        if self.front and len(self.front) not in (2, 3):
            raise ValueError(
                "front names the reward and one cost or two, such as {reward: 80, macs: 1.0e+8};"
                f" got {', '.join(self.front)}"
            )
        for cost in list(self.front)[1:]:
            if self.front[cost] <= 0:
                raise ValueError(f"front.{cost} is above 0, got {self.front[cost]:g}")
        if self.front and self.job not in ("search", "simulate"):
            raise ValueError(f"front is of searches, and job is {self.job}; leave it out")
        for line, members in self.plot.lines.items():
            for unknown in set(members).difference(self.names):
                hint = did_you_mean(unknown, self.names)
                raise ValueError(f"plot.lines.{line}: {unknown!r} is no variation.{hint}")
        if self.tune and TUNED in self.vary:
            raise ValueError(f"vary names {TUNED!r}, which is what tune finds; call it otherwise")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """All variations, in the order of the table."""
        return (*([TUNED] if self.tune else []), *self.vary)


TUNED = "tuned"


class RankOptions(Section):
    """Options of the step ``rank``: architectures that are trained by themselves, too."""

    architectures: int = Field(20, ge=3, description="uniform draws, the same for all runs")
    epochs: int = Field(10, ge=1, description="of each of their trainings")


class AgainOptions(Section):
    """Options of the step ``again``: the best of a search, trained more than once."""

    top: int = Field(8, ge=1, description="networks that are trained again, as in the search")
    seeds: int = Field(3, ge=1, description="trainings of each, with Global.seed from 0 on")


class Reference(Section):
    """A value that another variation's run of the same seed tells."""

    of: str = Field(description="an earlier variation")
    value: str = Field(description="a number of its outcome, or folder")
    times: float = Field(1.0, description="factor")
    at_most: float | None = Field(None, description="upper limit, after the factor")
    whole: bool = Field(False, description="rounded down")
