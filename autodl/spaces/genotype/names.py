"""The networks of genotypes under the names that the code of DARTS gives their weights.

The original's LRC networks have these names too, so this is what reads its saved models.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from autodl.errors import CheckpointError
from autodl.plans.layers import BatchNorm, Conv, Layer, Linear
from autodl.plans.plan import AUXILIARY, Plan

T = TypeVar("T")
_WHOLE = {
    "stem.conv": "stem.0",
    "stem.norm": "stem.1",
    "head.classifier": "classifier",
    "auxiliary.narrow.conv": "auxiliary_head.features.2",
    "auxiliary.narrow.norm": "auxiliary_head.features.3",
    "auxiliary.widen.conv": "auxiliary_head.features.5",
    "auxiliary.widen.norm": "auxiliary_head.features.6",
    "auxiliary.classifier": "auxiliary_head.classifier",
}
_PLACES = {"entry": "preprocess", "edge": "_ops."}
_INSIDE = {
    "conv": "op.1",
    "norm": "op.2",
    "halve.even": "conv_1",
    "halve.odd": "conv_2",
    "halve.norm": "bn",
    "first.depthwise": "op.1",
    "first.pointwise": "op.2",
    "first.norm": "op.3",
    "second.depthwise": "op.5",
    "second.pointwise": "op.6",
    "second.norm": "op.7",
    "pair.row": "1",  # of all operations, the pairs alone are bare sequences
    "pair.column": "2",
    "pair.norm": "3",
}
_IN_A_CELL = re.compile(r"cell(\d+)\.(entry|edge)(\d+)\.(.+)")
_TENSORS: Mapping[type[Layer], Mapping[str, str]] = {  # Paddle's name: DARTS' name
    Conv: {"weight": "weight"},
    Linear: {"weight": "weight", "bias": "bias"},
    BatchNorm: {
        "weight": "weight",
        "bias": "bias",
        "_mean": "running_mean",
        "_variance": "running_var",
    },
}


def darts_names(plan: Plan, *, auxiliary: bool = False) -> dict[str, str]:
    """What DARTS calls every tensor of the network of a genotype's plan.

    Args:
        auxiliary: list the tensors of the auxiliary classifier, and no others.

    Returns:
        Name in ``state_dict()`` of the network to name in DARTS.
    """
    names, prefix, records = {}, "", plan.records
    if auxiliary:
        prefix = f"{AUXILIARY}."
        records = plan.auxiliary.plan.records if plan.auxiliary else ()
    for record in records:
        for own, other in _TENSORS.get(type(record.layer), {}).items():
            name = prefix + record.name
            names[f"{name}.{own}"] = f"{_darts_layer(name)}.{other}"
    return names


def from_darts(plan: Plan, arrays: Mapping[str, T]) -> dict[str, T]:
    """The same arrays under the names of the network of a genotype's plan.

    Args:
        arrays: all tensors of the network by the names of DARTS, without the auxiliary classifier.

    Raises:
        CheckpointError: a missing or surplus name.
    """
    names = darts_names(plan)
    if missing := sorted(set(names.values()) - set(arrays)):
        raise CheckpointError(f"{missing[0]!r} is missing{_and_others(missing)}")
    if surplus := sorted(set(arrays) - set(names.values())):
        raise CheckpointError(f"the network has no {surplus[0]!r}{_and_others(surplus)}")
    return {own: arrays[other] for own, other in names.items()}


def _darts_layer(name: str) -> str:
    if name in _WHOLE:
        return _WHOLE[name]
    found = _IN_A_CELL.fullmatch(name)
    if found is None or found[4] not in _INSIDE:
        raise ValueError(f"{name!r} is no layer of a genotype's network")
    return f"cells.{found[1]}.{_PLACES[found[2]]}{found[3]}.{_INSIDE[found[4]]}"


def _and_others(names: list[str]) -> str:
    return f", and {len(names) - 1} others" if len(names) > 1 else ""
