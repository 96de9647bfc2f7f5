"""The space of networks of stages and of their trainings: every one is a row of decisions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from autodl.errors import ConfigError, EncodingError
from autodl.spaces.membership import check_used, codes_of, of_kind, values_of
from autodl.spaces.rows import random_row
from autodl.spaces.space import Integers
from autodl.spaces.stage.architecture import (
    ACTIVATIONS,
    CONVOLUTIONS,
    FACTORS,
    FORMS,
    HEADS,
    KERNELS,
    MAX_STAGES,
    REDUCTIONS,
    RESIDUALS,
    STEM_WIDTHS,
    STEMS,
    WIDTHS,
    ConvStage,
    StageArchitecture,
)

# names of the space's options, and what of a stage or a network each is of, in the order of rows
_OF_STAGE = {
    "widths": "width",
    "reductions": "reduction",
    "convolutions": "convolutions",
    "kernels": "kernel",
    "forms": "form",
    "residuals": "residual",
    "activations": "activation",
}
_OF_NETWORK = {
    "stems": "stem",
    "stem_widths": "stem_width",
    "heads": "head",
    "rates": "rate",
    "decays": "decay",
    "first_sizes": "first_size",
}


@dataclass(frozen=True, slots=True)
class StageSpace:
    """All networks of up to ``stages`` stages over the values that are named.

    A row has the decisions of each stage, from the stem on, then those of the network and of its
    training; a code is a position among the values of this space. Where ``convolutions`` has a 0,
    a stage may be missing. ``by_ratio`` is whether the network multiplies all widths to meet a
    budget, so that networks of twice the widths are the same.

    Raises:
        ConfigError: not 1 to 8 stages, or nothing to choose from, an unknown value, or one twice.
    """

    stages: int = 4
    widths: tuple[int, ...] = WIDTHS
    reductions: tuple[str, ...] = REDUCTIONS
    convolutions: tuple[int, ...] = CONVOLUTIONS
    kernels: tuple[int, ...] = KERNELS
    forms: tuple[str, ...] = FORMS
    residuals: tuple[str, ...] = RESIDUALS
    activations: tuple[str, ...] = ACTIVATIONS
    stems: tuple[str, ...] = STEMS
    stem_widths: tuple[int, ...] = STEM_WIDTHS
    heads: tuple[str, ...] = HEADS
    rates: tuple[float, ...] = FACTORS
    decays: tuple[float, ...] = FACTORS
    first_sizes: tuple[int | None, ...] = (None,)
    by_ratio: bool = False

    kind: ClassVar[str] = "stages"

    def __post_init__(self) -> None:
        if not 1 <= self.stages <= MAX_STAGES:
            raise ConfigError(f"Space.stages must be 1 to {MAX_STAGES}, got {self.stages}")
        for name in (*_OF_STAGE, *_OF_NETWORK):
            values = tuple(getattr(self, name))
            object.__setattr__(self, name, values)
            _check_values(name, values)

    @property
    def alternatives(self) -> tuple[tuple[Any, ...], ...]:
        """The values that each decision is between, in the order of the row."""
        stage = tuple(getattr(self, name) for name in _OF_STAGE)
        return (*(stage * self.stages), *(getattr(self, name) for name in _OF_NETWORK))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of choices of each decision."""
        return tuple(map(len, self.alternatives))

    @property
    def labels(self) -> tuple[str, ...]:
        """The stage and what of it each decision is, or what of the network."""
        stages = range(1, self.stages + 1)
        of_stages = (f"stage {number} {name}" for number in stages for name in _OF_STAGE.values())
        return (*of_stages, *(name.replace("_", " ") for name in _OF_NETWORK.values()))

    def decode(self, row: Integers) -> StageArchitecture:
        """The architecture with these codes: int ``[7 * stages + 6]``.

        Raises:
            EncodingError: another number of codes, no integers, or one that is out of range.
        """
        values = values_of(row, self.alternatives)
        each, end = len(_OF_STAGE), len(_OF_STAGE) * self.stages
        stages = (ConvStage(*values[first : first + each]) for first in range(0, end, each))
        return StageArchitecture(tuple(stages), *values[end:])

    def encode(self, architecture: StageArchitecture) -> Integers:
        """Codes of an architecture: the inverse of ``decode``, int64 ``[7 * stages + 6]``.

        Raises:
            ConfigError: it is none of this space.
        """
        return codes_of(_values(self.check(architecture)), self.alternatives)

    def check(self, architecture: object) -> StageArchitecture:
        """Return the architecture if it is of this space, else raise ConfigError."""
        network = of_kind(architecture, StageArchitecture, "networks of stages")
        if len(network.stages) != self.stages:
            raise ConfigError(
                f"an architecture of {len(network.stages)} stages is not of this space of"
                f" {self.stages}; set Space.stages"
            )
        for label, some, value in zip(
            self.labels, self.alternatives, _values(network), strict=True
        ):
            check_used([value], some, f"the architecture's {label} is")
        return network

    def sample(self, rng: np.random.Generator) -> StageArchitecture:
        """An architecture with every decision uniform and independent."""
        return self.decode(random_row(self.sizes, rng))

    def canonical(self, architecture: StageArchitecture) -> StageArchitecture:
        """The same network and training, with the first value of what has no effect on either.

        That is everything about a stage that is missing, which goes to the end; a residual around
        nothing; the kernel of ``repvgg``; the width of a whitened stem; and of one convolution,
        whether a pool is behind it or behind the stage. Widths ``by_ratio`` are halved while the
        space has all halves; other equal ratios may be rounded to other widths.

        Raises:
            ConfigError: it is none of this space.
        """
        known = self.check(architecture)
        there = [self._canonical_stage(stage) for stage in known.present]
        first = {name: getattr(self, option)[0] for option, name in _OF_STAGE.items()}
        missing = [ConvStage(**{**first, "convolutions": 0})] * (self.stages - len(there))
        stem_width = known.stem_width
        while self.by_ratio and (half := self._half(there, known.stem, stem_width)) is not None:
            there, stem_width = half
        if known.stem == "whitened":
            stem_width = self.stem_widths[0]
        return replace(known, stages=(*there, *missing), stem_width=stem_width)

    def _half(
        self, stages: list[ConvStage], stem: str, stem_width: int
    ) -> tuple[list[ConvStage], int] | None:
        """Stages and stem of half the width; None where the space has none, or there is nothing."""
        stems = (stem_width,) if stem != "whitened" else ()
        widths = [(stage.width, self.widths) for stage in stages]
        widths += [(width, self.stem_widths) for width in stems]
        if not widths or any(width % 2 or width // 2 not in some for width, some in widths):
            return None
        return [replace(stage, width=stage.width // 2) for stage in stages], stem_width // 2

    def _canonical_stage(self, stage: ConvStage) -> ConvStage:
        if stage.form == "repvgg":
            stage = replace(stage, kernel=self.kernels[0])
        if stage.convolutions > 1:
            return stage
        ends = [name for name in self.reductions if name in ("norm_pool", "end_pool")]
        reduction = ends[0] if stage.reduction in ends else stage.reduction
        return replace(stage, residual=self.residuals[0], reduction=reduction)


def _check_values(name: str, values: tuple[Any, ...]) -> None:
    """Raise ConfigError for values that a stage or a network refuses, none, or one twice."""
    if not values or len(set(values)) < len(values):
        raise ConfigError(
            f"Space.{name} must be some values, each once; got {_listed(values) or 'none'}"
        )
    try:
        for value in values:
            if name in _OF_STAGE:
                ConvStage(**{"width": 1, _OF_STAGE[name]: value})
            else:
                StageArchitecture((ConvStage(1),), **{_OF_NETWORK[name]: value})
    except EncodingError as error:
        raise ConfigError(f"Space.{name}: {error}") from None


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _values(architecture: StageArchitecture) -> list[Any]:
    """The decisions behind an architecture, in the order of the row."""
    of_stages = [
        getattr(stage, name) for stage in architecture.stages for name in _OF_STAGE.values()
    ]
    return [*of_stages, *(getattr(architecture, name) for name in _OF_NETWORK.values())]
