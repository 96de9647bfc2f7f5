"""The test part of a task that is not pictures in classes: ours on series, or a plugin's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autodl.errors import DataError
from autodl.jobs.train.series_test import series_result
from autodl.recipes.config import TrainConfig
from autodl.runs.folder import check_seals, read_manifest
from autodl.tasks.load import load_task
from autodl.tasks.next_value import NextValue
from autodl.tasks.sequences import SequenceClassification
from autodl.tasks.task import Task
from autodl.trained.model import build_model, give_weights, is_packed, weights_file
from autodl.trial import Architecture

if TYPE_CHECKING:
    from autodl.networks.network import PlanNetwork


def test_task(
    folder: Path, config: TrainConfig, architecture: Architecture, metrics: Mapping[str, Any]
) -> dict[str, Any]:
    """The metric of a finished training on the test part of its examples.

    Args:
        config: of the training, with the place where the examples are now.

    Raises:
        ConfigError: its task has no test part.
        DataError: the data are unusable, or not those of the training.
        AutoDLError: the weights are unusable.
    """
    task = load_task(config.data, test=True)
    name = getattr(task, "name", config.data.name)
    identity = task.identity()
    if read_manifest(folder).get("identity", {}).get(task.examples.capitalize()) != identity:
        raise DataError(
            f"{name} is not what the network was trained on: other {task.examples}, which may hold"
            " its training part, or another cut; give the same by -o Data.path=..."
        )
    weights = weights_file(folder)
    network = build_model(config, architecture, task.signature, packed=is_packed(weights))
    give_weights(network, weights)
    check_seals(folder, (weights.name,))
    found = _measured(task, network, mirrored=bool(metrics.get("mirrored")))
    return {**found, "data": name, "official": None, "checksum": identity.get("checksum", "")}


def _measured(task: Task, network: PlanNetwork, *, mirrored: bool) -> dict[str, Any]:
    """What a network is worth on the part of a task that is in the place of the held-out one."""
    from autodl.training.goal import score
    from autodl.training.metrics import outputs_of

    if isinstance(task, NextValue | SequenceClassification):
        return series_result(task, *outputs_of(network, task.batches("held_out", 256)))
    found = score(network, task, "held_out", views=mirrored)
    return {
        task.metric.name: found.value,
        "metric": asdict(task.metric),
        "loss": found.loss,
        "examples": f"{task.count('held_out')} {task.examples}",
    }
