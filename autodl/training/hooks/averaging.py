"""Averages of the weights along a training, which often do better than the last ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import paddle
from paddle import nn

from autodl.errors import CheckpointError
from autodl.recipes.parts import AverageOptions
from autodl.training.hooks.hook import Hook
from autodl.training.setting import Setting


class WeightAverage:
    """Exponential moving average of all weights and batch-norm statistics of a network.

    ``update`` moves it by ``average <- decay average + (1 - decay) value``, from the values at the
    first update on; it costs no gradient and one pass over the weights. Integers are not averaged:
    the last value counts.

    Source: Polyak and Juditsky, SIAM J. Control Optim. 30(4), 1992, in its exponential form.
    """

    def __init__(self, network: nn.Layer, decay: float) -> None:
        """``decay`` is from 0, which keeps the last weights, to below 1."""
        self._network, self._decay = network, decay
        self._average: dict[str, paddle.Tensor] = {}

    def update(self) -> None:
        """Take in the weights of now."""
        values = self._network.state_dict()
        if not self._average:
            self._average = {name: value.detach().clone() for name, value in values.items()}
            return
        with paddle.no_grad():
            for name, value in values.items():
                average = self._average[name]
                if value.is_floating_point():
                    average.lerp_(value, 1.0 - self._decay)
                else:
                    average.set_value(value)

    def apply(self) -> None:
        """Give the network the averages; without an update it keeps what it has."""
        values = self._network.state_dict()
        for name, average in self._average.items():
            values[name].set_value(average)

    def arrays(self) -> dict[str, np.ndarray]:
        """The averages by name; empty before the first update."""
        return {name: value.numpy() for name, value in self._average.items()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what ``arrays()`` gave.

        Raises:
            CheckpointError: they are not of this network.
        """
        values = self._network.state_dict()
        if arrays and {name: tuple(array.shape) for name, array in arrays.items()} != {
            name: tuple(value.shape) for name, value in values.items()
        }:
            raise CheckpointError("the saved averages of weights are of another network")
        self._average = {name: paddle.to_tensor(array) for name, array in arrays.items()}


class Averaging(Hook):
    """Averages the weights after every update, and gives the network the average in the end.

    A trial that ``Fidelity`` scores before its last epoch is scored with the weights themselves:
    an average over few updates still holds much of the first ones.
    """

    key = "average"

    def __init__(self, setting: Setting, options: AverageOptions) -> None:
        self._average = WeightAverage(setting.network, options.decay)

    def after_step(self) -> None:
        """Take in the weights of now."""
        self._average.update()

    def finish(self) -> None:
        """Give the network the averages."""
        self._average.apply()

    def state(self) -> dict[str, np.ndarray]:
        """The averages by name."""
        return self._average.arrays()

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what ``state()`` gave."""
        self._average.restore(state)
