"""Telling the class of a series: examples, split in like shares of the classes, and accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.data.series.labelled import LabelledSeries, read_labelled
from autodl.data.series.normalisation import ChannelScale
from autodl.data.splits import Split, split
from autodl.errors import DataError
from autodl.plans.signature import Signature
from autodl.tasks.in_memory import Examples
from autodl.tasks.options import SequenceClassificationOptions
from autodl.tasks.task import ACCURACY, Batch, Drawing, Metric, Part, Rows

SIGNALS = Path(__file__).parents[1] / "data" / "series" / "signals.npz"
_FEWEST = 3  # series of a class: one to learn from, to be scored on, to be tested on


def series_signature(channels: int, length: int, outputs: int) -> Signature:
    """Series ``[channels, length]``, to ``[outputs]`` numbers."""
    arguments = {"channels": channels, "length": length, "outputs": outputs}
    return Signature((channels, length), (outputs,), arguments)


@dataclass(frozen=True, slots=True, eq=False)
class SequenceClassification:
    """Series of one length, each of a class; the metric is the accuracy.

    ``checksum`` is that of all series, the test part included; ``split`` says how they were cut.
    """

    train: LabelledSeries
    held_out: LabelledSeries
    scale: ChannelScale
    name: str
    classes: tuple[str, ...]
    checksum: str
    split: Mapping[str, int | str]

    @property
    def goal(self) -> str:
        """The kind of goal by name."""
        return "classification"

    @property
    def signature(self) -> Signature:
        """Channels and steps, to a number for every class."""
        _, channels, length = self.train.values.shape
        return series_signature(channels, length, len(self.classes))

    @property
    def metric(self) -> Metric:
        """The share of series whose likeliest class is the right one."""
        return ACCURACY

    @property
    def examples(self) -> str:
        """What lines of progress call them."""
        return "series"

    @property
    def headline(self) -> str:
        """``signals, 432 + 144 series of 2 x 64, 6 classes``."""
        channels, length = self.signature.inputs
        counts = f"{len(self.train)} + {len(self.held_out)} series of {channels} x {length}"
        return f"{self.name}, {counts}, {len(self.classes)} classes"

    def count(self, part: Part) -> int:
        """How many series a part has."""
        return len(self._part(part))

    def batches(self, part: Part, size: int, drawing: Drawing | None = None) -> Iterator[Batch]:
        """Float32 ``[B, channels, length]`` and int64 ``[B]``; see ``Task``."""
        series = self._part(part)
        numbers = {name: number for number, name in enumerate(self.classes)}
        labels = np.array([numbers[name] for name in series.labels], np.int64)
        yield from Examples(self.scale.normalise(series.values), labels).batches(size, drawing)

    def _part(self, part: Part) -> LabelledSeries:
        return self.train if part == "train" else self.held_out

    def views(self, inputs: Rows) -> tuple[Rows, ...]:
        """The series as they are: backwards, they may be of another class."""
        return (inputs,)

    def identity(self) -> dict[str, Any]:
        """Checksum and split: exactly which series a run saw."""
        return {"checksum": self.checksum, "split": dict(self.split)}

    def record(self) -> Mapping[str, Any]:
        """Classes, shape and scale of the series, and how many are held out.

        With the names of the channels, where the file has them.
        """
        names = {"columns": list(self.train.channels)} if self.train.channels else {}
        return {
            "held_out_series": len(self.held_out),
            "classes": list(self.classes),
            **names,
            "shape": list(self.signature.inputs),
            "mean": list(self.scale.mean),
            "std": list(self.scale.std),
        }


def load_classification(
    options: SequenceClassificationOptions, *, test: bool = False
) -> SequenceClassification:
    """Read series and cut them into parts.

    Args:
        test: give the test part in the place of the held-out one.

    Raises:
        DataError: the data are missing, damaged or unsuitable.
    """
    path = options.path or SIGNALS
    whole = _read(path, options)
    extra = None
    if options.test_path is not None:
        extra = _read(options.test_path, options, whole.channels)
    classes = class_names(whole.labels)
    _check(path, whole, classes, extra)
    numbers = {name: number for number, name in enumerate(classes)}
    labels = np.array([numbers[name] for name in whole.labels], np.int64)
    if extra is None:
        first = _cut(labels, options.test, options.split_seed)
        rest = _complement(len(whole), first.held_out)
        tested = whole.take(first.held_out)
    else:
        rest, tested = np.arange(len(whole)), extra
    share = options.held_out / (1 - options.test if extra is None else 1)
    second = _cut(labels[rest], share, options.split_seed, options.train)
    train = whole.take(rest[second.train])
    checksum = whole.checksum if extra is None else f"{whole.checksum}+{extra.checksum}"
    return SequenceClassification(
        train=train,
        held_out=tested if test else whole.take(rest[second.held_out]),
        scale=ChannelScale.of(train.values),
        name=path.stem,
        classes=classes,
        checksum=checksum,
        split={
            "seed": options.split_seed,
            "train": len(second.train),
            "held_out": len(second.held_out),
            "test": len(tested),
            "sha256": replace(
                second, train=rest[second.train], held_out=rest[second.held_out]
            ).sha256,
        },
    )


def class_names(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels that there are: numbers by size, texts by the alphabet."""
    names = {*labels}
    if all(name.lstrip("-").isdecimal() for name in names):
        return tuple(sorted(names, key=int))
    return tuple(sorted(names))


def _read(
    path: Path, options: SequenceClassificationOptions, channels: Sequence[str] = ()
) -> LabelledSeries:
    return read_labelled(path, label=options.label, series=options.series, channels=channels)


def _check(
    path: Path, whole: LabelledSeries, classes: tuple[str, ...], extra: LabelledSeries | None
) -> None:
    """Raise DataError for series that cannot be told apart, cut, or tested on."""
    if len(classes) < 2:
        raise DataError(f"{path}: all series are of the class {classes[0]!r}; two are needed")
    for name in classes:
        if (count := whole.labels.count(name)) < _FEWEST:
            raise DataError(
                f"{path}: the class {name!r} has {count} series, at least {_FEWEST} are needed: add"
                " some, or leave the class out"
            )
    if extra is None:
        return
    if extra.values.shape[1:] != whole.values.shape[1:]:
        raise DataError(
            f"Data.test_path has series of {list(extra.values.shape[1:])} (channels, steps),"
            f" Data.path {list(whole.values.shape[1:])}; give files of one form"
        )
    if foreign := sorted({*extra.labels} - {*classes}):
        raise DataError(f"Data.test_path has the class {foreign[0]!r}, which Data.path lacks")


def _cut(labels: NDArray[np.int64], share: float, seed: int, train: int | None = None) -> Split:
    """Cut so many into a second part, of each class at least one."""
    counts = np.bincount(labels)
    held_out = min(max(round(share * len(labels)), len(counts)), len(labels) - len(counts))
    if train is not None and not len(counts) <= train <= len(labels) - held_out:
        raise DataError(
            f"Data.train={train}: of each of {len(counts)} classes one series is needed, and there"
            f" are {len(labels) - held_out} to train on"
        )
    return split(labels, held_out, train, seed)


def _complement(count: int, taken: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions that are not taken, sorted."""
    left = np.ones(count, bool)
    left[taken] = False
    return np.flatnonzero(left)
