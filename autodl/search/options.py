"""Sections of a search: ``Search``, ``Objectives``, ``Fidelity``, and those with few options."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from autodl.config.components import table
from autodl.config.sections import Section
from autodl.errors import UnknownNameError, lookup
from autodl.system.files import checksum


def _above_zero(workers: object) -> object:
    if isinstance(workers, int) and workers < 1:
        raise PydanticCustomError(
            "workers",
            "input should be at least 1 (to search in this process: Search.executor=inline)",
        )
    return workers


def _host_and_port(address: object) -> object:
    if isinstance(address, str) and not re.fullmatch(r"[\w.-]+:\d{1,5}", address):
        raise PydanticCustomError(
            "ray_address", "input should be host:port of a Ray head, such as 10.0.0.5:6379"
        )
    return address


def _known_scores(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        try:
            lookup(table("Score"), name, "score")
        except UnknownNameError as error:
            raise PydanticCustomError("score", "{reason}", {"reason": str(error)}) from None
    if len(set(names)) < len(names):
        raise PydanticCustomError("score", "each score is named once")
    return names


ScoreNames = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_known_scores)]
"""Names of the catalogue of scores, at least one, each once."""


class ScreenOptions(Section):
    """``Search.screen``: a ranking without training, of what may be trained."""

    scores: ScoreNames = Field(description="names of scores; each counts by its rank")
    pool: int = Field(500, ge=2, description="architectures that are drawn and scored at the start")
    keep: int = Field(50, ge=1, description="the best of the pool, which are the first proposals")
    batch_size: int = Field(128, ge=2, description="examples that every network is shown")

    @model_validator(mode="after")
    def _fewer_kept(self) -> ScreenOptions:
        if self.keep >= self.pool:
            raise PydanticCustomError(
                "keep", f"keep={self.keep} should be below pool={self.pool}, or nothing is ranked"
            )
        return self


class SearchOptions(Section):
    """How long a search runs, and on how many workers."""

    ADDED = ("first_failures", "repeat", "history", "screen", "start", "max_core_hours")

    max_trials: int = Field(100, ge=1, description="finished trials to end with")
    executor: Literal["processes", "inline", "ray"] = Field(
        "processes", description="worker processes; inline: this process; ray: a Ray cluster"
    )
    workers: Annotated[int | None, BeforeValidator(_above_zero)] = Field(
        None, description="trials at a time; null: one per core or GPU, of all machines with ray"
    )
    ray_address: Annotated[str | None, BeforeValidator(_host_and_port)] = Field(
        None, description="host:port of a Ray cluster; null: start Ray on this machine"
    )
    max_hours: float | None = Field(
        None, gt=0, description="wall clock of one start; running trials are cut and fail"
    )
    max_core_hours: float | None = Field(
        None,
        gt=0,
        description="of the processor, in all trials and starts; running trials are finished",
    )
    target_reward: float | None = Field(None, description="a reward that is enough to end with")
    trial_seconds: float | None = Field(
        None,
        gt=0,
        description="a trial (with Fidelity: a stage) that takes longer is stopped and fails",
    )
    trial_memory_mb: int | None = Field(
        None, ge=1, description="a trial whose worker grows larger is stopped and fails"
    )
    first_failures: int | None = Field(
        20, ge=1, description="so many trials that fail before any has a result end it; null: none"
    )
    note: str = Field("", description="printed at the end of the search")
    snapshot_every: int = Field(100, ge=1, description="tells between snapshots of the strategy")
    reuse: bool = Field(True, description="identical architectures share the first one's result")
    repeat: Literal["never", "allowed"] | None = Field(
        None,
        description="what was tried already; null: never, but allowed where children inherit, and"
        " a run goes on as it began",
    )
    cache: tuple[Path, ...] = Field((), description="folders of earlier runs to take results from")
    history: tuple[Path, ...] = Field(
        (), description="folders of earlier searches of the space that the strategy learns from"
    )
    screen: ScreenOptions | None = Field(
        None, description="train the best of a ranking by scores that need no training"
    )
    start: tuple[Path, ...] = Field(
        (),
        description="what is tried first, by any strategy: the best architectures of runs, files of"
        " one, or the names of shipped ones",
    )
    source: Path | None = Field(
        None,
        description="what ElasticTransfer starts from: a run's best architecture, a file of one, or"
        " the name of a shipped one",
    )


class CostTerm(Section):
    """How a cost enters the reward: times ``(cost / target) ** exponent``."""

    target: float = Field(gt=0)
    exponent: float = Field(-0.07, le=0)
    exponent_below: float | None = Field(
        None, le=0, description="up to the target; null: the same, 0: a cost within it is free"
    )


class ObjectivesOptions(Section):
    """``Objectives`` section: what is wanted besides accuracy."""

    ADDED = ("training_table",)

    minimise: tuple[str, ...] = Field((), description="costs of the Pareto front")
    limits: dict[str, Annotated[float, Field(gt=0)]] = Field(
        {}, description="the most that is allowed, checked before any training"
    )
    reward: dict[str, CostTerm] = Field({}, description="costs that the reward is traded off with")
    latency_table: Path | None = Field(None, description="made by autodl latency")
    training_table: Path | None = Field(
        None, description="made by autodl latency measure --training"
    )
    allow_foreign: bool = Field(
        False, description="the table is of another machine, or kernels, which the networks are for"
    )

    def identity(self) -> dict[str, Any]:
        """Tables are known by their content: their files may move."""
        found = {"latency_table": None, **super().identity()}
        for name in ("latency_table", "training_table"):
            if (table := getattr(self, name)) is not None:
                found[name] = checksum(table)
        return found

    @property
    def tables(self) -> dict[str, Path]:
        """The file of each measured cost, by the cost's name."""
        files = {"latency_ms": self.latency_table, "training_ms": self.training_table}
        return {name: path for name, path in files.items() if path is not None}

    @property
    def names(self) -> tuple[str, ...]:
        """All costs that are named."""
        return (*self.minimise, *self.limits, *self.reward)
