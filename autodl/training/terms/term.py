"""What a term of the loss is given, and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import paddle
from paddle import nn

from autodl.training.goal import Goal, Truth
from autodl.training.parallel import Share


@dataclass(frozen=True, slots=True)
class Step:
    """An update whose forward pass is done.

    ``outputs`` are float32 ``[B, ...]``, ``inputs`` what they are of; what a term computes with
    layers of its own it computes within ``precision()``.
    """

    network: nn.Layer
    inputs: paddle.Tensor
    outputs: paddle.Tensor
    truth: Truth
    goal: Goal
    share: Share
    precision: Callable[[], AbstractContextManager[None]]


class Term(Protocol):
    """A part of the loss; made before the optimiser, with a setting and its options."""

    def loss(self, step: Step) -> paddle.Tensor:
        """What is added to the loss of the goal, scalar, already weighted.

        Gradients reach what is to be learned and nothing else: not a teacher, not the targets.
        """
        ...
