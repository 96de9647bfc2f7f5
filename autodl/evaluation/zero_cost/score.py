"""The role of a score that needs no training, and what every network is given for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import paddle

from autodl.errors import DataError
from autodl.networks.network import PlanNetwork
from autodl.system.roles import Role
from autodl.tasks.task import Drawing, Task
from autodl.training.goal import Goal, Truth, goal_of


@dataclass(frozen=True, slots=True)
class Examples:
    """One batch on the device, unchanged training examples, and how its task is learned."""

    inputs: paddle.Tensor
    truth: Truth
    goal: Goal

    @classmethod
    def of(cls, task: Task, count: int, seed: int) -> Examples:
        """Draw a batch of the training part; the same seed draws the same.

        Args:
            count: examples; all there are, if there are fewer.
            seed: draws which.

        Raises:
            DataError: there is only one.
        """
        drawing = Drawing(np.random.default_rng((seed, 0)))
        batch = next(iter(task.batches("train", count, drawing)))
        if len(batch) < 2:
            raise DataError(f"scores compare {task.examples}, and there is only one to train on")
        return cls(paddle.to_tensor(batch.inputs), Truth.of(batch), goal_of(task))


@runtime_checkable
class Score(Role, Protocol):
    """A number for a network with its first weights; higher is better."""

    single_output: bool
    """Whether the network has one output in place of the task's."""

    def __call__(self, network: PlanNetwork, examples: Examples) -> float:
        """Score a network, which is for this alone and may be changed.

        It is in training mode, so that batch-norms use the statistics of the batch. The order of
        the examples makes no difference but for rounding.

        Returns:
            Minus infinity where nothing can be learned or told apart, NaN never.

        Raises:
            TrialFailure: the score is not for such a network.
        """
        ...
