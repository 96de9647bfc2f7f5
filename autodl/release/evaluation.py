"""What released networks are worth on somebody's own data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.data.dataset import Dataset
from autodl.data.load import load
from autodl.errors import ConfigError, StoreError
from autodl.release.ensemble import FILE, Ensemble
from autodl.release.metrics import EnsembleMetrics, ReleaseMetrics, read_metrics
from autodl.release.network import ReleasedNetwork, find, training_config
from autodl.runs.folder import METRICS
from autodl.system.resources import resource
from autodl.trained.test_result import test_result


def measure(predictor: ReleasedNetwork | Ensemble, dataset: Dataset) -> dict[str, Any]:
    """Accuracy, loss and accuracies of the classes on the test part of a data set.

    Returns:
        As ``measured``; the loss is that on record: of a network's logits as they are, of an
        ensemble's calibrated probabilities.

    Raises:
        ConfigError: the data have other classes than the network.
    """
    check_classes(predictor, dataset)
    if isinstance(predictor, Ensemble):
        chances = predictor.predict(dataset.test.images).probabilities
        return measured(np.log(np.maximum(chances, 1e-300)), dataset)
    return measured(predictor.logits(dataset.test.images), dataset)


def check_classes(predictor: ReleasedNetwork | Ensemble, dataset: Dataset) -> None:
    """Refuse data of other classes than the network knows.

    Raises:
        ConfigError: they are others, or in another order.
    """
    if dataset.classes != predictor.classes:
        raise ConfigError(
            f"{dataset.name} has the classes {', '.join(dataset.classes[:4])}, ..., the network"
            f" knows {', '.join(predictor.classes[:4])}, ...; give data with these classes"
        )


def measured(logits: NDArray[np.float64], dataset: Dataset) -> dict[str, Any]:
    """What logits ``[N, classes]`` of the test part say.

    Returns:
        What ``test_result`` gives, ``data``, ``checksum`` and ``official``.
    """
    return {
        **test_result(logits, dataset.test.labels, dataset.classes),
        "data": dataset.name,
        "checksum": dataset.checksum,
        "official": dataset.official,
    }


def prepare(name: str | None, overrides: Sequence[str], models: Path | None = None) -> Dataset:
    """Choose the device, and read the data set of a released network, or of the ensemble (None).

    Args:
        overrides: of how it was trained: ``Data.path=...``, ``Data.name=folder`` and the like, and
            ``Global.device=...``.
        models: the folder of the networks, if not the one that ships with the project.

    Raises:
        ConfigError: an override is unusable, or of something else.
        DeviceError: no such device here.
        UnknownNameError: no such network.
        CheckpointError: the ensemble's file is missing or damaged.
        DataError: the data are missing or unusable.
    """
    from autodl.training.device import select_device

    for override in overrides:
        key = override.partition("=")[0].strip()
        if key != "Global.device" and not key.startswith("Data."):
            raise ConfigError(
                f"-o {override}: of a released network Data.* and Global.device may change, the"
                " rest is as it was trained"
            )
    if name is None:  # all its members were trained on the same data
        name = next(iter(_ensemble(models).members))
    config = training_config(find(name, models), overrides)
    select_device(config.general.device)
    return load(config.data)


def on_record(name: str | None, models: Path | None = None) -> dict[str, Any]:
    """The test result that was measured once, of a released network, or of the ensemble (None).

    Raises:
        StoreError: it was never measured.
        UnknownNameError: no such network.
        CheckpointError: its metrics are damaged.
    """
    if name is None:
        test = _ensemble(models).test
    else:
        test = read_metrics(ReleaseMetrics, find(name, models) / METRICS).test
    if test is None:
        raise StoreError(f"{name or 'the ensemble'} was released without a test accuracy")
    return test.model_dump(mode="json")


def _ensemble(models: Path | None) -> EnsembleMetrics:
    return read_metrics(EnsembleMetrics, (models or resource("models")) / FILE)
