"""Sections of a width search, apart from it so that reading a config needs no framework."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from autodl.agents.options import ControllerOptions
from autodl.config.paths import AbsolutePath
from autodl.config.sections import Section
from autodl.errors import ConfigError
from autodl.spaces.cell.architecture import CellPair
from autodl.spaces.codec import load_architecture
from autodl.spaces.width.architecture import NetworkName


class WidthOptions(Section):
    """``Width`` section: which widths to choose from, how, and what the result may cost."""

    mode: Literal["transition", "ordinal", "independent", "random"] = Field(
        "transition",
        description="sharing that is annealed, or stays ordinal or independent; random widths"
        " without any training",
    )
    network: NetworkName = "resnet20"
    candidates: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (4, 8, 16), description="widths of the first stage, ascending"
    )
    blockwise: bool = Field(False, description="blocks of a ResNet's stage give the same width")
    cells: AbsolutePath | None = Field(
        None, description="of network: cells, the JSON file of an architecture"
    )
    cells_per_stage: int = Field(3, ge=1, description="of network: cells")
    stages: int = Field(3, ge=1, description="of network: cells")
    convention: Literal["stem_and_3x3", "all", "all_and_bias"] = Field(
        "all", description="what counts as a multiply-accumulate, see spaces/width/cost.py"
    )
    budget_macs: int = Field(gt=0, description="the budget F_max, in multiply-accumulates")
    budget_range: tuple[float, float] = Field(
        (0.95, 1.0), description="cost of the result, in budgets; the authors: [0, 1.1]"
    )

    def read_cells(self) -> CellPair | None:
        """The cells of ``network: cells``; None without a file of them.

        Raises:
            ConfigError: the file holds something else.
        """
        if self.cells is None:
            return None
        found = load_architecture(self.cells)
        if not isinstance(found, CellPair):
            raise ConfigError(f"Width.cells {self.cells} holds no cell pair; give one of a search")
        return found

    def identity(self) -> dict[str, Any]:
        """Cells are known by what they are: their file may move."""
        cells = self.read_cells()
        return {**super().identity(), "cells": None if cells is None else cells.to_json()}

    @model_validator(mode="after")
    def _range_has_a_middle(self) -> Self:
        low, high = self.budget_range
        if not 0.0 <= low < high:
            raise ValueError(f"budget_range is [low, high] with 0 <= low < high, got {[low, high]}")
        return self


class SupernetOptions(Section):
    """``Supernet`` section: shared weights, their projections, and their training."""

    ADDED = ("projection_decay", "lowest_rate", "decay_biases", "border")

    epochs: int = Field(40, ge=1)
    warmup_epochs: int = Field(15, ge=0, description="with uniform widths and fixed projections")
    batch_size: int = Field(128, ge=2)
    learning_rate: float = Field(0.1, gt=0)
    schedule: Literal["step", "cosine"] = Field(
        "step", description="a tenth after half and after three quarters of the epochs, or a cosine"
    )
    lowest_rate: float = Field(0.0, ge=0, description="what a cosine falls to")
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(2e-4, ge=0)
    decay_biases: bool = Field(False, description="the classifier's bias decays like weights")
    pad_crop: int = Field(4, ge=0)
    border: Literal["mean", "black", "reflected"] = Field(
        "mean", description="what is padded: the mean colour, black, or the picture continued"
    )
    flip: Literal["none", "random", "alternating"] = "random"
    meta_width: int | None = Field(
        None, ge=1, description="meta channels of the first stage; null: the sum of the candidates"
    )
    overlap: float = Field(1.0, ge=0, le=1, description="at the start of a transition")
    noise: float = Field(1e-3, ge=0, description="deviation of what breaks the symmetry")
    per_pair: bool = Field(
        False, description="projections for each pair of candidates, as in the authors' code"
    )
    projection_rate: float | None = Field(
        None, gt=0, description="of the projections' descent; null: chosen by simulating it"
    )
    projection_weight: float = Field(5e-3, gt=0, description="of the orthogonality loss")
    projection_momentum: float = Field(0.9, ge=0, lt=1)
    projection_decay: float = Field(0.0, ge=0, description="weight decay, as the authors have it")
    projection_interval: int = Field(1, ge=1, description="updates of the weights for one of them")
    projection_loss: Literal["l1", "l2"] = "l1"
    detach: bool = Field(True, description="false: the cross-entropy moves the projections as well")
    statistics_batches: int = Field(
        8, ge=1, description="batches from which statistics are estimated before ranking"
    )

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if self.lowest_rate and self.schedule != "cosine":
            raise ValueError(
                f"lowest_rate {self.lowest_rate:g} is for schedule: cosine, got {self.schedule}"
            )
        if self.lowest_rate > self.learning_rate:
            raise ValueError(
                f"lowest_rate {self.lowest_rate:g} exceeds learning_rate {self.learning_rate:g}"
            )
        return self

    @model_validator(mode="after")
    def _leaves_time_for_annealing(self) -> Self:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs} leave none of {self.epochs} epochs to the"
                " controller; it must be below epochs"
            )
        return self


class PathOptions(ControllerOptions):
    """Of the path ``Controller`` of a recipe."""

    budget: float = Field(gt=0, description="F_max, in the space's convention")
    warmup_epochs: int = Field(15, ge=0, description="with uniform widths")


class DescentOptions(Section):
    """Of the hook ``ProjectionDescent`` of a recipe."""

    rate: float | None = Field(None, gt=0, description="null: projections stay as they are")
    warmup_epochs: int = Field(15, ge=0, description="with fixed projections")
    projection_weight: float = Field(5e-3, gt=0, description="of the orthogonality loss")
    projection_momentum: float = Field(0.9, ge=0, lt=1)
    projection_interval: int = Field(1, ge=1, description="updates of the weights for one of them")
    projection_loss: Literal["l1", "l2"] = "l1"
    projection_decay: float = Field(0.0, ge=0, description="weight decay, as the authors have it")
    detach: bool = Field(True, description="false: the cross-entropy moves the projections as well")
    overlap: float = Field(1.0, ge=0, le=1, description="at the start of a transition")
    noise: float = Field(1e-3, ge=0, description="deviation of what breaks the symmetry")
