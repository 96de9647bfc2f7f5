"""Layers of one kind in many sizes: what a table of measured steps goes by.

A kind is all that is special about a layer; its sizes are channels and the side of its maps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from math import prod
from typing import Any

from autodl.plans.layers import BatchNorm, Conv, Layer, Linear, Shape
from autodl.plans.plan import Plan

Sizes = tuple[float, ...]
_CHANNELS = ("in_channels", "out_channels", "channels", "in_features", "out_features", "groups")
_IDLE = ("momentum", "epsilon", "weight_std", "factor")  # numbers that cost nothing


@dataclass(frozen=True, slots=True)
class Kind:
    """A layer without its sizes.

    Attributes:
        example: a layer of the kind, of any size.
        inputs: how many maps it reads.
        on_pictures: whether it reads the network's input, which has no gradient.
        form: what a convolution is trained as (``acb``, ``dbb``, ``repvgg``); empty: as it is.
    """

    example: Layer
    inputs: int = 1
    on_pictures: bool = False
    form: str = ""

    @property
    def name(self) -> str:
        """A text that is the same in every version: ``Conv kernel=3x3 padding=1x1x1x1 bias=0``."""
        layer = self.example
        words = [type(layer).__name__]
        for field in fields(layer):
            value = getattr(layer, field.name)
            if field.name not in (*_CHANNELS, *_IDLE) and value != field.default:
                words.append(f"{field.name}={_text(value)}")
        if isinstance(layer, Conv) and layer.groups > 1:
            words.append(
                "depthwise" if layer.groups == layer.in_channels else f"groups={layer.groups}"
            )
        if self.inputs > 1:
            words.append(f"of {self.inputs}")
        if self.on_pictures:
            words.append("on pictures")
        if self.form:
            words.append(f"as {self.form}")
        return " ".join(words)

    @property
    def axes(self) -> tuple[str, ...]:
        """What its sizes are: ``channels``, or those that go in and out, and the maps' ``side``."""
        layer = self.example
        if isinstance(layer, Linear):
            return "in", "out"
        if isinstance(layer, Conv) and (
            layer.groups == 1 or layer.in_channels != layer.out_channels
        ):
            return "in", "out", "side"
        return "channels", "side"

    def of_sizes(self, sizes: Sizes) -> tuple[Layer, tuple[Shape, ...]]:
        """The layer of these sizes, and the shapes of its inputs; sizes are whole numbers.

        Raises:
            ValueError: there is no such layer, as a window that is larger than the maps.
        """
        of = {axis: int(size) for axis, size in zip(self.axes, sizes, strict=True)}
        layer, channels = self.example, of.get("channels", of.get("in", 1))
        if isinstance(layer, Linear):
            return replace(layer, in_features=channels, out_features=of["out"]), ((channels,),)
        if isinstance(layer, Conv):
            groups = channels if layer.groups == layer.in_channels > 1 else layer.groups
            out = of.get("out", channels)
            layer = replace(layer, in_channels=channels, out_channels=out, groups=groups)
        if isinstance(layer, BatchNorm):
            layer = replace(layer, channels=channels)
        shapes = ((channels, of["side"], of["side"]),) * self.inputs
        layer.output_shape(*shapes)
        return layer, shapes


@lru_cache(maxsize=2**16)
def _named(kind: Kind) -> str:
    return kind.name


@lru_cache(maxsize=2**16)
def _sizes(kind: Kind, shape: Shape) -> Sizes:
    layer = kind.example
    if isinstance(layer, Linear):
        return layer.in_features, layer.out_features
    side = prod(shape[1:]) ** 0.5
    if kind.axes == ("in", "out", "side") and isinstance(layer, Conv):
        return layer.in_channels, layer.out_channels, side
    return shape[0], side


def sized_layers(plan: Plan, forms: Mapping[str, str]) -> Iterator[tuple[str, Kind, Sizes]]:
    """Every layer that takes time in a training: the name of its kind, the kind, and its sizes.

    A batch-norm right behind a convolution that is trained in another form is part of that.

    Args:
        forms: paths of parts of the network, each with what its convolutions are trained as.
    """
    records = plan.records
    formed = {
        place: form
        for part, form in forms.items()
        for place, record in enumerate(records)
        if isinstance(record.layer, Conv) and record.name.startswith(f"{part}.")
    }
    for place, record in enumerate(records[1:], start=1):
        if isinstance(record.layer, BatchNorm) and record.inputs[0] in formed:
            continue
        kind = Kind(record.layer, len(record.inputs), record.inputs == (0,), formed.get(place, ""))
        yield _named(kind), kind, _sizes(kind, records[record.inputs[0]].shape)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "x".join(map(_text, value))
    return str(int(value)) if isinstance(value, bool) else str(value)
