"""Predicting the next value of a series: windows of the past, cut by time, and their errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from autodl.data.series.normalisation import ChannelScale
from autodl.data.series.recording import Recording, read_recording
from autodl.errors import DataError
from autodl.plans.signature import Signature
from autodl.tasks.in_memory import Examples
from autodl.tasks.options import NextValueOptions
from autodl.tasks.sequences import series_signature
from autodl.tasks.task import ABSOLUTE_ERROR, Batch, Drawing, Metric, Part, Rows

LEVEL = Path(__file__).parents[1] / "data" / "series" / "level.npz"


def windows(values: NDArray[np.float32], window: int, ahead: int) -> NDArray[np.float32]:
    """Every window of ``[steps, columns]`` that has a target ``ahead`` steps behind its end.

    Returns:
        A view, ``[steps - window - ahead + 1, columns, window]``.
    """
    views: NDArray[np.float32] = sliding_window_view(values[: len(values) - ahead], window, axis=0)
    return views


@dataclass(frozen=True, slots=True, eq=False)
class NextValue:
    """Windows of a series and the values behind them.

    Everything is in the scale of the training part: the metric is the mean absolute error in
    standard deviations of what is predicted, over all targets, and lower is better.
    """

    train: NDArray[np.float64]
    held_out: NDArray[np.float64]
    scale: ChannelScale
    name: str
    columns: tuple[str, ...]
    targets: tuple[str, ...]
    window: int
    ahead: int
    checksum: str
    split: Mapping[str, int]

    @property
    def goal(self) -> str:
        """The kind of goal by name."""
        return "regression"

    @property
    def signature(self) -> Signature:
        """Columns and steps of a window, to a number for every target."""
        return series_signature(len(self.columns), self.window, len(self.targets))

    @property
    def metric(self) -> Metric:
        """Mean absolute error, in standard deviations."""
        return ABSOLUTE_ERROR

    @property
    def examples(self) -> str:
        """What lines of progress call them."""
        return "windows"

    @property
    def headline(self) -> str:
        """``level, 1768 + 568 windows of 32 steps, level and wind to level, 1 ahead``."""
        counts = f"{self.count('train')} + {self.count('held_out')} windows of {self.window} steps"
        seen, told = ", ".join(self.columns), ", ".join(self.targets)
        return f"{self.name}, {counts}, {seen} -> {told}, {self.ahead} ahead"

    def count(self, part: Part) -> int:
        """How many windows a part has."""
        return len(self._part(part)) - self.window - self.ahead + 1

    def batches(self, part: Part, size: int, drawing: Drawing | None = None) -> Iterator[Batch]:
        """Float32 ``[B, columns, window]`` and float32 ``[B, targets]``; see ``Task``."""
        values = self.scale.normalise(self._part(part).T).T
        places = [self.columns.index(name) for name in self.targets]
        answers = values[self.window + self.ahead - 1 :, places]
        seen = windows(values, self.window, self.ahead)
        yield from Examples(seen, np.ascontiguousarray(answers)).batches(size, drawing)

    def _part(self, part: Part) -> NDArray[np.float64]:
        return self.train if part == "train" else self.held_out

    def views(self, inputs: Rows) -> tuple[Rows, ...]:
        """The windows as they are."""
        return (inputs,)

    def identity(self) -> dict[str, Any]:
        """Checksum and split: exactly which windows a run saw."""
        return {"checksum": self.checksum, "split": dict(self.split)}

    def record(self) -> Mapping[str, Any]:
        """Columns, targets, shape and scale of the windows, and how many are held out."""
        return {
            "held_out_windows": self.count("held_out"),
            "columns": list(self.columns),
            "targets": list(self.targets),
            "ahead": self.ahead,
            "shape": list(self.signature.inputs),
            "mean": list(self.scale.mean),
            "std": list(self.scale.std),
        }


def load_next(options: NextValueOptions, *, test: bool = False) -> NextValue:
    """Read a series and cut it by time.

    Args:
        test: give the test part in the place of the held-out one.

    Raises:
        DataError: the data are missing, damaged or unsuitable, or a part has no window.
    """
    path = options.path or LEVEL
    recording = read_recording(path, options.columns)
    targets = options.targets_or_all(recording.columns)
    if foreign := [name for name in targets if name not in recording.columns]:
        raise DataError(
            f"Data.targets names {foreign[0]!r}, which is none of the columns"
            f" {', '.join(recording.columns)}"
        )
    held_out, tested = _parts(path, recording, options)
    first, second = recording.values[:held_out], recording.values[held_out:tested]
    return NextValue(
        train=first,
        held_out=recording.values[tested:] if test else second,
        scale=ChannelScale.of(first.T[None]),
        name=path.stem,
        columns=recording.columns,
        targets=targets,
        window=options.window,
        ahead=options.ahead,
        checksum=recording.checksum,
        split={"held_out_from": held_out, "test_from": tested, "steps": len(recording)},
    )


def _parts(path: Path, recording: Recording, options: NextValueOptions) -> tuple[int, int]:
    """The steps that the held-out part and the test part begin at."""
    steps = len(recording)
    tested = steps - round(options.test * steps)
    held_out = tested - round(options.held_out * steps)
    needed = options.window + options.ahead
    sizes = {"training": held_out, "held-out": tested - held_out, "test": steps - tested}
    for name, size in sizes.items():
        if size < needed:
            raise DataError(
                f"{path} has {steps} steps, {size} of them in the {name} part, and a window of"
                f" {options.window} with a value {options.ahead} ahead needs {needed}; give a"
                " longer series or a shorter Data.window"
            )
    return held_out, tested
