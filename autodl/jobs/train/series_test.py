"""The test part of series: what a trained network is worth on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.config.components import table
from autodl.errors import DataError
from autodl.runs.folder import read_manifest
from autodl.tasks.next_value import NextValue
from autodl.tasks.sequences import SequenceClassification
from autodl.trained.series import load_series_network
from autodl.trained.test_result import test_result


def test_series(folder: Path, data: Any) -> dict[str, Any]:
    """Metric of a finished training on the test part of its series.

    Args:
        data: the section ``Data``, with the place where the series are now.

    Raises:
        DataError: the data are unusable, or not those of the training.
        AutoDLError: no finished training, or its weights are unusable.
    """
    from autodl.training.metrics import outputs_of

    task: SequenceClassification | NextValue
    task = table("Data")[data.name].load_factory()(data, test=True)
    known = read_manifest(folder).get("identity", {}).get(task.examples.capitalize())
    if known != task.identity():
        raise DataError(
            f"{task.name} is not what the network was trained on: other series, which may hold its"
            " training part, or another cut; give the same by -o Data.path=..."
        )
    network = load_series_network(folder).network
    outputs, targets = outputs_of(network, task.batches("held_out", 256))
    wide = outputs.astype(np.float64)
    if isinstance(task, NextValue):
        result = _errors(task, wide, targets)
    else:
        result = test_result(wide, targets, task.classes)
        result["series"] = result.pop("pictures")
    return {**result, "data": task.name, "official": None, "checksum": task.checksum}


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
