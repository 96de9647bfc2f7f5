"""``Search`` section, and sections of strategies and evaluators that take few options."""

from __future__ import annotations

from pydantic import Field

from autodl.config import Section


class SearchOptions(Section):
    """How long a search runs, and on how many workers."""

    max_trials: int = Field(100, ge=1, description="finished trials to end with")
    workers: int | None = Field(
        None, ge=0, description="processes; null: one per core or GPU, 0: in this process"
    )
    max_hours: float | None = Field(
        None, gt=0, description="wall clock of one start; running trials are cut and fail"
    )
    target_reward: float | None = Field(None, description="a reward that is enough to end with")
    trial_seconds: float | None = Field(
        None, gt=0, description="a trial that takes longer is stopped and fails"
    )
    trial_memory_mb: int | None = Field(
        None, ge=1, description="a trial whose worker grows larger is stopped and fails"
    )
    note: str = Field("", description="printed at the end of the search")
    snapshot_every: int = Field(100, ge=1, description="tells between snapshots of the strategy")


class NoOptions(Section):
    """For components that take no options."""


class TableOptions(Section):
    """``Evaluator`` section of a search in a table of finished trainings."""

    path: str = Field(description="a CSV file, or the name of a shipped one")


class TokenCountOptions(Section):
    """``Evaluator`` section of the token-count demo."""

    token: int = Field(1, ge=0, description="operation id that is counted")
