"""The test part of series: what the outputs of a trained network are worth on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.tasks.next_value import NextValue
from autodl.tasks.sequences import SequenceClassification
from autodl.tasks.task import Rows
from autodl.trained.test_result import test_result


def series_result(
    task: SequenceClassification | NextValue, outputs: NDArray[np.float32], targets: Rows
) -> dict[str, Any]:
    """The metric of the task, its loss and more, and how many ``series`` or ``windows`` there are.

    Args:
        outputs: of a network for all examples, ``[N, outputs]``.
        targets: their targets, as the task's batches have them.
    """
    wide = outputs.astype(np.float64)
    if isinstance(task, NextValue):
        return _errors(task, wide, targets)
    result = test_result(wide, targets, task.classes)
    result["series"] = result.pop("pictures")
    return result


def _errors(
    task: NextValue, outputs: NDArray[np.float64], targets: NDArray[np.float32]
) -> dict[str, Any]:
    """Errors in standard deviations, and of each target in its own unit.

    ``no_change`` is the error of saying that each target stays as it was last seen.
    """
    places = [task.columns.index(name) for name in task.targets]
    values = task.scale.normalise(task.held_out.T).T
    last = values[task.window - 1 : len(values) - task.ahead, places]
    apart, still = np.abs(outputs - targets), np.abs(last - targets)
    std = np.array(task.scale.std)[places]
    return {
        task.metric.name: float(apart.mean()),
        "no_change": float(still.mean()),
        "loss": float(np.square(apart).mean()),
        "windows": len(targets),
        "per_target": dict(zip(task.targets, (apart.mean(axis=0) * std).tolist(), strict=True)),
    }
