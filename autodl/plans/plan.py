"""Plans: an architecture spelled out as layer records, once, for everyone who reads it.

The network builder, the cost counts, the latency table and the drawings all read the plan,
so shapes are worked out in one place. This file is pure Python.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from autodl.plans.layers import Input, Layer, Linear, Shape

AUXILIARY = "auxiliary"  # where a network has the classifier that training alone needs


@dataclass(frozen=True, slots=True)
class Record:
    """One layer of a plan.

    ``name`` is a dotted path, unique in the plan and also the path of the layer in the built
    network; ``inputs`` are positions of earlier records; ``shape`` is the output's, without
    the batch axis.
    """

    name: str
    layer: Layer
    inputs: tuple[int, ...]
    shape: Shape


@dataclass(frozen=True, slots=True)
class Auxiliary:
    """A second classifier that takes part in training alone.

    It reads what the layer at position ``source`` gives; its layers are a plan of their own.
    """

    source: int
    plan: Plan


@dataclass(frozen=True, slots=True)
class Plan:
    """The layers of a network in the order of computation; the last one is its output.

    ``auxiliary`` belongs to no count: whoever wants its costs asks its own plan.
    """

    records: tuple[Record, ...]
    auxiliary: Auxiliary | None = None

    @property
    def input_shape(self) -> Shape:
        """Shape of one input, without the batch axis."""
        return self.records[0].shape

    @property
    def output_shape(self) -> Shape:
        """Shape of the output for one input."""
        return self.records[-1].shape

    @property
    def parameters(self) -> int:
        """Trainable parameters: weights, biases, batch-norm scales and shifts."""
        return sum(record.layer.parameters for record in self.records)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and linear layers for one input."""
        return sum(record.layer.macs(record.shape) for record in self.records)


class PlanBuilder:
    """Collects the records of a plan; a layer is known by its position.

    Example:
        >>> from autodl.plans.layers import Conv, Relu
        >>> builder = PlanBuilder((3, 32, 32))
        >>> x = builder.add("stem.conv", Conv(3, 16, (3, 3), padding=(1, 1, 1, 1)), 0)
        >>> builder.shape(builder.add("stem.relu", Relu(), x))
        (16, 32, 32)
        >>> builder.finish().parameters
        448
    """

    def __init__(self, input_shape: Shape) -> None:
        self._records = [Record("input", Input(input_shape), (), input_shape)]
        self._names = {"input"}
        self._folders: set[str] = set()

    def add(self, name: str, layer: Layer, *inputs: int) -> int:
        """Append a layer that reads ``inputs`` and return its position.

        Raises:
            ValueError: the name is taken or lies inside another layer's, an input does not
                exist, or the shapes do not fit.
        """
        if name in self._names:
            raise ValueError(f"the plan already has a layer named {name!r}")
        parts = name.split(".")
        folders = {".".join(parts[:end]) for end in range(1, len(parts))}
        if name in self._folders or not folders.isdisjoint(self._names):
            raise ValueError(f"a layer has no layers inside, but {name!r} and another one nest")
        if bad := [i for i in inputs if not 0 <= i < len(self._records)]:
            raise ValueError(f"{name}: no layer at position {bad[0]}")
        if layer.arity is None and not inputs:
            raise ValueError(f"{name}: needs at least one input")
        if layer.arity is not None and len(inputs) != layer.arity:
            raise ValueError(f"{name}: needs {layer.arity} inputs, got {len(inputs)}")
        try:
            shape = layer.output_shape(*(self._records[i].shape for i in inputs))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        self._records.append(Record(name, layer, inputs, shape))
        self._names.add(name)
        self._folders |= folders
        return len(self._records) - 1

    def shape(self, position: int) -> Shape:
        """Output shape of the layer at ``position``, without the batch axis."""
        return self._records[position].shape

    def layer(self, position: int) -> Layer:
        """The layer at ``position``."""
        return self._records[position].layer

    def finish(self, auxiliary: Auxiliary | None = None) -> Plan:
        """The plan as built so far.

        Raises:
            ValueError: a layer stands where the auxiliary classifier will.
        """
        if auxiliary is not None and AUXILIARY in self._names | self._folders:
            raise ValueError(f"{AUXILIARY!r} is the place of the auxiliary classifier")
        return Plan(tuple(self._records), auxiliary)


def for_input(plan: Plan, input_shape: Shape) -> Plan:
    """The same layers, with the paddings they have, for inputs of another shape.

    Raises:
        ValueError: the shapes do not fit any more; the layer is named. Of an odd height, paddings
            made for an even one give a strided 3x3 less than a strided 1x1.
    """
    builder = PlanBuilder(input_shape)
    for record in plan.records[1:]:
        builder.add(record.name, record.layer, *record.inputs)
    return builder.finish()


def with_outputs(plan: Plan, outputs: int) -> Plan:
    """The same layers with another number of outputs: those of the last linear layer.

    Raises:
        ValueError: there is none, or the layers behind it do not fit the number.
    """
    records = plan.records
    heads = [place for place, record in enumerate(records) if isinstance(record.layer, Linear)]
    if not heads:
        raise ValueError("the plan has no linear layer, whose outputs could be others")
    builder = PlanBuilder(plan.input_shape)
    for place, record in enumerate(records[1:], start=1):
        layer = record.layer
        if place == heads[-1] and isinstance(layer, Linear):
            layer = replace(layer, out_features=outputs)
        builder.add(record.name, layer, *record.inputs)
    return builder.finish()
