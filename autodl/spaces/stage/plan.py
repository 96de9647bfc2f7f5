"""The network of stages, as a plan.

Every convolution of a stage but the inner ones of a form is followed by a batch-norm and the
activation. A pool takes the maximum over 2x2; where the map has but one row or column, there is
nothing to halve and no pool.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import gcd

from autodl.errors import ConfigError
from autodl.plans.layers import (
    Add,
    BatchNorm,
    Conv,
    Gelu,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    Linear,
    MaxPool,
    Relu,
    Times,
)
from autodl.plans.plan import Plan, PlanBuilder
from autodl.plans.stacking import conv
from autodl.plans.step_table import StepTable
from autodl.spaces.stage.architecture import ConvStage, StageArchitecture
from autodl.spaces.stage.budget import scaled, sides, step_ms, widest, work

WHITENED = 24  # 3 colours of 2x2 pixels have 12 directions, each with both signs
GROUPS = 4
_NARROWER = 4  # a bottleneck has so many times fewer channels inside
_ACTIVATIONS: dict[str, type[Layer]] = {"relu": Relu, "gelu": Gelu}


def stage_plan(
    architecture: StageArchitecture,
    *,
    classes: int = 10,
    image_size: int = 32,
    macs: float | None = None,
    value_cost: float = 0.0,
    picture_ms: float | None = None,
    step_table: StepTable | None = None,
    norm_momentum: float = 0.9,
    norm_epsilon: float = 1e-5,
    output_scale: float | None = None,
) -> Plan:
    """Spell out the layers of a network of stages.

    Args:
        image_size: height and width of the RGB input.
        macs: what the network may cost: all widths are multiplied by the largest factor with which
            it does (``budget.widest``), and rounded to multiples of 8. None takes them as they are.
        value_cost: counted for each value of a map that something but a convolution reads.
        picture_ms: what a picture may take, forth and back, by ``step_table``, in place of
            ``macs``. Branches and pictures that grow count as in the architecture's training.
        norm_momentum, norm_epsilon: of all batch-norms.
        output_scale: what the outputs are multiplied by; the classifier has no bias then. None:
            nothing, and it has one.

    Raises:
        ConfigError: an argument is out of range, the architecture is of another space, or the
            pictures are too small for its stem.
        UnknownNameError: the table has not all kinds of layers.
    """
    if not isinstance(architecture, StageArchitecture):
        raise ConfigError(
            f"StageNetwork is made of stages, got a {type(architecture).__name__}; name the Network"
            " of the architecture's own space"
        )
    smallest = 2 if architecture.stem == "whitened" else 1
    if classes < 1 or image_size < smallest:
        raise ConfigError(
            f"a network with a {architecture.stem} stem has 1 or more classes and pictures of"
            f" {smallest}x{smallest} or more, got {classes} and {image_size}x{image_size}"
        )
    if macs is not None and macs <= 0:
        raise ConfigError(f"Network.macs must be above 0, got {macs:g}")
    maker = _Maker(classes, image_size, norm_momentum, norm_epsilon, output_scale)
    if (picture_ms is None) != (step_table is None):
        raise ConfigError("Network.picture_ms and step_table come together; one is missing")
    if picture_ms is not None and step_table is not None:
        choices = architecture.training_choices()
        forms, shares = dict(choices.branches), sides(image_size, choices.first_size)
        return _solved(
            maker, architecture, lambda p: step_ms(p, step_table, forms, shares), picture_ms
        )
    if macs is not None:
        return _solved(maker, architecture, lambda p: work(p, value_cost), macs)
    return maker.plan(architecture)


def _solved(
    maker: _Maker, architecture: StageArchitecture, cost: Callable[[Plan], float], budget: float
) -> Plan:
    """The plan of the largest widths that keep to a budget."""

    def plan(factor: float) -> Plan:
        return maker.plan(_widened(architecture, factor))

    widths = [stage.width for stage in architecture.present]
    if architecture.stem != "whitened":
        widths.append(architecture.stem_width)
    return plan(widest(lambda factor: cost(plan(factor)), max(widths, default=1), budget))


def _widened(architecture: StageArchitecture, factor: float) -> StageArchitecture:
    """The same with all widths that it has multiplied, in multiples of 8."""
    present, stem_width = architecture.present, architecture.stem_width
    stages = tuple(replace(stage, width=scaled(stage.width, factor)) for stage in present)
    if architecture.stem != "whitened":
        stem_width = scaled(stem_width, factor)
    return replace(architecture, stages=stages or architecture.stages, stem_width=stem_width)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Everything but the architecture."""

    classes: int
    image_size: int
    momentum: float
    epsilon: float
    output_scale: float | None

    def plan(self, architecture: StageArchitecture) -> Plan:
        builder = PlanBuilder((3, self.image_size, self.image_size))
        x = self._stem(builder, architecture)
        for number, stage in enumerate(architecture.present, start=1):
            x = self._stage(builder, x, f"stage{number}", stage)
        pool = GlobalAvgPool() if architecture.head == "mean" else GlobalMaxPool()
        x = builder.add("head.pool", pool, x)
        (features,) = builder.shape(x)
        scale = self.output_scale
        x = builder.add("head.classifier", Linear(features, self.classes, bias=scale is None), x)
        if scale is not None:
            builder.add("head.scale", Times(scale), x)
        return builder.finish()

    def _stem(self, builder: PlanBuilder, architecture: StageArchitecture) -> int:
        stages = architecture.present
        activation = stages[0].activation if stages else "relu"
        if architecture.stem == "whitened":
            x = builder.add("stem.conv", Conv(3, WHITENED, (2, 2)), 0)
            return _activated(builder, x, "stem", activation)
        x = conv(builder, 0, "stem.conv", architecture.stem_width, 3)
        return self._normalised(builder, x, "stem", activation)

    def _stage(self, builder: PlanBuilder, x: int, name: str, stage: ConvStage) -> int:
        kind, reduction = stage.activation, stage.reduction
        if reduction == "pool_conv":
            x = _pooled(builder, x, name)
        stride = 2 if reduction == "stride" else 1
        x = self._formed(builder, x, f"{name}.layer0", stage, stride)
        if reduction == "conv_pool":
            x = _pooled(builder, x, name)
        x = self._normalised(builder, x, f"{name}.layer0", kind)
        if reduction == "norm_pool":
            x = _pooled(builder, x, name)
        entry, last = x, stage.convolutions - 1
        for number in range(1, stage.convolutions):
            layer = f"{name}.layer{number}"
            x = self._formed(builder, x, layer, stage, 1)
            x = self._norm(builder, x, layer)
            if number == last and stage.residual == "before_activation":
                x = builder.add(f"{name}.sum", Add(), x, entry)
            x = _activated(builder, x, layer, kind)
        if last and stage.residual == "after_activation":
            x = builder.add(f"{name}.sum", Add(), x, entry)
        return _pooled(builder, x, name) if reduction == "end_pool" else x

    def _formed(
        self, builder: PlanBuilder, x: int, name: str, stage: ConvStage, stride: int
    ) -> int:
        """Append a convolution in the form of its stage, without the norm behind it."""
        inputs, width, kernel, kind = (
            builder.shape(x)[0],
            stage.width,
            stage.kernel,
            stage.activation,
        )
        if stage.form == "bottleneck":
            inner = max(width // _NARROWER, 1)
            x = conv(builder, x, f"{name}.squeeze.conv", inner, 1)
            x = self._normalised(builder, x, f"{name}.squeeze", kind)
            x = conv(builder, x, f"{name}.inner.conv", inner, kernel, stride)
            x = self._normalised(builder, x, f"{name}.inner", kind)
            return conv(builder, x, f"{name}.conv", width, 1)
        if stage.form in ("grouped", "depthwise"):
            groups = inputs if stage.form == "depthwise" else gcd(inputs, GROUPS)
            x = conv(builder, x, f"{name}.inner.conv", inputs, kernel, stride, groups)
            x = self._normalised(builder, x, f"{name}.inner", kind)
            return conv(builder, x, f"{name}.conv", width, 1)
        return conv(
            builder, x, f"{name}.conv", width, 3 if stage.form == "repvgg" else kernel, stride
        )

    def _norm(self, builder: PlanBuilder, x: int, name: str) -> int:
        norm = BatchNorm(builder.shape(x)[0], momentum=self.momentum, epsilon=self.epsilon)
        return builder.add(f"{name}.norm", norm, x)

    def _normalised(self, builder: PlanBuilder, x: int, name: str, activation: str) -> int:
        return _activated(builder, self._norm(builder, x, name), name, activation)


def _activated(builder: PlanBuilder, x: int, name: str, activation: str) -> int:
    return builder.add(f"{name}.{activation}", _ACTIVATIONS[activation](), x)


def _pooled(builder: PlanBuilder, x: int, name: str) -> int:
    _, height, width = builder.shape(x)
    if min(height, width) < 2:
        return x
    return builder.add(f"{name}.pool", MaxPool((2, 2), (2, 2)), x)
