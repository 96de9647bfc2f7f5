"""Weights that run ahead, and are pulled back to a slow copy ever more strongly."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import paddle

from autodl.errors import CheckpointError
from autodl.recipes.parts import LookaheadOptions
from autodl.training.hooks.hook import Hook
from autodl.training.setting import Setting, Update


class Lookahead(Hook):
    """Every so many updates ``slow <- d slow + (1 - d) weights``, which the weights are then.

    ``d = decay (t / T)^power`` at update ``t`` of ``T``: at first the weights stay where they are,
    at the end they hardly move. A limit of the seconds brings ``t`` forward as it does the learning
    rate (``Pace``). It takes in batch-norm statistics, too, so these have to follow
    fast (``BatchNorms``). In the end the network has the slow copy. Velocities stay as they are.
    The copy is first made behind the first update, in the source before it. A training that ends
    before the first pull keeps its weights, since that copy would be all but where it began.

    Source: Zhang et al., NeurIPS 2019, with the rising decay of Jordan, arXiv:2404.00498.
    """

    key = "lookahead"

    def __init__(self, setting: Setting, options: LookaheadOptions) -> None:
        self._network, self._options = setting.network, options
        self._updates, self._done = setting.recipe.epochs * setting.steps, 0
        self._position = 0  # of the schedule
        # of a network that has yet to be given weights, as of a resumed one, nothing is kept
        self._slow: dict[str, paddle.Tensor] = {}

    def before_step(self, update: Update) -> None:
        """Note how far the schedule is."""
        self._position = update.position

    def after_step(self) -> None:
        """Count, and pull back if it is time."""
        if not self._done:
            self._slow = {name: value.detach().clone() for name, value in self._values().items()}
        self._done += 1
        if self._done % self._options.every == 0:
            time = min((self._position + 1) / self._updates, 1.0)
            self._pull(self._options.decay * time**self._options.power)

    def finish(self) -> None:
        """Give the network the slow copy, if there was a pull."""
        if self._done >= self._options.every:
            self._pull(1.0)

    def _values(self) -> dict[str, paddle.Tensor]:
        values = self._network.state_dict().items()
        return {name: value for name, value in values if value.is_floating_point()}

    def _pull(self, decay: float) -> None:
        values = self._values()
        with paddle.no_grad():
            for name, slow in self._slow.items():
                slow.lerp_(values[name], 1.0 - decay)
                values[name].set_value(slow)

    def state(self) -> dict[str, object]:
        """The slow copy, and the number of updates so far."""
        slow = {name: value.numpy() for name, value in self._slow.items()}
        return {"updates": self._done, "slow": slow}

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on from what ``state()`` gave.

        Raises:
            CheckpointError: it is of another network.
        """
        slow: Mapping[str, np.ndarray] = state["slow"]  # type: ignore[assignment]
        shapes = {name: tuple(value.shape) for name, value in self._values().items()}
        if slow and {name: tuple(array.shape) for name, array in slow.items()} != shapes:
            raise CheckpointError("the saved slow weights of Lookahead are of another network")
        self._slow = {name: paddle.to_tensor(array) for name, array in slow.items()}
        self._done = int(state["updates"])  # type: ignore[call-overload]
