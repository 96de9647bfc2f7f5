"""In which steps a policy decides on a row, as arrays.

A step takes one decision of any size (a choice), or several decisions of size 2 at once (a set:
which of them are 1, each independent of the others). This file is pure NumPy and holds no
parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autodl.spaces.space import Coded, Integers, Steps, Stepwise

Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: which place of the row it decides on, or which of them at once.

    ``number`` counts the steps of its kind, ``width`` is the number of its logits: the values of a
    choice, the members of a set.
    """

    number: int
    positions: slice | list[int]
    width: int
    is_set: bool


@dataclass(frozen=True)
class Decisions:
    """The decisions of rows int64 ``[B, len(sizes)]`` and the steps in which they are taken.

    Without ``steps`` every decision is a step of its own, in the order of the row.
    """

    sizes: tuple[int, ...]
    steps: Steps = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", self.steps or tuple(range(len(self.sizes))))

    @cached_property
    def in_order(self) -> tuple[Step, ...]:
        """The steps, one after the other."""
        made, counts = list[Step](), [0, 0]
        for step in self.steps:
            is_set = isinstance(step, tuple)
            places = list(step) if isinstance(step, tuple) else [step]
            width = len(places) if is_set else self.sizes[places[0]]
            first = places[0]
            runs = places == list(range(first, first + len(places)))
            positions = slice(first, first + len(places)) if runs else places
            made.append(Step(counts[is_set], positions, width, is_set))
            counts[is_set] += 1
        return tuple(made)

    @cached_property
    def choices(self) -> Integers:
        """The position in the row of each choice, step by step."""
        return np.array([step for step in self.steps if isinstance(step, int)], np.int64)

    @cached_property
    def set_members(self) -> Integers:
        """The positions in the row of all sets' members, step by step."""
        members = [place for step in self.steps if isinstance(step, tuple) for place in step]
        return np.array(members, np.int64)

    @cached_property
    def choice_steps(self) -> Integers:
        """The step that takes each choice."""
        return np.array([n for n, step in enumerate(self.in_order) if not step.is_set], np.int64)

    @cached_property
    def set_steps(self) -> Integers:
        """The step that takes each set."""
        return np.array([n for n, step in enumerate(self.in_order) if step.is_set], np.int64)

    @cached_property
    def choice_mask(self) -> NDArray[np.bool_]:
        """Which values each choice has, ``[choices, most values]``."""
        sizes = np.array(self.sizes, np.int64)[self.choices]
        return np.arange(sizes.max(initial=0)) < sizes[:, None]

    @cached_property
    def set_mask(self) -> NDArray[np.bool_]:
        """Which members each set has, ``[sets, most members]``."""
        widths = np.array([step.width for step in self.in_order if step.is_set], np.int64)
        return np.arange(widths.max(initial=0)) < widths[:, None]

    @property
    def input_size(self) -> int:
        """Width of a decision as numbers: a one-hot choice or a set's bits, the wider one."""
        return int(max(self.choice_mask.shape[1], self.set_mask.shape[1]))

    def sets(self, rows: Integers) -> Integers:
        """The sets of rows, 0 or 1, ``[B, sets, most members]``, zero-padded."""
        sets = np.zeros((len(rows), *self.set_mask.shape), np.int64)
        sets[:, self.set_mask] = rows[:, self.set_members]
        return sets

    def inputs(self, rows: Integers) -> Floats:
        """What every step reads when the decision before it is its input, ``[B, steps, width]``.

        The first step reads zeros.
        """
        batch = np.arange(len(rows))[:, None]
        emitted = np.zeros((len(rows), len(self.steps) + 1, self.input_size), np.float32)
        emitted[batch, 1 + self.choice_steps, rows[:, self.choices]] = 1.0
        if len(self.set_steps):
            emitted[:, 1 + self.set_steps, : self.set_mask.shape[1]] = self.sets(rows)
        return emitted[:, :-1]


def decisions_of(space: Coded[Any]) -> Decisions:
    """Those of a coded space, in its own steps if it has some."""
    return Decisions(space.sizes, space.steps if isinstance(space, Stepwise) else ())
