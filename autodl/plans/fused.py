"""What becomes of a plan when the network is deployed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from autodl.plans.layers import BatchNorm, Conv
from autodl.plans.plan import Plan, PlanBuilder


def absorbed_norms(plan: Plan) -> Mapping[int, int]:
    """Positions of convolutions to the position of the batch-norm that alone reads each."""
    readers = Counter(i for record in plan.records for i in record.inputs)
    return {
        record.inputs[0]: position
        for position, record in enumerate(plan.records)
        if isinstance(record.layer, BatchNorm)
        and isinstance(plan.records[record.inputs[0]].layer, Conv)
        and readers[record.inputs[0]] == 1
    }


def fused_plan(plan: Plan) -> Plan:
    """The plan without the batch-norms that convolutions absorb, and with the biases they leave.

    This is the plan of ``autodl.reparam.fusion.fuse(PlanNetwork(plan))``, and so of what is
    deployed, worked out without a network. A plan with nothing to absorb stays as it is.
    """
    norms = absorbed_norms(plan)
    absorbed = set(norms.values())
    builder = PlanBuilder(plan.input_shape)
    position = {0: 0}
    for old, record in enumerate(plan.records[1:], start=1):
        inputs = [position[i] for i in record.inputs]
        if old in absorbed:
            position[old] = inputs[0]
            continue
        layer = record.layer
        if isinstance(layer, Conv) and old in norms:
            layer = replace(layer, bias=True)
        position[old] = builder.add(record.name, layer, *inputs)
    return builder.finish()
