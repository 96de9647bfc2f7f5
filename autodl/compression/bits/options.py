"""Options of compression, apart from it so that reading a config needs no framework."""

from __future__ import annotations

from math import ceil, log2
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from autodl.config.paths import AbsolutePath
from autodl.config.sections import Section

Bits = Annotated[int, Field(ge=1, le=16)]


class PlaceOptions(Section):
    """``Data`` section: where the pictures are now; all else is that of the training."""

    path: AbsolutePath | None = Field(
        None, description="null: where they were when the network was trained"
    )


class LayersOptions(Section):
    """``Layers`` section: which layers stay in full precision."""

    keep_ends: bool = Field(True, description="the first and the last layer")
    keep: tuple[str, ...] = Field((), description="paths of layers; * stands for any letters")


class BayesianBitsOptions(Section):
    """``Compression`` section of ``BayesianBits``; ``Train`` is its one training."""

    truncation: int = Field(16, ge=2, le=65_536, description="most levels of a layer")
    alpha: float = Field(1.0, gt=0, description="of the Dirichlet process: more means more levels")
    variant: Literal["G", "U"] = Field("G", description="levels anywhere, or on an even grid")
    tolerance: float = Field(
        0.2, ge=1e-5, description="of rounding, as a share of the weights' deviation"
    )
    by_sensitivity: bool = Field(
        True, description="tolerate less where the loss depends on it, and more elsewhere"
    )
    mass: float | None = Field(
        None, gt=0, lt=1, description="of the components that count; null: 0.99 (G), 0.9 (U)"
    )
    least_bits: Bits = Field(1, description="of every layer")
    interval: int = Field(50, ge=1, description="updates between two rounds of inference")
    sweeps: int = Field(20, ge=1, description="of coordinate ascent in a round, at most")
    points: int = Field(2_048, ge=16, description="that a layer is put together to, at most")
    first_pull: float = Field(0.05, ge=0, description="lambda of the first proximal step")
    last_pull: float = Field(2.0, ge=0, description="lambda of the last one; linear between")

    @model_validator(mode="after")
    def _bits_within_truncation(self) -> Self:
        most = ceil(log2(self.truncation))
        if self.least_bits > most:
            raise ValueError(
                f"least_bits must be at most {most}, the bits of truncation {self.truncation}; got"
                f" {self.least_bits}"
            )
        return self


class UniformBitsOptions(Section):
    """``Compression`` section of ``UniformBits``: the same bits everywhere, nothing is searched."""

    bits: Bits = Field(4, description="of every layer")


class BitSearchOptions(Section):
    """``Compression`` section of ``BitSearch``: DDPG over roll-outs, as published."""

    # a search that was begun without it goes on without it
    ADDED = ("count_levels",)

    average_bits: float = Field(3.0, ge=1, le=16, description="most, weighted by size")
    count_levels: bool = Field(True, description="as bits, too: two float32 numbers of every layer")
    least_bits: Bits = Field(2, description="of a layer")
    most_bits: Bits = Field(8, description="of a layer")
    rollouts: int = Field(200, ge=1, description="at most")
    seconds: float | None = Field(None, gt=0, description="no roll-out is begun after so many")
    warm_up: int = Field(50, ge=0, description="roll-outs of random bits before learning")
    updates: int = Field(20, ge=1, description="in a roll-out, by Train at its highest rate")
    reward_pictures: int = Field(
        1_000, ge=1, description="nothing was trained on them, if the training left so many over"
    )
    hidden: int = Field(64, ge=1, description="width of actor and critic")
    actor_rate: float = Field(1e-3, gt=0)
    critic_rate: float = Field(1e-2, gt=0)
    discount: float = Field(1.0, gt=0, le=1)
    target_rate: float = Field(0.01, gt=0, le=1, description="tau of the target networks")
    batch_size: int = Field(64, ge=1, description="transitions in an update")
    noise: float = Field(0.5, ge=0, description="deviation of the first actions, of 0..1")
    noise_decay: float = Field(0.97, gt=0, le=1, description="of the noise, each roll-out")

    @model_validator(mode="after")
    def _bits_in_order(self) -> Self:
        highest = min(self.average_bits, self.most_bits)
        if self.least_bits > highest:
            raise ValueError(
                f"least_bits must be at most average_bits {self.average_bits:g} and most_bits"
                f" {self.most_bits}, got {self.least_bits}"
            )
        return self


class FoundBitsOptions(Section):
    """``Compression`` section of ``FoundBits``: what a longer search had found by then."""

    run: AbsolutePath = Field(description="a finished compression by BitSearch of the same network")
    seconds: float = Field(gt=0, description="of that search")

    def identity(self) -> dict[str, Any]:
        """The run is known by its name: studies may move."""
        return {**super().identity(), "run": self.run.name}
