"""From a finished training to a released network: calibrated, measured and described."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from autodl.data.dataset import Pictures
from autodl.data.load import load_split, public_name
from autodl.errors import ConfigError, DataError, StoreError
from autodl.export import export, latencies
from autodl.files import checksum, folder_aside, write_json, write_text
from autodl.release.calibration import calibration_error, fit_temperature, log_loss, probabilities
from autodl.release.card import card_text
from autodl.release.metrics import (
    HeldOutScores,
    Latency,
    ReleaseMetrics,
    TestScores,
    TrainingFacts,
)
from autodl.release.network import ARCHITECTURE, CARD, CONFIG, METRICS, WEIGHTS
from autodl.retrain import load_trained
from autodl.search.run_folder import read_manifest
from autodl.trained import load_trained_network

LARGEST = 8_000_000  # bytes of a network's weights; people get them with the package


@dataclass(frozen=True, slots=True)
class Published:
    """A released folder and what it says."""

    folder: Path
    metrics: ReleaseMetrics


def publish(
    training: Path,
    folder: Path,
    *,
    found_by: str,
    overrides: Sequence[str] = (),
    repetitions: int = 20,
) -> Published:
    """Write a released network's folder, whole or not at all.

    Args:
        training: folder of a finished training; its test accuracy is taken from the record that
            ``tools/eval.py`` has left there, and missing without one.
        folder: to make, such as ``models/NAME``; it must not be there.
        found_by: which search proposed the network, for people.
        overrides: ``Data.path=...``, where the data are now.
        repetitions: of each timing; 0 leaves latencies out.

    Raises:
        StoreError: no finished training, or ``folder`` is there or cannot be written.
        ConfigError: the weights are larger than ``LARGEST``.
        DataError: other data than those of the training.
    """
    if folder.exists():
        raise StoreError(f"{folder} is there already; remove it first to publish anew")
    config, _, facts = load_trained(training, overrides)
    if (size := (training / WEIGHTS).stat().st_size) > LARGEST:
        raise ConfigError(f"{training / WEIGHTS} has {size:,} bytes, allowed are {LARGEST:,}")
    data = load_split(config.data)
    manifest = read_manifest(training)["identity"]
    if data.checksum != manifest["Pictures"]["checksum"]:
        raise DataError(
            f"{data.name} is not what {training} was trained on; give Data.path of that"
        )
    mirrored = bool(facts.get("mirrored", False))
    logits = held_out_logits(training, data.held_out, mirrored)
    temperature = fit_temperature(logits, data.held_out.labels)
    metrics = ReleaseMetrics(
        format=1,
        classes=tuple(facts["classes"]),
        image_size=facts["image_size"],
        mean=tuple(facts["mean"]),
        std=tuple(facts["std"]),
        mirrored=mirrored,
        temperature=temperature,
        parameters=facts["parameters"],
        macs=facts["macs"],
        weights_bytes=size,
        weights_sha256=checksum(training / WEIGHTS),
        held_out=held_out_scores(logits, data.held_out.labels, temperature),
        test=_test_on_record(training),
        training=TrainingFacts(
            data=public_name(data.name),
            checksum=data.checksum,
            pictures=len(data.train),
            epochs=facts["epochs"],
            seconds=facts["seconds"],
            seed=config.general.seed,
            found_by=found_by,
        ),
        latency=_latency(training, repetitions) if repetitions else {},
    )
    plain = config.to_plain()
    plain["Data"]["path"] = None  # where the data were is nobody's business
    with folder_aside(folder) as aside:
        shutil.copyfile(training / WEIGHTS, aside / WEIGHTS)
        shutil.copyfile(training / "architecture.json", aside / ARCHITECTURE)
        write_text(aside / CONFIG, yaml.safe_dump(plain, sort_keys=False))
        write_json(aside / METRICS, metrics.model_dump(mode="json"))
        write_text(aside / CARD, card_text(folder.name, metrics, config))
    return Published(folder, metrics)


def held_out_logits(training: Path, held_out: Pictures, mirrored: bool) -> NDArray[np.float64]:
    """Logits ``[N, classes]`` of a trained network on the pictures that it never saw."""
    from autodl.training.metrics import logits_of

    trained = load_trained_network(training)
    found = logits_of(trained.network, held_out, trained.normalisation, mirrored=mirrored)
    return np.asarray(found, np.float64)


def held_out_scores(
    logits: NDArray[np.float64], labels: NDArray[np.int64], temperature: float
) -> HeldOutScores:
    """What logits ``[N, classes]`` are worth on held-out pictures with these labels."""
    right = int((logits.argmax(axis=1) == labels).sum())
    return HeldOutScores(
        accuracy=right / len(labels),
        right=right,
        pictures=len(labels),
        loss=log_loss(logits, labels),
        calibration_error=calibration_error(probabilities(logits, temperature), labels),
    )


def _test_on_record(training: Path) -> TestScores | None:
    from autodl.final_test import TEST

    record = training / TEST
    if not record.exists():
        return None
    known: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    if known.get("weights_sha256") != checksum(training / WEIGHTS):
        raise StoreError(f"{record} is of other weights; run tools/eval.py {training}")
    kept = {name: known[name] for name in TestScores.model_fields if name != "data"}
    return TestScores(**kept, data=public_name(known["data"]))


def _latency(training: Path, repetitions: int) -> dict[str, Latency]:
    with TemporaryDirectory() as scratch:
        exported = export(training, Path(scratch) / "out")
        measured = latencies(exported, repetitions)
    return {
        form: Latency(
            batch_1=(row[1].low, row[1].median, row[1].high),
            batch_64=(row[64].low, row[64].median, row[64].high),
            pictures_per_second=round(64_000 / row[64].median, 1),
        )
        for form, row in measured.items()
    }
