"""Reading the test set: once for each training, at the very end, and on record.

Every choice (architecture, recipe, epoch) is made on held-out pictures. A second look at the
test set would turn it into another held-out set, so its result is kept beside the weights and
given again instead.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.data.batches import Normalisation
from autodl.data.dataset import Dataset
from autodl.data.load import load
from autodl.data.views import one_view, six_views, two_views
from autodl.errors import CheckpointError, ConfigError, DataError, StoreError
from autodl.jobs.train.task_test import test_task
from autodl.plans.signature import picture_signature
from autodl.recipes.config import TrainConfig
from autodl.runs.folder import MANIFEST, check_seals
from autodl.system.files import check_writable
from autodl.tasks.load import is_pictures
from autodl.trained.folder import load_trained, trained_pictures
from autodl.trained.model import build_model, give_weights, is_packed, weights_file
from autodl.trained.test_record import keep_test, read_test
from autodl.trained.test_result import test_result
from autodl.trial import Architecture

_MAY_CHANGE = ("Data.path", "Data.test_path", "Global.device")


Seen = Callable[[NDArray[np.float64], NDArray[np.int64]], None]


def measure_once(
    folder: Path, overrides: Sequence[str] = (), seen: Seen = lambda logits, labels: None
) -> dict[str, Any]:
    """Accuracy of a finished training on the test part of its data; measured only once.

    Args:
        folder: what ``retrain`` made.
        overrides: ``Data.path=...``, where the data are now, and ``Global.device=...``.
        seen: of pictures, called with the logits ``[N, classes]`` and the labels ``[N]`` before
            the result is put on record; never for weights that were tested before.

    Returns:
        What ``test_result`` gives, or the metric of another task under its name; ``data`` and its
        ``checksum``, whether it is ``official``, ``weights_sha256`` and ``time``; ``on_record`` is
        whether the weights had been tested before: then the test set is not read again.

    Raises:
        ConfigError: an override of something else.
        StoreError: the record is damaged, or could not be kept.
        DataError: the data are unusable or not those of the training, whose pictures could
            then be among the test pictures.
        AutoDLError: no finished training, or its weights are unusable.
    """
    *most, last = _MAY_CHANGE
    allowed = f"{', '.join(most)} and {last}"
    for override in overrides:
        if override.partition("=")[0].strip() not in _MAY_CHANGE:
            raise ConfigError(
                f"-o {override}: a test may change {allowed} alone;"
                " train anew to change something else"
            )
    config, architecture, metrics = load_trained(folder, overrides)
    sha256 = _weights_sha256(folder)
    if (known := read_test(folder, sha256)) is not None:
        return {**known, "on_record": True}
    check_writable(folder, "the result of the test is kept there")
    from autodl.training.device import select_device

    if is_pictures(config.data):
        found = _test_pictures(config, architecture, metrics, folder, seen)
    else:
        select_device(config.general.device)
        found = test_task(folder, config, architecture, metrics)
    result = {
        **found,
        "weights_sha256": sha256,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    keep_test(folder, result)
    return {**result, "on_record": False}


def _test_pictures(
    config: TrainConfig,
    architecture: Architecture,
    metrics: dict[str, Any],
    folder: Path,
    seen: Seen,
) -> dict[str, Any]:
    """What ``test_result`` says of the test pictures, and which these are."""
    dataset = _load_same(config, folder)
    logits, of_others = _logits(config, architecture, metrics, folder, dataset)
    labels, classes = dataset.test.labels, metrics["classes"]
    seen(logits, labels)
    return {
        **test_result(logits, labels, classes),
        **{name: test_result(other, labels, classes) for name, other in of_others.items()},
        "data": dataset.name,
        "official": dataset.official,
        "checksum": dataset.checksum,
    }


def _load_same(config: TrainConfig, folder: Path) -> Dataset:
    """The data, if they are what the training in ``folder`` saw: same pictures, same parts.

    Of an imported network it is known only that it was trained on the official files.
    """
    dataset = load(config.data)
    try:
        pictures = trained_pictures(folder)
        if pictures.get("official") and "checksum" not in pictures:
            if dataset.official:
                return dataset
            raise DataError(
                f"the network was trained on the official {dataset.name} files, these are others"
                " and may hold its training pictures; give the official ones by -o Data.path=..."
            )
        trained_on = str(pictures["checksum"])
    except (AttributeError, KeyError, TypeError):
        raise StoreError(
            f"{folder / MANIFEST} does not say which pictures were trained on; train anew"
        ) from None
    if dataset.checksum != trained_on:
        raise DataError(
            f"{dataset.name} has the checksum {dataset.checksum[:12]}, the network was trained on"
            f" {trained_on[:12]}: other data may hold its training pictures;"
            " give the same data by -o Data.path=..."
        )
    return dataset


def _logits(
    config: TrainConfig,
    architecture: Architecture,
    metrics: dict[str, Any],
    folder: Path,
    dataset: Dataset,
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Logits ``[N, classes]`` that the trained network gives the test pictures.

    They are of one view or two, as its training measured it; beside them, those of ``one_view``
    where they are of two, and of ``six_views`` where the training has measured these as well.
    """
    from autodl.training.device import select_device
    from autodl.training.metrics import logits_by_view, mean_of_views

    select_device(config.general.device)
    weights = weights_file(folder)
    network = build_model(
        config,
        architecture,
        picture_signature(len(dataset.classes), dataset.test.images.shape[1]),
        packed=is_packed(weights),
    )
    give_weights(network, weights)
    check_seals(folder, (weights.name,))
    normalisation = Normalisation.from_plain(metrics)
    two, six = bool(metrics.get("mirrored", False)), "held_out_accuracy_six_views" in metrics
    views = six_views if six else two_views if two else one_view
    each = logits_by_view(network, dataset.test, normalisation, views)
    found = {"one_view": each[:1]} if two else {}
    if six:
        found["six_views"] = each
    others = {name: mean_of_views(some).astype(np.float64) for name, some in found.items()}
    return mean_of_views(each[: 1 + two]).astype(np.float64), others


def _weights_sha256(folder: Path) -> str:
    weights = weights_file(folder)
    try:
        return hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError as error:
        raise CheckpointError(
            f"cannot read the weights {weights}: {error.strerror};"
            " train anew, or bring the file back"
        ) from None
