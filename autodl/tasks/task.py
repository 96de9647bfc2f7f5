"""The words in which any task is told: its examples in batches, its shapes, its metric."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from autodl.plans.signature import Signature

Part = Literal["train", "held_out"]
Rows = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Metric:
    """What tells how well a task is done: a mean over examples.

    ``name`` is its key in records (``accuracy``; with ``train_`` or ``held_out_`` before it for one
    part), ``label`` what lines of progress call it.
    """

    name: str
    label: str
    higher_is_better: bool = True

    def reward(self, value: float) -> float:
        """What a search makes larger: the value, or its negative where lower is better."""
        return value if self.higher_is_better else -value

    def value(self, reward: float) -> float:
        """The value that gave a reward: the inverse of ``reward``, which is its own."""
        return self.reward(reward)

    @property
    def wanted(self) -> str:
        """How its values should be, in a word."""
        return "high" if self.higher_is_better else "low"

    def digits(self, reward: float) -> str:
        """The value that gave a reward, with four digits, as people are shown it."""
        return f"{self.value(reward):.4f}"


REWARD = Metric("reward", "reward")  # for whatever is not the metric of a task alone
ACCURACY = Metric("accuracy", "top1")
ABSOLUTE_ERROR = Metric("absolute_error", "mae", higher_is_better=False)


@dataclass(frozen=True, slots=True)
class Score:
    """The metric over all examples of a part, and their mean loss."""

    value: float
    loss: float


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples: ``inputs`` ``[B, ...]`` as the network takes them, ``targets`` ``[B, ...]``.

    Of mixed examples ``weight`` is the share of the targets in the inputs, and the rest is that of
    ``partners``, other targets of the same shape. ``positions`` are those of the examples in their
    part, int64 ``[B]``, and ``partner_positions`` those of the partners; None where a task does not
    number its examples.
    """

    inputs: Rows
    targets: Rows
    partners: Rows | None = None
    weight: float = 1.0
    positions: Rows | None = None
    partner_positions: Rows | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def rows(self, cut: Callable[[Rows], Rows]) -> Batch:
        """The examples that ``cut`` takes of each array."""

        def part(rows: Rows | None) -> Rows | None:
            return None if rows is None else cut(rows)

        return Batch(
            cut(self.inputs),
            cut(self.targets),
            part(self.partners),
            self.weight,
            part(self.positions),
            part(self.partner_positions),
        )


@dataclass(frozen=True, slots=True)
class Changes:
    """How training examples are changed before they are learned from; nothing by default.

    A task takes what it knows: padding (the mean colour, ``black`` or ``reflected``) and crop,
    mirroring, brightness, cut-outs, mixing, and sizes that grow from ``first_size`` by
    ``grown_by`` until ``grown``, a share of the epochs.
    """

    pad_crop: int = 0
    border: Literal["mean", "black", "reflected"] = "mean"
    flip: Literal["none", "random", "alternating"] = "none"
    vertical_flip: bool = False
    brightness: float = 0.0
    cutout: int = 0
    mixup: float = 0.0
    first_size: int | None = None
    grown: float = 1.0
    grown_by: int = 4


@dataclass(frozen=True, slots=True)
class Drawing:
    """A pass over the examples in an order that is drawn: its generator, and what is changed.

    ``epoch`` of ``epochs`` is counted from 0; ``seed`` draws what is the same in all epochs.
    """

    rng: np.random.Generator
    changes: Changes = Changes()
    epoch: int = 0
    epochs: int = 1
    seed: int = 0


@runtime_checkable
class Task(Protocol):
    """What is learned. The test part of its data is not in it: it is read once, at the end."""

    @property
    def goal(self) -> str:
        """The kind of goal by name, see ``training/goal.py``."""
        ...

    @property
    def signature(self) -> Signature:
        """Shapes of an example and of what a network gives for it."""
        ...

    @property
    def metric(self) -> Metric:
        """What tells how well the task is done."""
        ...

    @property
    def examples(self) -> str:
        """What lines of progress call the examples: ``pictures``."""
        ...

    @property
    def headline(self) -> str:
        """One line for people: the data, the parts and their sizes."""
        ...

    def count(self, part: Part) -> int:
        """How many examples a part has."""
        ...

    def batches(self, part: Part, size: int, drawing: Drawing | None = None) -> Iterator[Batch]:
        """Go through a part once.

        Args:
            size: examples of a batch; the last one may be smaller.
            drawing: shuffles and changes the examples, and leaves out a smaller last batch unless
                it is the only one. Without it they come in their order, unchanged.
        """
        ...

    def views(self, inputs: Rows) -> tuple[Rows, ...]:
        """Inputs ``[B, ...]`` and others that show the same, for means over all of them."""
        ...

    def identity(self) -> dict[str, Any]:
        """What says exactly which examples a run saw, wherever they are, for its manifest."""
        ...

    def record(self) -> Mapping[str, Any]:
        """What the metrics of a training keep, so that its network can be used later."""
        ...
