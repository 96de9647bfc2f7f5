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

    Args:
        labels: int64 ``[N]``, each in ``[0, classes)``; N may be 0.
        said: the same of what is predicted.
    """
    counts = np.bincount(labels * classes + said, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def class_figures(matrix: Counts, names: tuple[str, ...]) -> list[ClassFigures]:
    """Precision, recall, F1 and support of every class, from a confusion matrix."""
    called, support, right = matrix.sum(axis=0), matrix.sum(axis=1), matrix.diagonal()
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


def balanced_accuracy(matrix: Counts) -> float:
    """Mean recall over the classes that have pictures, 0..1; of uneven classes each counts alike.

    NaN where there is no picture at all.
    """
    support = matrix.sum(axis=1)
    there = support > 0
    if not there.any():
        return float("nan")
    return float((matrix.diagonal()[there] / support[there]).mean())


def most_confused(matrix: Counts, names: tuple[str, ...], most: int) -> list[tuple[str, str, int]]:
    """The pairs ``(is, called, pictures)`` that are confused most often, none without a picture."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [divmod(int(place), len(names)) for place in order]
    return [(names[row], names[column], int(wrong[row, column])) for row, column in pairs
            if wrong[row, column]]  # fmt: skip


def _share(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None
