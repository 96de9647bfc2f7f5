"""The configuration of a training: its sections, checked together, and what it identifies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from autodl.config.components import Component, read_component, read_general
from autodl.config.plugins import plugin_identity
from autodl.config.reading import RawConfig, load_config
from autodl.config.sections import GlobalOptions, Section, check_sections, read_section
from autodl.data.options import DataOptions
from autodl.errors import ConfigError
from autodl.recipes.options import TrainOptions


class EvaluationOptions(Section):
    """``Evaluation`` section: how the trained network is measured, and how often on the way."""

    interval: int = Field(1, ge=1, description="epochs between two measurements")
    mirrored: bool = Field(
        False, description="in the end, take means over each picture and its mirror image"
    )


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A checked configuration of a training."""

    general: GlobalOptions
    network: Component
    data: DataOptions
    train: TrainOptions
    evaluation: EvaluationOptions

    def to_plain(self) -> dict[str, Any]:
        """Every key with its value, as a config file would give it."""
        return {
            "Global": self.general.model_dump(mode="json"),
            "Network": self.network.to_plain(),
            "Data": self.data.model_dump(mode="json"),
            "Train": self.train.model_dump(mode="json"),
            "Evaluation": self.evaluation.model_dump(mode="json"),
        }

    def identity(self) -> dict[str, Any]:
        """What must not change when a training is resumed: all but device and place of data."""
        plain = self.to_plain()
        del plain["Global"]["device"], plain["Data"]["path"], plain["Evaluation"]
        plain["Network"], plain["Train"] = self.network.identity(), self.train.identity()
        plain["Global"]["plugins"] = plugin_identity(self.general.plugins)
        return plain


def load_train(path: Path | str, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read the configuration of a training, and import its plugins.

    Raises:
        ConfigError: the file or an override is unusable.
        PluginError: a plugin cannot be imported.
    """
    return resolve_train(load_config(Path(path), overrides))


def resolve_train(raw: RawConfig) -> TrainConfig:
    """Check the values of a training's configuration, section by section."""
    check_sections(raw, ("Global", "Network", "Data", "Train", "Evaluation"))
    config = TrainConfig(
        general=read_general(raw),
        network=read_component(raw, "Network"),
        data=read_section(DataOptions, raw, "Data"),
        train=read_section(TrainOptions, raw, "Train"),
        evaluation=read_section(EvaluationOptions, raw, "Evaluation"),
    )
    if config.train.inherit:
        raise ConfigError(
            "Train.inherit=true is for the children of a search; a network that is trained here"
            " starts from scratch, so leave it out"
        )
    return config
