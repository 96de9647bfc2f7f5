"""Tables of measured layers, and the latency of a network predicted from its plan.

Layers are measured among each other in random order, so that each finds the caches as in a
network: filled by others. A network's latency is the sum of its layers' times a factor, which is
measured with the table on some whole networks and covers what the sum misses. Networks too are
measured among others; one that runs again and again is some per cent faster. A table is JSON.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import fields
from functools import cached_property, lru_cache
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, FiniteFloat, model_validator

from autodl.errors import DataError, UnknownNameError
from autodl.objectives.latency.machine import DECISIVE, Machine, this_machine
from autodl.plans.layers import Layer, Shape
from autodl.plans.plan import Plan, Record
from autodl.plans.step_table import Kernels
from autodl.plans.table_file import TableValue, read_table
from autodl.system.files import write_json

Milliseconds = Annotated[FiniteFloat, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Mode: TypeAlias = Literal["inference", "training"]


class Timing(TableValue):
    """Milliseconds of one call: the median, and the quartiles around it."""

    ms: Milliseconds
    low: Milliseconds
    high: Milliseconds

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.ms <= self.high:
            raise ValueError("needs low <= ms <= high")
        return self


class Network(TableValue):
    """A whole network that was measured with the table; ``sum_ms`` is that of its layers."""

    architecture: dict[str, Any]
    sum_ms: Milliseconds
    timing: Timing


class LatencyTable(TableValue):
    """Latencies of layers on one machine, for batches of ``batch_size``.

    ``mode`` is what was timed: ``inference``, a call in evaluation mode, or ``training``, a step.
    ``kernels`` are those of convolutions in training steps, None in tables that do not say so.
    ``disturbed`` is the share of calls that another program interrupted; ``config`` names what
    was measured, for people. ``records`` go by ``record_key``. ``path`` is where the table was
    read from, for messages; it is not written.
    """

    path: str = Field("TABLE", exclude=True)

    format: Literal["autodl latency table"] = "autodl latency table"
    version: Literal[1] = 1
    mode: Mode = "inference"
    kernels: Kernels | None = None
    machine: Machine
    batch_size: Count
    repetitions: Count
    config: str
    measured: str
    seconds: Annotated[FiniteFloat, Field(ge=0)]
    disturbed: Annotated[FiniteFloat, Field(ge=0, le=1)]
    networks: tuple[Network, ...] = Field(min_length=1)
    records: dict[str, Timing] = Field(min_length=1)

    @classmethod
    def read(cls, path: Path) -> LatencyTable:
        """Read what ``write`` wrote.

        Raises:
            DataError: the file is missing or damaged, is no table, or is one of another version.
        """
        table = read_table(path, cls, "latency table", measure_command(path))
        return table.model_copy(update={"path": str(path)})

    def write(self, path: Path) -> None:
        """Write the table as JSON, whole or not at all; one of calls as it always was."""
        known = {"mode"} if self.mode == "inference" else set()
        if self.kernels is None:
            known.add("kernels")
        write_json(path, self.model_dump(mode="json", exclude=known))

    @cached_property
    def factor(self) -> float:
        """Latency of a network over the sum of its layers: the median of those measured."""
        return median(network.timing.ms / network.sum_ms for network in self.networks)

    def predict(self, plan: Plan) -> float:
        """Milliseconds that the network of ``plan`` takes for a batch, or a step on one.

        Raises:
            UnknownNameError: one of its layers was not measured.
        """
        total, milliseconds = 0.0, self._milliseconds
        for key, record, _ in keyed_records(plan):
            if key not in milliseconds:
                raise UnknownNameError(
                    f"the latency table {self.path} has no layer {key!r} ({record.name}): it is of"
                    f" another Space, Network or picture size. {self._measure_again}"
                )
            total += milliseconds[key]
        return self.factor * total

    @cached_property
    def _milliseconds(self) -> dict[str, float]:
        return {key: timing.ms for key, timing in self.records.items()}

    def check_mode(self, mode: Mode, key: str) -> None:
        """Refuse a table of something else than ``key`` of a config is for.

        Raises:
            DataError: it is of the other mode.
        """
        if self.mode != mode:
            option = "--training " if mode == "training" else ""
            raise DataError(
                f"{key} {self.path} is a table of {self.mode}, not of {mode}; measure one: autodl"
                f" latency measure {option}-c CONFIG --out TABLE"
            )

    def check_machine(
        self, *, allow_foreign: bool = False, here: Machine | None = None, permit: str = ""
    ) -> None:
        """Refuse a table that was not measured on this machine, as it computes now.

        Args:
            allow_foreign: the table is that of the device which the networks are made for, and
                the search runs elsewhere: everything goes.
            here: this machine, if it is known already.
            permit: what to do to allow it, for the message; empty where it cannot be allowed.

        Raises:
            DataError: device, platform, number of threads or version of Paddle differ.
        """
        if allow_foreign:
            return
        here = here or this_machine(self.machine.kind)
        for name, words in DECISIVE.items():
            there, now = getattr(self.machine, name), getattr(here, name)
            if there != now:
                way_out = f"; or, if that is the machine which the networks are for, {permit}"
                raise DataError(
                    f"the latency table {self.path} was measured with another {words}: {there!r},"
                    f" here it is {now!r}. {self._measure_again}{way_out if permit else ''}"
                )

    def check_kernels(self, here: Kernels, permit: str = "") -> None:
        """Refuse a table of training steps that are no longer taken so.

        Args:
            here: whose kernels a training would use.
            permit: what to do to allow it, for the message; empty where it cannot be allowed.

        Raises:
            DataError: it says that it was measured with others.
        """
        if self.kernels is not None and self.kernels != here:
            raise DataError(
                f"the latency table {self.path} was measured with the kernels of {self.kernels},"
                f" and trainings here use those of {here}; measure it anew with --training and"
                " Train.amp as the search has it" + (f", or {permit}" if permit else "")
            )

    @property
    def _measure_again(self) -> str:
        return f"Measure one here, with this config: {measure_command(self.path)}"


def measure_command(path: Path | str) -> str:
    """The command that makes a table."""
    return f"autodl latency measure -c CONFIG --out {shlex.quote(str(path))}"


def keyed_records(plan: Plan) -> Iterator[tuple[str, Record, tuple[Shape, ...]]]:
    """Every layer of a plan but its input: key, record and the shapes of its inputs."""
    records = plan.records
    for record in records:
        if record.inputs:
            shapes = tuple([records[i].shape for i in record.inputs])
            yield record_key(record.layer, shapes), record, shapes


@lru_cache(maxsize=2**16)
def record_key(layer: Layer, inputs: tuple[Shape, ...]) -> str:
    """What a layer's latency depends on, as a text that is the same in every version.

    Its kind, the parameters that differ from their defaults, and the shapes of its inputs, as in
    ``Conv in_channels=16 out_channels=8 kernel=1x1 <- 16x32x32``.
    """
    given = [(f.name, getattr(layer, f.name), f.default) for f in fields(layer)]
    words = [f"{name}={_text(value)}" for name, value, default in given if value != default]
    shapes = ", ".join(_text(shape) for shape in inputs)
    return " ".join([type(layer).__name__, *words, "<-", shapes])


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "x".join(_text(part) for part in value)
    if isinstance(value, bool | int | float) and float(value).is_integer():
        return str(int(value))  # 0 and 0.0 are equal, and so are their keys
    return str(value)
