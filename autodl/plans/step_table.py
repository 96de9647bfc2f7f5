"""A table of measured training steps: what a picture's way forth and back through a network takes.

For each kind of layer there is a grid of sizes that were measured. Between them the logarithm of
the milliseconds is interpolated linearly in the logarithms of the sizes. Multiply-accumulates are
products of powers of the sizes, so this is the same as to interpolate the time of one of them,
which changes slowly; times as such grow with the square of a width, and straight lines between
them would be too high. Beyond the grid one multiply-accumulate takes as long as at its border.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise, product
from math import exp, log, prod
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    FiniteFloat,
    PlainSerializer,
    model_validator,
)

from autodl.errors import DataError, UnknownNameError
from autodl.plans.plan import Plan
from autodl.plans.sizes import Sizes, sized_layers
from autodl.plans.table_file import TableValue, read_table
from autodl.system.files import write_json

FORMAT = "autodl step table"
Positive = Annotated[FiniteFloat, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Kernels = Literal["Paddle", "Paddle in float16", "oneDNN", "oneDNN in bfloat16"]
MEASURE = "autodl latency measure --grid -c CONFIG --out TABLE"


def _numbers(value: object) -> object:
    return tuple(map(float, value.split())) if isinstance(value, str) else value


def _row(values: tuple[float, ...]) -> str:
    return " ".join(repr(value).removesuffix(".0") for value in values)


# written as one text: a run's config.yaml holds the table, and people shall be able to read that
Numbers = Annotated[
    tuple[Positive, ...], Field(min_length=1), BeforeValidator(_numbers), PlainSerializer(_row)
]


class Grid(TableValue):
    """Milliseconds for a picture at all combinations of some sizes, the last axis fastest."""

    axes: dict[str, Numbers] = Field(min_length=1)
    ms: Numbers

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name, sizes in self.axes.items():
            if any(low >= high for low, high in pairwise(sizes)):
                raise ValueError(f"sizes of {name} should rise")
        points = prod(map(len, self.axes.values()))
        if len(self.ms) != points:
            raise ValueError(f"{points} sizes should have as many milliseconds, not {len(self.ms)}")
        return self

    @cached_property
    def _logarithms(self) -> tuple[float, ...]:
        return tuple(map(log, self.ms))

    def at(self, sizes: Sizes) -> float:
        """Milliseconds at these sizes, one for each axis, above 0."""
        corners, beyond = [(0, 1.0)], 0.0
        for (axis, known), size in zip(self.axes.items(), sizes, strict=True):
            inside = min(max(size, known[0]), known[-1])
            beyond += (2 if axis == "side" else 1) * log(size / inside)
            high = bisect_left(known, inside)
            low = high if known[high] == inside else high - 1
            share = 0.0 if low == high else log(inside / known[low]) / log(known[high] / known[low])
            ends = ((low, 1.0 - share), (high, share)) if share else ((low, 1.0),)
            corners = [
                (place * len(known) + end, weight * part)
                for (place, weight), (end, part) in product(corners, ends)
            ]
        return exp(beyond + sum(weight * self._logarithms[place] for place, weight in corners))


class StepTable(TableValue):
    """Training steps of layers on one machine, in batches of ``batch_size``.

    ``factor`` is what a whole network takes over the sum of its layers. ``machine`` and ``config``
    say where and of what it was measured, for people. ``kernels`` are whose kernels convolutions
    and GELUs were trained by, and in what numbers with mixed precision; tables without it are from
    when these were Paddle's everywhere.
    ``kinds`` go by ``Kind.name``.
    """

    format: Literal["autodl step table"] = "autodl step table"
    version: Literal[1] = 1
    machine: str
    kernels: Kernels = "Paddle"
    batch_size: Count
    repetitions: Count
    config: str
    measured: str
    seconds: Annotated[FiniteFloat, Field(ge=0)]
    factor: Positive
    kinds: dict[str, Grid] = Field(min_length=1)

    @classmethod
    def read(cls, path: Path) -> StepTable:
        """Read what ``write`` wrote.

        Raises:
            DataError: the file is missing or damaged, is no table, or is one of another version.
        """
        return read_table(path, cls, "step table", MEASURE)

    def write(self, path: Path) -> None:
        """Write the table as JSON, whole or not at all."""
        write_json(path, self.to_plain())

    def to_plain(self) -> dict[str, Any]:
        """As the file has it."""
        return self.model_dump(mode="json")

    @property
    def digest(self) -> str:
        """SHA-256 of all that predictions depend on, in hexadecimal."""
        plain = self.to_plain()
        text = json.dumps([plain[name] for name in ("batch_size", "factor", "kinds")])
        return hashlib.sha256(text.encode()).hexdigest()

    def check_kernels(self, here: Kernels, permit: str = "") -> None:
        """Refuse a table of steps that are no longer taken so.

        Args:
            here: whose kernels a training would use.
            permit: what allows to use the table all the same, for the message; empty if nothing.

        Raises:
            DataError: it was measured with others.
        """
        if here != self.kernels:
            raise DataError(
                f"the step table of {self.config} was measured with the kernels of {self.kernels},"
                f" and a training here uses those of {here}; measure it anew, with Train.amp as the"
                f" search has it: {MEASURE}" + (f", or {permit}" if permit else "")
            )

    def check_processor(self, here: str, permit: str = "") -> None:
        """Refuse a table of another processor, whose milliseconds are not those of this one.

        Args:
            here: the model of the CPU or GPU that a training would compute on.
            permit: as for ``check_kernels``.

        Raises:
            DataError: it was measured on another one.
        """
        if not self.machine.startswith(f"{here}, "):
            raise DataError(
                f"the step table of {self.config} was measured on {self.machine}, and a training"
                f" here runs on {here}; measure it anew: {MEASURE}"
                + (f", or, if that is where networks are to be trained, {permit}" if permit else "")
            )

    def predict(self, plan: Plan, forms: Mapping[str, str] | None = None) -> float:
        """Milliseconds for a picture's way forth and back, as a part of a batch.

        Args:
            forms: paths of parts of the network, each with what its convolutions are trained as.

        Raises:
            UnknownNameError: a kind of layer was not measured.
        """
        total, known = 0.0, self._known
        for name, _, sizes in sized_layers(plan, forms or {}):
            if (name, sizes) not in known:
                if name not in self.kinds:
                    raise UnknownNameError(
                        f"the step table of {self.config} has no layers of the kind {name!r};"
                        f" measure one with a Space that has them: {MEASURE}"
                    )
                known[name, sizes] = self.kinds[name].at(sizes)
            total += known[name, sizes]
        return self.factor * total

    @cached_property
    def _known(self) -> dict[tuple[str, Sizes], float]:
        return {}
