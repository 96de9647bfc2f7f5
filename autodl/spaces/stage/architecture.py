"""Networks of stages: what each stage is made of, stem and head, and how they are trained.

A stage is a first convolution that brings the maps to its width, perhaps halves them, and up to
three more. Layers are spelled out in ``autodl/spaces/stage/plan.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from autodl.errors import EncodingError, did_you_mean
from autodl.spaces.foreign_json import check_keys, check_version, short
from autodl.spaces.training_choices import TrainingChoices

JSON_VERSION = 1
MAX_STAGES, MAX_WIDTH, MAX_FACTOR = 8, 4096, 1000.0
# A value's position is its code; files hold names, and new ones go to the end.
REDUCTIONS = ("none", "stride", "pool_conv", "conv_pool", "norm_pool", "end_pool")
CONVOLUTIONS = (0, 1, 2, 3, 4)
KERNELS = (3, 5)
BRANCHES = ("acb", "dbb", "repvgg")
FORMS = ("dense", "grouped", "bottleneck", "depthwise", *BRANCHES)
RESIDUALS = ("none", "before_activation", "after_activation")
ACTIVATIONS = ("relu", "gelu")
STEMS = ("whitened", "conv_3x3")
HEADS = ("mean", "max")
# What the space chooses from unless it is told.
WIDTHS, STEM_WIDTHS = (32, 64, 96, 128, 192, 256, 384, 512), (32, 64)
FACTORS = (0.5, 0.7, 1.0, 1.4, 2.0)


def _one_of(what: str, value: object, known: tuple[str | int, ...]) -> None:
    if value not in known or isinstance(value, bool | float):
        names = tuple(map(str, known))
        raise EncodingError(
            f"{what} is one of {', '.join(names)}; got {short(value)}."
            f"{did_you_mean(str(value), names)}"
        )


def _whole(what: str, value: object, highest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
        raise EncodingError(f"{what} is a whole number from 1 to {highest}, got {short(value)}")


def _factor(what: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_FACTOR:
        raise EncodingError(
            f"{what} is a factor above 0, at most {MAX_FACTOR:g}, got {short(value)}"
        )
    return float(value)


@dataclass(frozen=True, slots=True)
class ConvStage:
    """One stage.

    Attributes:
        width: channels of its maps.
        reduction: where the maps are halved: not at all (``none``), by the ``stride`` of the first
            convolution, by a maximum over 2x2 in front of it (``pool_conv``), between it and its
            norm (``conv_pool``), behind its activation (``norm_pool``), or at the end of the stage
            (``end_pool``).
        convolutions: how many there are; a stage of 0 is not there.
        kernel: 3 or 5; that of ``repvgg`` is 3 always.
        form: of all its convolutions: ``dense``; ``grouped``, of 4 groups (or 2, where
            4 does not divide), and ``depthwise``, of as
            many as channels, each with a 1x1 behind it; a ``bottleneck`` of a quarter of the width
            between two 1x1; or a dense one that is trained with the branches of ``acb``, ``dbb`` or
            ``repvgg``.
        residual: whether what the first convolution gives is added to what the others make of it,
            before or after the last activation.
        activation: ``relu`` or ``gelu``.

    Raises:
        EncodingError: another value.
    """

    width: int
    reduction: str = "none"
    convolutions: int = 1
    kernel: int = 3
    form: str = "dense"
    residual: str = "none"
    activation: str = "relu"

    def __post_init__(self) -> None:
        _whole("a stage's width", self.width, MAX_WIDTH)
        _one_of("a stage's reduction", self.reduction, REDUCTIONS)
        _one_of("a stage's number of convolutions", self.convolutions, CONVOLUTIONS)
        _one_of("a stage's kernel", self.kernel, KERNELS)
        _one_of("a stage's form", self.form, FORMS)
        _one_of("a stage's residual", self.residual, RESIDUALS)
        _one_of("a stage's activation", self.activation, ACTIVATIONS)


@dataclass(frozen=True, slots=True)
class StageArchitecture:
    """The stages of a network, its stem and head, and what is special about its training.

    Attributes:
        stages: 1 to 8, from the stem to the head.
        stem: ``whitened``, a 2x2 convolution of 24 outputs and no padding, which ``Train`` can make
            a whitening of the pictures; or ``conv_3x3`` with a norm. Its activation is that of the
            first stage.
        stem_width: channels of ``conv_3x3``.
        head: what the classifier reads of a map, its ``mean`` or its ``max``.
        rate, decay, first_size: see ``TrainingChoices``.

    Raises:
        EncodingError: another value.
    """

    stages: tuple[ConvStage, ...]
    stem: str = "whitened"
    stem_width: int = 64
    head: str = "max"
    rate: float = 1.0
    decay: float = 1.0
    first_size: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", tuple(self.stages))
        if not 1 <= len(self.stages) <= MAX_STAGES:
            raise EncodingError(f"a network has 1 to {MAX_STAGES} stages, got {len(self.stages)}")
        _one_of("a network's stem", self.stem, STEMS)
        _whole("a network's stem_width", self.stem_width, MAX_WIDTH)
        _one_of("a network's head", self.head, HEADS)
        for name in ("rate", "decay"):
            object.__setattr__(self, name, _factor(f"a network's {name}", getattr(self, name)))
        if self.first_size is not None:
            _whole("a network's first_size", self.first_size, MAX_WIDTH)

    @property
    def present(self) -> tuple[ConvStage, ...]:
        """The stages that have a convolution."""
        return tuple(stage for stage in self.stages if stage.convolutions)

    def training_choices(self) -> TrainingChoices:
        """Rate, decay and first size; no whitening of a 3x3 stem; the branches of stages."""
        branches = tuple(
            (f"stage{number}", stage.form)
            for number, stage in enumerate(self.present, start=1)
            if stage.form in BRANCHES
        )
        whiten = self.stem == "whitened"
        return TrainingChoices(self.rate, self.decay, self.first_size, whiten, branches)

    def to_json(self) -> dict[str, Any]:
        """A versioned JSON object; everything is stored by name."""
        stages = [{name: getattr(stage, name) for name in _OF_STAGE} for stage in self.stages]
        rest = {name: getattr(self, name) for name in _OF_NETWORK if name != "stages"}
        return {"kind": "stages", "version": JSON_VERSION, "stages": stages, **rest}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> StageArchitecture:
        """Decode ``to_json``'s object.

        Raises:
            EncodingError: another version, a missing or surplus key, or anything that the values
                refuse.
        """
        check_version(value, "stages", JSON_VERSION)
        check_keys(value, {"kind", "version", *_OF_NETWORK}, "a network of stages")
        stages = value["stages"]
        if not isinstance(stages, list):
            raise EncodingError(f"stages must be a list of objects, got {short(stages)}")
        decoded = tuple(_stage_from_json(stage, number) for number, stage in enumerate(stages))
        return cls(decoded, **{name: value[name] for name in _OF_NETWORK if name != "stages"})


_OF_STAGE = tuple(field.name for field in fields(ConvStage))
_OF_NETWORK = tuple(field.name for field in fields(StageArchitecture))


def _stage_from_json(value: object, number: int) -> ConvStage:
    if not isinstance(value, Mapping):
        raise EncodingError(f"stage {number} must be an object, got {short(value)}")
    check_keys(value, set(_OF_STAGE), f"stage {number}")
    try:
        return ConvStage(**value)
    except EncodingError as error:
        raise EncodingError(f"stage {number}: {error}") from None
