"""Options of evaluators."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from autodl.config.paths import AbsolutePath
from autodl.config.sections import Section
from autodl.runs.folder import SEALS, WEIGHTS, read_manifest
from autodl.search.options import ScoreNames


class TrainingOptions(Section):
    """``Evaluator`` section of a search that trains its networks."""

    ADDED = ("common_seed",)

    common_seed: int | None = Field(
        None,
        ge=0,
        lt=2**31,
        description="of all trials: weights, order and changes of examples; null: each its own",
    )


class TableOptions(Section):
    """``Evaluator`` section of a search in a table of finished trainings."""

    ADDED = ("reward",)

    path: str = Field(description="a CSV file, or the name of a shipped one; or arrays in an .npz")
    reward: str | None = Field(
        None, description="column that is the reward; null: the one of this name"
    )


class TokenCountOptions(Section):
    """``Evaluator`` section of the token-count demo."""

    token: int = Field(1, ge=0, description="operation id that is counted")


class TargetMatchOptions(Section):
    """``Evaluator`` section of the synthetic tasks of mobile networks."""

    task: int = Field(0, ge=0, description="draws the target; other numbers, unrelated targets")
    moved: int = Field(0, ge=0, le=35, description="primitives of the target with another value")


class ZeroCostOptions(Section):
    """``Evaluator`` section of a search whose rewards are scores of networks without training."""

    scores: ScoreNames = Field(
        ("naswot",), description="the first is the reward, each is kept as a metric"
    )
    batch_size: int = Field(128, ge=2, description="examples that every network is shown")
    seed: int = Field(0, ge=0, lt=2**31, description="of the examples and of all first weights")


class SupernetRunOptions(Section):
    """``Evaluator`` section of a search in a trained supernet."""

    run: AbsolutePath = Field(description="folder of a supernet that autodl train made")

    def identity(self) -> dict[str, Any]:
        """The supernet is known by its weights: its folder may move.

        Raises:
            StoreError: there is no run.
        """
        weights = read_manifest(self.run).get(SEALS, {}).get(WEIGHTS)
        return {**super().identity(), "run": weights}

    def within(self, space: Any) -> Any:
        """What the supernet has left of a search's space; see ``space_left.py``."""
        from autodl.supernets.single_path.space_left import within

        return within(self.run, space)


class AngleOptions(SupernetRunOptions):
    """``Evaluator`` section of a search by the angles of a supernet's weights."""

    ADDED = ("shared",)

    shared: bool = Field(
        True, description="whether the layers that all architectures have count, as in the source"
    )


class SharedWeightsOptions(SupernetRunOptions):
    """``Evaluator`` section of a search by held-out examples in a supernet."""

    batches: int = Field(16, ge=1, description="training batches that statistics are estimated on")
    batch_size: int = Field(64, ge=2, description="examples in each of them")
    seed: int = Field(0, ge=0, lt=2**31, description="draws which")
