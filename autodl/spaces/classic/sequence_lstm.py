"""Layers of LSTM cells for series, made by hand (Hochreiter and Schmidhuber, 1997)."""

from __future__ import annotations

from autodl.plans.layers import AsMap, Linear, Lstm
from autodl.plans.plan import Plan, PlanBuilder
from autodl.spaces.sequence.plan import add_head


def sequence_lstm_plan(
    *, channels: int, length: int, outputs: int, width: int = 64, layers: int = 2
) -> Plan:
    """``layers`` of ``width`` cells, one on top of the other; the last state is read."""
    builder = PlanBuilder((channels, length))
    x = builder.add("stem.map", AsMap(), 0)
    for number in range(layers):
        x = builder.add(f"layer{number}", Lstm(builder.shape(x)[0], width), x)
    x = add_head(builder, x, "last")
    builder.add("head.output", Linear(width, outputs), x)
    return builder.finish()
