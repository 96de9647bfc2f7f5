"""The configuration of a training: its sections, checked together, and what it identifies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from autodl.config.components import Component
from autodl.config.job import Part, Sections
from autodl.config.reading import RawConfig
from autodl.config.sections import GlobalOptions, Section
from autodl.data.options import ExampleOptions
from autodl.errors import ConfigError
from autodl.recipes.options import TrainOptions


class EvaluationOptions(Section):
    """``Evaluation`` section: how the trained network is measured, and how often on the way."""

    interval: int = Field(1, ge=1, description="epochs between two measurements")
    mirrored: bool = Field(
        False, description="in the end, take means over each picture and its mirror image"
    )
    six_views: bool = Field(
        False, description="and measure means over these two shifted by a pixel, too, beside it"
    )


@dataclass(frozen=True, slots=True)
class TrainConfig(Sections):
    """A checked configuration of a training."""

    general: Annotated[GlobalOptions, Part("Global", free=("device",))]
    network: Annotated[Component, Part("Network")]
    data: Annotated[ExampleOptions, Part("Data", free=("path", "test_path"))]
    train: Annotated[TrainOptions, Part("Train")]
    evaluation: Annotated[EvaluationOptions, Part("Evaluation", identifies=False)]

    def check(self, raw: RawConfig) -> None:
        """Refuse what only a search can do.

        Raises:
            ConfigError: children are to inherit.
        """
        if self.train.inherit:
            raise ConfigError(
                "Train.inherit=true is for the children of a search; a network that is trained"
                " here starts from scratch, so leave it out"
            )


load_train, resolve_train = TrainConfig.load, TrainConfig.resolve
