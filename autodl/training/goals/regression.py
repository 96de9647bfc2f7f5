"""Numbers: mean squared error as the loss, mean absolute error as the metric."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray
from paddle import nn

from autodl.errors import ConfigError
from autodl.tasks.task import Part, Score, Task
from autodl.training.goal import Truth
from autodl.training.metrics import Views, mean_score
from autodl.training.parallel import ALONE, Share


class Regression:
    """Targets are numbers, float32 ``[B, targets]``, and so are outputs.

    Raises:
        ConfigError: label smoothing, which is for classes.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        if label_smoothing:
            raise ConfigError(
                f"Train.label_smoothing={label_smoothing:g} is for classes, and this task predicts"
                " numbers; set it to 0"
            )

    def loss(self, outputs: paddle.Tensor, truth: Truth) -> paddle.Tensor:
        """Mean squared error over batch and targets, scalar."""
        return F.mse_loss(outputs, truth.targets)

    def tally(self, outputs: paddle.Tensor, truth: Truth) -> paddle.Tensor:
        """Sum over the batch of each example's mean absolute error."""
        return (outputs - truth.targets).abs().mean(axis=1).sum().astype("float32")

    def score(
        self,
        network: nn.Layer,
        task: Task,
        part: Part,
        share: Share = ALONE,
        *,
        views: bool | Views = False,
    ) -> Score:
        """Mean absolute and mean squared error."""
        return mean_score(_measure, network, task, part, share, views=views)


def _measure(
    outputs: NDArray[np.float64], targets: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    apart = outputs - targets
    return np.abs(apart).mean(axis=1), np.square(apart).mean(axis=1)
