"""From a trained controller to architectures within a range of costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from autodl.agents.options import ControllerOptions
from autodl.agents.width_controller import WidthController
from autodl.agents.width_policy import beam_search
from autodl.errors import ConfigError
from autodl.spaces.space import Integers
from autodl.spaces.width.cost import cost_bounds
from autodl.spaces.width.space import WidthSpace

Reachable: TypeAlias = Callable[[Integers], NDArray[np.bool_]]
_DRAW, _MOST_DRAWS = 500, 40_000


def decode(
    controller: WidthController,
    space: WidthSpace,
    options: ControllerOptions,
    costs: tuple[float, float],
    rng: np.random.Generator,
) -> Integers:
    """The likeliest architectures by beam search, and drawn ones, of costs in a closed range.

    Where only draws are asked for and none of them is in the range, beam search takes their place.

    Returns:
        Each once, the beams first, int64 ``[N, decisions]``.

    Raises:
        ConfigError: the controller proposes nothing in that range.
    """
    lowest, highest = costs

    def reachable(choices: Integers) -> NDArray[np.bool_]:
        low, high = cost_bounds(space.terms, choices)
        result: NDArray[np.bool_] = (low <= highest) & (high >= lowest)
        return result

    found: dict[bytes, Integers] = {}
    if options.decode_beams:
        for row in _beams(controller, options.decode_beams, reachable):
            found.setdefault(row.tobytes(), row)
    wanted = len(found) + options.decode_samples
    for _ in range(_MOST_DRAWS // _DRAW):
        if len(found) >= wanted:
            break
        drawn = controller.sample(rng, _DRAW)
        macs = space.macs(drawn)
        for row in drawn[(macs >= lowest) & (macs <= highest)]:
            if len(found) < wanted:
                found.setdefault(row.tobytes(), row)
    if not found and not options.decode_beams:  # else a long training would have no result
        for row in _beams(controller, options.decode_samples, reachable):
            found.setdefault(row.tobytes(), row)
    if not found:
        raise ConfigError(
            f"the controller proposes nothing of {lowest:,.0f} to {highest:,.0f} MACs; widen"
            " Width.budget_range, or raise Controller.entropy_weight"
        )
    return np.stack(list(found.values()))


def _beams(controller: WidthController, count: int, reachable: Reachable) -> Integers:
    """Wider beams than are asked for: the last decisions rule some of them out."""
    width = count
    while True:
        choices, _ = beam_search(controller.policy, width, reachable)
        if len(choices) >= count or width > 64 * count:
            return choices[:count]
        width *= 4
