"""The front of a search as one number, so that searches of several objectives compare."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from autodl.objectives.dominance import hypervolume

HYPERVOLUME = "hypervolume"


def dominated(
    rewards: Sequence[float], metrics: Sequence[Mapping[str, float]], worst: Mapping[str, float]
) -> float:
    """The volume that trials dominate between ``worst`` and costs of 0.

    It is measured in the reward's own unit times the shares of the costs: a trial of reward ``r``
    and cost ``c`` has ``(r - worst reward) (1 - c / worst cost)``. 0 where no trial is better than
    ``worst`` in all of them; NaN where no trial has a reward and all costs.

    Args:
        rewards: of the trials, higher is better; NaN where there is none.
        metrics: of the trials, among them the costs.
        worst: the reward that is worth nothing, first, and for one cost or two, by their names,
            how much is worth nothing, above 0.
    """
    floor, *limits = worst.values()
    costs = list(worst)[1:]
    rows = [
        [reward, *(1 - known[cost] / limit for cost, limit in zip(costs, limits, strict=True))]
        for reward, known in zip(rewards, metrics, strict=True)
        if not math.isnan(reward) and all(cost in known for cost in costs)
    ]
    if not rows:
        return math.nan
    return hypervolume(np.array(rows), np.array([floor, *(0.0 for _ in costs)]))
