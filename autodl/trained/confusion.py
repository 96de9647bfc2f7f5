"""Which classes are taken for which: counts, and precision and recall of each class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Of one class; None where nothing was called it, or nothing is of it.

    ``precision`` is the share of what is called so that is so, ``recall`` the share of what is so
    that is called so, ``f1`` their harmonic mean, ``support`` how many pictures are so.
    """

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


def confusion_matrix(labels: Counts, said: Counts, classes: int) -> Counts:
    """Int64 ``[classes, classes]``: rows are what pictures are, columns what they are called.

    For few classes: of 10,000 it would have 0.8 GB. The other functions need none.

    Args:
        labels: int64 ``[N]``, each in ``[0, classes)``; N may be 0.
        said: the same of what is predicted.
    """
    counts = np.bincount(labels * classes + said, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def class_figures(labels: Counts, said: Counts, names: tuple[str, ...]) -> list[ClassFigures]:
    """Precision, recall, F1 and support of every class; see ``confusion_matrix``."""
    right, support, called = _counts(labels, said, len(names))
    return [
        ClassFigures(
            name,
            _share(right[k], called[k]),
            _share(right[k], support[k]),
            _share(2 * right[k], called[k] + support[k]),
            int(support[k]),
        )
        for k, name in enumerate(names)
    ]


def balanced_accuracy(labels: Counts, said: Counts, classes: int) -> float:
    """Mean recall over the classes that have pictures, 0..1; of uneven classes each counts alike.

    NaN where there is no picture at all.
    """
    right, support, _ = _counts(labels, said, classes)
    there = support > 0
    if not there.any():
        return float("nan")
    return float((right[there] / support[there]).mean())


def most_confused(
    labels: Counts, said: Counts, names: tuple[str, ...], most: int
) -> list[tuple[str, str, int]]:
    """The pairs ``(is, called, pictures)`` that are confused most often, none without a picture."""
    wrong = labels != said
    codes, counts = np.unique(labels[wrong] * len(names) + said[wrong], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    pairs = [(divmod(int(codes[place]), len(names)), int(counts[place])) for place in order]
    return [(names[row], names[column], count) for (row, column), count in pairs]


def _counts(labels: Counts, said: Counts, classes: int) -> tuple[Counts, Counts, Counts]:
    """Of every class, int64 ``[classes]``: pictures called right, pictures, pictures called so."""
    parts = (labels[labels == said], labels, said)
    right, support, called = (np.bincount(part, minlength=classes) for part in parts)
    return right, support, called


def _share(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None
