"""How a kind of task is learned: its loss, what is counted on the way, and its score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import paddle
from paddle import nn

from autodl.config.components import table
from autodl.errors import lookup
from autodl.tasks.task import Batch, Part, Rows, Score, Task
from autodl.training.metrics import Views
from autodl.training.parallel import ALONE, Share
from autodl.trial import TrialFailure


@dataclass(frozen=True, slots=True)
class Truth:
    """The targets of a batch on the device, ``[B, ...]``; see ``Batch`` for mixed ones.

    Positions stay in NumPy: what is kept of the examples is looked up by them.
    """

    targets: paddle.Tensor
    partners: paddle.Tensor | None = None
    weight: float = 1.0
    positions: Rows | None = None
    partner_positions: Rows | None = None

    @classmethod
    def of(cls, batch: Batch) -> Truth:
        """Bring the targets of a batch to the device."""
        partners = None if batch.partners is None else paddle.to_tensor(batch.partners)
        targets = paddle.to_tensor(batch.targets)
        return cls(targets, partners, batch.weight, batch.positions, batch.partner_positions)


class Goal(Protocol):
    """One kind of task. Its factory takes ``label_smoothing``, or refuses it if it is not 0."""

    def loss(self, outputs: paddle.Tensor, truth: Truth) -> paddle.Tensor:
        """What an update makes smaller: a mean over the batch, scalar.

        Args:
            outputs: float32 ``[B, ...]``.
        """
        ...

    def tally(self, outputs: paddle.Tensor, truth: Truth) -> paddle.Tensor:
        """Sum over the batch of what the task's metric is the mean of, float32 scalar.

        Of mixed examples the targets count, not the partners.
        """
        ...

    def score(
        self,
        network: nn.Layer,
        task: Task,
        part: Part,
        share: Share = ALONE,
        *,
        views: bool | Views = False,
    ) -> Score:
        """Measure a network on a part of a task, in evaluation mode; see ``score`` below."""
        ...


def goal_of(task: Task, label_smoothing: float = 0.0) -> Goal:
    """The goal of a task, from the catalogue of tasks, to which plugins add.

    Raises:
        UnknownNameError: no goal of the task's kind.
        ConfigError: label smoothing of targets that are no classes.
    """
    factory = lookup(table("Goal"), task.goal, "goal").load_factory()
    goal: Goal = factory(label_smoothing=label_smoothing)
    return goal


def score(
    network: nn.Layer,
    task: Task,
    part: Part,
    share: Share = ALONE,
    *,
    views: bool | Views = False,
) -> Score:
    """Measure a network on a part of a task.

    Args:
        share: where several processes have the network, each looks at its part of the examples;
            all get the score on all of them.
        views: from the means of the outputs over all views of each example, those of the task
            (``Task.views``) if it is True.
    """
    return goal_of(task).score(network, task, part, share, views=views)


def final_score(
    network: nn.Layer,
    task: Task,
    part: Part,
    share: Share = ALONE,
    *,
    views: bool | Views = False,
) -> Score:
    """Measure a network whose training is over; see ``score``.

    Raises:
        TrialFailure: the loss is not finite; an accuracy would be that of the first class.
    """
    final = score(network, task, part, share, views=views)
    if not math.isfinite(final.loss):
        raise TrialFailure(
            f"the held-out loss is {final.loss} after training; a lower learning rate may help"
        )
    return final
