"""What a test of a trained network says: accuracy, its interval, loss, accuracies of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.data.load import public_name
from autodl.tasks.task import Metric


def wilson_interval(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a share ``right / count`` (Wilson, 1927); 95 % at the default ``z``."""
    share = right / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    # rounding can leave [0, 1] by one part in 10^16 where all or none are right
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


def gain_interval(
    first: NDArray[np.bool_], second: NDArray[np.bool_], z: float = 1.96
) -> tuple[float, float]:
    """Interval of how much more often the first of two classifiers is right on the same pictures.

    Agresti and Min (Statistics in Medicine 24, 2005): half a picture more is counted in each of
    the four cells of right and wrong, so that the interval has a width where both are always
    alike, too.

    Args:
        first: whether each of ``N`` pictures is named rightly, ``[N]``; 0 pictures do as well.
        second: the same of the other one.
        z: of the normal distribution; 95 % at the default.

    Returns:
        The lower and the upper bound of the difference of the accuracies, in ``[-1, 1]``.
    """
    gained = int((first & ~second).sum()) + 0.5
    lost = int((second & ~first).sum()) + 0.5
    count = len(first) + 2
    middle = (gained - lost) / count
    reach = z * sqrt(gained + lost - (gained - lost) ** 2 / count) / count
    return max(middle - reach, -1.0), min(middle + reach, 1.0)


def test_result(
    logits: NDArray[np.float64], labels: NDArray[np.int64], classes: Sequence[str]
) -> dict[str, Any]:
    """What logits say about pictures of known classes; of equal logits the first class counts.

    Args:
        logits: finite, ``[N, classes]``, ``N`` at least 1.
        labels: int64 ``[N]``, each in ``[0, classes)``.

    Returns:
        ``accuracy``, its 95 % ``interval``, ``loss`` (mean cross-entropy), ``pictures`` (``N``)
        and ``per_class`` accuracies, None for a class without pictures.
    """
    from autodl.training.metrics import cross_entropy

    hits = logits.argmax(axis=1) == labels
    return {
        "accuracy": float(hits.mean()),
        "interval": list(wilson_interval(int(hits.sum()), len(hits))),
        "loss": float(cross_entropy(logits, labels).mean()),
        "pictures": len(labels),
        "per_class": {
            name: float(hits[labels == index].mean()) if (labels == index).any() else None
            for index, name in enumerate(classes)
        },
    }


def result_lines(name: str, result: Mapping[str, Any]) -> list[str]:
    """What ``measure_once``, or another measurement of that form, has found, for people."""
    of = public_name(result["data"], result.get("checksum", ""))
    if "metric" in result:
        return [_task_line(name, result, of), *_notes(result)]
    if "accuracy" not in result:
        return [*_error_lines(name, result, of), *_notes(result)]
    low, high = result["interval"]
    examples = "pictures" if "pictures" in result else "series"
    lines = [
        f"{name}: test accuracy {result['accuracy']:.4f} (95 %: {low:.4f} to {high:.4f}),"
        f" loss {result['loss']:.4f}, {result[examples]} {examples} of {of}",
        *_notes(result),
    ]
    for key, words in (("one_view", "one view"), ("six_views", "six views")):
        if key in result:
            low, high = result[key]["interval"]
            accuracy = result[key]["accuracy"]
            lines.append(f"  of {words}: {accuracy:.4f} (95 %: {low:.4f} to {high:.4f})")
    worst = sorted((v, k) for k, v in result["per_class"].items() if v is not None)
    return [*lines, "  per class: " + ", ".join(f"{label} {value:.3f}" for value, label in worst)]


def _task_line(name: str, result: Mapping[str, Any], of: str) -> str:
    """The metric of a plugin's task."""
    metric = Metric(**result["metric"])
    direction = "" if metric.higher_is_better else " (lower is better)"
    return (
        f"{name}: test {metric.label} {result[metric.name]:.4f}{direction},"
        f" loss {result['loss']:.4f}, {result['examples']} of {of}"
    )


def _error_lines(name: str, result: Mapping[str, Any], of: str) -> list[str]:
    """Errors of predicted numbers: lower is better."""
    targets = ", ".join(f"{label} {value:.4g}" for label, value in result["per_target"].items())
    return [
        f"{name}: test mae {result['absolute_error']:.4f} standard deviations (lower is better;"
        f" {result['no_change']:.4f} if nothing changed), {result['windows']} windows of {of}",
        f"  mae in the units of the data: {targets}",
    ]


def _notes(result: Mapping[str, Any]) -> list[str]:
    lines = []
    if result["official"] is False:
        lines.append("  the files are not the official ones: say so with the result")
    if result.get("on_record"):
        lines.append(f"  measured on {result['time']}; the test set was not read again")
    return lines
