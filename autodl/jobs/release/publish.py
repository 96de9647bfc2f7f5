"""From a finished training to a released network: calibrated, measured and described."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.data.load import SearchData, public_name
from autodl.data.views import six_views
from autodl.errors import ConfigError, StoreError
from autodl.jobs.export import export, latencies
from autodl.objectives.latency.machine import this_machine
from autodl.recipes.chosen import training_of
from autodl.recipes.config import TrainConfig
from autodl.release.calibration import calibration_error, fit_temperature, log_loss, probabilities
from autodl.release.card import card_text
from autodl.release.metrics import (
    HeldOutScores,
    Latency,
    ReleaseMetrics,
    SingleRun,
    TestScores,
    TrainingFacts,
    read_metrics,
    write_metrics,
)
from autodl.release.network import CARD, training_config
from autodl.runs.folder import ARCHITECTURE, METRICS, TEST, TRAINING
from autodl.spaces.codec import load_architecture
from autodl.spaces.fixed import FixedArchitecture
from autodl.spaces.training_choices import ChoosesTraining
from autodl.system.files import check_writable, checksum, folder_aside, write_text
from autodl.system.yaml_text import dump
from autodl.trained.folder import load_same, load_trained
from autodl.trained.model import weights_file
from autodl.trained.network import TrainedNetwork, load_trained_network
from autodl.trained.spent import core_seconds
from autodl.trained.test_record import read_test

_SIX = "held_out_accuracy_six_views"
VIEWS = (1, 2, 6)
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
    by_hand: bool = False,
    views: int | None = None,
    overrides: Sequence[str] = (),
    repetitions: int = 20,
    largest: int | None = LARGEST,
) -> Published:
    """Write a released network's folder, whole or not at all.

    Args:
        training: folder of a finished training; its test accuracy is taken from the record that
            ``autodl eval`` has left there, and missing without one.
        folder: to make, such as ``models/NAME``; it must not be there.
        found_by: which search proposed the network, or who designed it, for people.
        by_hand: no search proposed it; a network without an architecture of its own, such as
            ``Airbench``, is always by hand.
        views: over how many views of a picture outputs are means: 6, 2 (its mirror image) or 1; it
            is calibrated and measured so. None for the most that the training has measured.
        overrides: ``Data.path=...``, where the data are now.
        repetitions: of each timing; 0 leaves latencies out.
        largest: bytes of the weights, at most; None for any number.

    Raises:
        StoreError: no finished training, its weights, record or pictures are missing, or ``folder``
            is there or cannot be written.
        ConfigError: the weights are larger than ``largest``, the network needs a plugin, another
            number of views than there are, or an override of something else.
        CheckpointError: the weights are damaged.
        DataError: other data than those of the training.
    """
    if folder.exists():
        raise StoreError(f"{folder} is there already; remove it first to publish anew")
    check_writable(folder, "the release goes there")
    config, facts, weights_sha256 = _releasable(training, overrides, largest)
    weights = weights_file(training)
    data = load_same(training, config)
    views, labels = _views(views, facts), data.held_out.labels
    logits = held_out_logits(training, data.held_out, views)
    single = held_out_logits(training, data.held_out, 1) if views > 1 else logits
    temperature, single_temperature = (fit_temperature(each, labels) for each in (logits, single))
    train_yaml = _training_yaml(config)
    metrics = ReleaseMetrics(
        format=1,
        classes=tuple(facts["classes"]),
        image_size=facts["image_size"],
        **Normalisation.from_plain(facts).to_plain(),
        mirrored=views > 1,
        six_views=views == 6,
        temperature=temperature,
        parameters=facts["parameters"],
        macs=facts["macs"],
        weights_bytes=weights.stat().st_size,
        weights_sha256=weights_sha256,
        architecture_sha256=checksum(training / ARCHITECTURE),
        config_sha256=hashlib.sha256(train_yaml.encode()).hexdigest(),
        held_out=held_out_scores(logits, labels, temperature),
        single=SingleRun(
            temperature=single_temperature,
            held_out=held_out_scores(single, labels, single_temperature),
        ),
        test=_test_on_record(training, weights_sha256, facts, views),
        training=_training_facts(
            data, facts, config.general.seed, found_by, by_hand or by_people(training)
        ),
        average_bits=facts.get("average_bits"),
        latency=_latency(training, repetitions) if repetitions else {},
        timed_on=_timed_on() if repetitions else "",
    )
    with folder_aside(folder) as aside:
        shutil.copyfile(weights, aside / weights.name)
        shutil.copyfile(training / ARCHITECTURE, aside / ARCHITECTURE)
        write_text(aside / TRAINING, train_yaml)
        write_metrics(metrics, aside / METRICS)
        write_text(aside / CARD, card_of(folder.name, metrics, config, training))
    return Published(folder, metrics)


def _training_facts(
    data: SearchData, facts: Mapping[str, Any], seed: int, found_by: str, by_hand: bool
) -> TrainingFacts:
    """How the weights came to be."""
    return TrainingFacts(
        data=public_name(data.name, data.checksum),
        checksum=data.checksum,
        pictures=len(data.train),
        epochs=facts["epochs"],
        seconds=facts["seconds"],
        seed=seed,
        found_by=found_by,
        core_seconds=core_seconds(facts),
        by_hand=by_hand,
    )


def _training_yaml(config: TrainConfig) -> str:
    """How a network was trained; where the data were is nobody's business."""
    plain = config.to_plain()
    plain["Data"]["path"] = None
    return dump(plain)


def tell_anew(folder: Path, found_by: str, *, by_hand: bool = False) -> Published:
    """Say anew how a released network was found, in its metrics and on its card.

    The card is written as it would be today; accuracies, weights and timings stay as they are.

    Args:
        folder: of the release.
        found_by: see ``publish``.
        by_hand: people designed it; what is on record as designed by people stays so.

    Raises:
        CheckpointError: a file of it is missing or damaged.
        StoreError: the folder cannot be written.
    """
    known = read_metrics(ReleaseMetrics, folder / METRICS)
    origin = {"found_by": found_by, "by_hand": by_hand or known.training.by_hand}
    training = known.training.model_copy(update=origin)
    metrics = known.model_copy(update={"training": training})
    card = card_of(folder.name, metrics, training_config(folder), folder)
    write_metrics(metrics, folder / METRICS)
    write_text(folder / CARD, card)
    return Published(folder, metrics)


def card_of(name: str, metrics: ReleaseMetrics, config: TrainConfig, folder: Path) -> str:
    """The card of a network whose architecture, in a folder, may decide about its training."""
    architecture = load_architecture(folder / ARCHITECTURE)
    as_trained = replace(config, train=training_of(config.train, architecture))
    if isinstance(architecture, ChoosesTraining):
        return card_text(name, metrics, as_trained, architecture.training_choices())
    return card_text(name, metrics, as_trained)


def by_people(folder: Path) -> bool:
    """Whether a folder's network has no architecture of its own, so no search can find it."""
    return isinstance(load_architecture(folder / ARCHITECTURE), FixedArchitecture)


def check_overrides(overrides: Sequence[str]) -> None:
    """Refuse to release a training under another configuration than its own.

    Raises:
        ConfigError: an override of anything but ``Data.path``.
    """
    for override in overrides:
        if override.partition("=")[0].strip() != "Data.path":
            raise ConfigError(
                f"-o {override}: a release may change Data.path alone; train anew to change"
                " something else"
            )


def _releasable(
    training: Path, overrides: Sequence[str], largest: int | None
) -> tuple[TrainConfig, dict[str, Any], str]:
    """Config and metrics of a training that can be released, and the SHA-256 of its weights."""
    check_overrides(overrides)
    config, _, facts = load_trained(training, overrides)
    if plugins := config.general.plugins:
        raise ConfigError(f"{training} needs the plugin {plugins[0]}, which no release can hold")
    weights = weights_file(training)
    weights_sha256 = checksum(weights)
    if largest is not None and (size := weights.stat().st_size) > largest:
        raise ConfigError(f"{weights} has {size:,} bytes, allowed are {largest:,}")
    return config, facts, weights_sha256


def _views(wanted: int | None, facts: Mapping[str, Any]) -> int:
    """How many views outputs are means over; None are the most that the training has measured."""
    if wanted is None:
        return 6 if _SIX in facts else usual_views(facts)
    if wanted not in VIEWS:
        raise ConfigError(f"outputs are means over 1, 2 or 6 views of a picture, got {wanted}")
    return wanted


def usual_views(facts: Mapping[str, Any]) -> int:
    """How many views a training's accuracy is of: 2 with mirror images, else 1."""
    return 1 + bool(facts.get("mirrored", False))


def held_out_logits(training: Path, held_out: Pictures, views: int) -> NDArray[np.float64]:
    """Logits ``[N, classes]`` of a trained network on the pictures that it never saw.

    They are means over 1, 2 or 6 views of each.
    """
    return logits_by(load_trained_network(training), held_out, views)


def logits_by(trained: TrainedNetwork, pictures: Pictures, views: int) -> NDArray[np.float64]:
    """Logits of pictures by a loaded network, float64 ``[N, classes]``: means over their views.

    Args:
        pictures: uint8, as large as the network takes them.
        views: of each picture: 1, 2 (it and its mirror image) or 6 (these and shifted ones).
    """
    from autodl.training.metrics import logits_of

    found = logits_of(
        trained.network,
        pictures,
        trained.normalisation,
        mirrored=views == 2,
        views=six_views if views == 6 else None,
    )
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


def _test_on_record(
    training: Path, weights_sha256: str, facts: Mapping[str, Any], views: int
) -> TestScores | None:
    record = training / TEST
    known = read_test(training, weights_sha256)
    if known is None:
        if record.exists():
            raise StoreError(f"{record} is of other weights; run autodl eval {training}")
        return None
    if views != usual_views(facts):
        of_views = {1: "one_view", 6: "six_views"}.get(views)
        if of_views not in known:
            raise StoreError(
                f"{record} has no accuracy of {views} views; release it with those that its test"
                f" is of, by --views {usual_views(facts)}"
            )
        known = {**known, **known[of_views]}
    try:
        kept = {name: known[name] for name in TestScores.model_fields if name != "data"}
        return TestScores(**kept, data=public_name(known["data"], known["checksum"]))
    except (ValueError, KeyError, TypeError) as error:  # also pydantic's
        reason = " ".join(str(error).split())
        raise StoreError(f"{record} is damaged ({reason}); bring it back") from None


def _timed_on() -> str:
    """The processor and the packages that ran, for people."""
    found = [str(this_machine())]
    with suppress(PackageNotFoundError):
        found.append(f"ONNX Runtime {version('onnxruntime')}")
    return ", ".join(found)


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
