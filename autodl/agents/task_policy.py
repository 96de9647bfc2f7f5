"""The agent's policy, told of which of several tasks it decides for.

Source: Wong, Houlsby, Lu and Gesmundo, Transfer Learning with Neural AutoML, 2018.
"""

from __future__ import annotations

import numpy as np
import paddle
from paddle.nn import initializer

from autodl.agents.decisions import Decisions, Floats
from autodl.agents.design_policy import DesignPolicy
from autodl.agents.walk import Features
from autodl.spaces.space import Integers


class TaskPolicy(DesignPolicy):
    """Every step also reads a learned vector of the task, ``task`` of ``tasks``.

    All other parameters are shared. Vectors start in U(-0.1, 0.1); those of tasks of which the
    policy has learned nothing stay as they were drawn.
    """

    def __init__(
        self,
        decisions: Decisions,
        *,
        tasks: int,
        task_width: int,
        hidden: int = 64,
        layers: int = 2,
        temperature: float = 5.0,
        squash: float = 2.5,
        head_deviation: float | None = None,
    ) -> None:
        self._tasks, self._task_width = tasks, task_width
        self.task = 0
        super().__init__(
            decisions,
            hidden=hidden,
            layers=layers,
            temperature=temperature,
            squash=squash,
            head_deviation=head_deviation,
        )

    def add_features(self, uniform: initializer.Initializer) -> int:
        """The tasks' vectors, beside what the policy reads anyway."""
        shape = [self._tasks, self._task_width]
        self.task_embedding = self.create_parameter(shape, default_initializer=uniform)
        return super().add_features(uniform) + self._task_width

    def inputs(self, rows: Integers) -> paddle.Tensor:
        """The decision before each step and the task, ``[B, steps, D]``."""
        decided = super().inputs(rows)
        # a product, not a look-up: a matrix product has a gradient of one kind on every device
        chosen = paddle.to_tensor(np.eye(self._tasks, dtype=np.float32)[self.task : self.task + 1])
        vector = paddle.matmul(chosen, self.task_embedding)
        shape = [*decided.shape[:2], self._task_width]
        return paddle.concat([decided, vector.expand(shape)], axis=-1)

    def features(self) -> Features:
        """The same, step by step."""
        return _WithTask(super().features(), self.task_embedding.numpy()[self.task])


class _WithTask:
    """What other features say, and one vector that is always the same."""

    def __init__(self, features: Features, vector: Floats) -> None:
        self._features, self._vector = features, vector

    def _joined(self, x: Floats) -> Floats:
        vectors = np.broadcast_to(self._vector, (len(x), len(self._vector)))
        return np.concatenate([x, vectors], axis=1)

    def first(self, batch: int) -> Floats:
        return self._joined(self._features.first(batch))

    def after(self, step: int, rows: Integers) -> Floats:
        return self._joined(self._features.after(step, rows))

    def keep(self, kept: Integers) -> None:
        self._features.keep(kept)
