"""Reading the test set: once for each training, at the very end, and on record.

Every choice (architecture, recipe, epoch) is made on held-out pictures. A second look at the
test set would turn it into another held-out set, so its result is kept beside the weights and
given again instead.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from autodl.assemble import plan_maker
from autodl.config import load_config
from autodl.data.batches import Normalisation
from autodl.data.load import load
from autodl.errors import DataError, StoreError
from autodl.files import write_json
from autodl.retrain import WEIGHTS, load_trained, resolve_train

TEST = "test.json"


def wilson_interval(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a share ``right / count`` (Wilson, 1927); 95 % at the default ``z``."""
    share = right / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return middle - reach, middle + reach


def measure_once(folder: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Accuracy of a finished training on the test part of its data; measured only once.

    Args:
        folder: what ``retrain`` made.
        overrides: ``Section.key=value``, to say where the data are now or which device to use.

    Returns:
        ``accuracy``, its 95 % ``interval``, ``loss``, ``pictures``, ``per_class`` accuracies,
        ``data`` and its ``checksum``, ``weights_sha256``, ``time``; ``on_record`` is whether the
        weights had been tested before, in which case the test set is not read again.

    Raises:
        AutoDLError: no finished training, or its data or weights are unusable.
    """
    _, architecture, metrics = load_trained(folder)
    sha256 = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    record = folder / TEST
    if record.exists():
        known = _read(record)
        if known.get("weights_sha256") == sha256:
            return {**known, "on_record": True}
    config = resolve_train(load_config(folder / "config.yaml", overrides))
    dataset = load(config.data)
    if list(dataset.classes) != metrics["classes"]:
        raise DataError(
            f"the network knows the classes {', '.join(metrics['classes'])}; the data set has"
            f" {', '.join(dataset.classes)}; give the data it was trained on by -o Data.path=..."
        )

    from autodl.networks.network import PlanNetwork
    from autodl.training.device import select_device
    from autodl.training.metrics import cross_entropy, logits_of
    from autodl.training.weights import load_weights

    select_device(config.general.device)
    size = dataset.test.images.shape[1]
    make_plan = plan_maker(config.network, classes=len(dataset.classes), image_size=size)
    network = PlanNetwork(make_plan(architecture))
    load_weights(network, folder / WEIGHTS)
    normalisation = Normalisation(tuple(metrics["mean"]), tuple(metrics["std"]))
    logits = logits_of(network, dataset.test, normalisation).astype(np.float64)
    labels = dataset.test.labels
    hits = logits.argmax(axis=1) == labels
    result = {
        "accuracy": float(hits.mean()),
        "interval": list(wilson_interval(int(hits.sum()), len(hits))),
        "loss": float(cross_entropy(logits, labels).mean()),
        "pictures": len(labels),
        "per_class": {
            name: float(hits[labels == index].mean()) if (labels == index).any() else None
            for index, name in enumerate(dataset.classes)
        },
        "data": dataset.name,
        "official": dataset.official,
        "checksum": dataset.checksum,
        "weights_sha256": sha256,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    write_json(record, result)
    return {**result, "on_record": False}


def _read(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return value
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {path}: {error}") from None
