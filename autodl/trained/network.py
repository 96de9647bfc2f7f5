"""Networks that ``autodl train`` or ``autodl compress`` has finished, found and loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autodl.data.batches import Normalisation
from autodl.data.load import load, picture_options
from autodl.errors import StoreError
from autodl.plans.signature import picture_signature
from autodl.recipes.config import TrainConfig
from autodl.runs.folder import METRICS, TRIALS, check_seals
from autodl.system.files import checksum
from autodl.tasks.load import declared_metric
from autodl.trained.folder import load_trained
from autodl.trained.model import build_model, give_weights, is_packed, weights_file

if TYPE_CHECKING:
    from autodl.networks.network import PlanNetwork


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrainedNetwork:
    """A network with its weights, in evaluation mode, and what its training says of it.

    ``network`` takes normalised pictures, float32 ``[N, 3, image_size, image_size]``, and gives
    logits ``[N, classes]``. ``mirrored`` is whether its accuracy is that of means over each picture
    and its mirror image, ``six_views`` whether it is that of means over these two and both shifted
    (``autodl/data/views.py``) in the place of that; ``single_accuracy`` is that of one run of each,
    as an exported network does it. An accuracy that nobody has measured is None. Where a network
    was released, ``softmax(logits / temperature)`` is calibrated: by ``single_temperature`` for one
    run. ``packed`` is the file that the weights were decoded from, if they were compressed.
    """

    folder: Path
    network: PlanNetwork
    image_size: int
    classes: tuple[str, ...]
    normalisation: Normalisation
    mirrored: bool
    held_out_accuracy: float | None
    weights_sha256: str | None
    single_accuracy: float | None
    six_views: bool = False
    temperature: float = 1.0
    single_temperature: float = 1.0
    packed: Path | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one picture, without the axis of the batch."""
        return 3, self.image_size, self.image_size

    @property
    def outputs(self) -> int:
        """Numbers that the network gives for one picture."""
        return len(self.classes)

    def interface(self) -> dict[str, Any]:
        """What goes in and what comes out, for whoever deploys the network."""
        own = self.normalisation
        return {
            "input": {
                "name": "image",
                "type": "float32",
                "shape": [None, *self.input_shape],
                "layout": "batch, channel (red, green, blue), row, column",
                "normalised": True,
                "normalisation": own.formula,
                **({} if own.per_picture else own.to_plain()),
            },
            "output": {
                "type": "float32",
                "shape": [None, self.outputs],
                "meaning": "logits in the order of classes; softmax(logits / temperature) gives"
                " probabilities",
                "temperature": self.single_temperature,
            },
            "classes": list(self.classes),
        }

    def worth(self) -> dict[str, Any]:
        """What one run of each picture, and the mean over its views, are worth."""
        two = self.mirrored and not self.six_views
        six = {"held_out_accuracy_six_views": self.held_out_accuracy} if self.six_views else {}
        return {
            "held_out_accuracy": self.single_accuracy,
            "held_out_accuracy_mirrored": self.held_out_accuracy if two else None,
            **six,
        }

    @property
    def worth_text(self) -> str:
        """The same, in words; empty where nobody has measured it."""
        how = ", of means over each picture and its mirror image" if self.mirrored else ""
        how = ", of means over six views of each picture" if self.six_views else how
        known = self.held_out_accuracy
        return "" if known is None else f"held-out accuracy {known:.4f}{how}"


def best_trained(folder: Path) -> Path:
    """The folder itself, or the network in it that is best on the held-out pictures.

    ``autodl train --out FOLDER`` makes a folder for each network inside it.

    Raises:
        StoreError: there is no finished training, but perhaps a search.
    """
    if (folder / METRICS).exists():
        return folder
    found = {path.parent: _accuracy(path) for path in sorted(folder.glob(f"*/{METRICS}"))}
    if found:
        return max(found, key=lambda path: found[path])
    hint = "give a folder that autodl train made"
    if (folder / TRIALS).exists():
        hint = f"first train the best of this search by autodl train --run {folder}"
    raise StoreError(f"{folder} holds no finished training; {hint}")


def load_trained_network(folder: Path) -> TrainedNetwork:
    """Build a trained network anew and give it its weights.

    Raises:
        StoreError: no finished training there.
        CheckpointError: its weights are missing, damaged or of another network.
        ConfigError: it is a network for something else than pictures.
        DataError: the size of the pictures is not on record, and the data cannot be read.
    """
    config, architecture, metrics = load_trained(folder)
    image_size = _image_size(config, metrics)
    classes = tuple(metrics["classes"])
    mirrored = bool(metrics.get("mirrored", False))
    weights = weights_file(folder)
    network = build_model(
        config,
        architecture,
        picture_signature(len(classes), image_size),
        packed=is_packed(weights),
    )
    give_weights(network, weights)
    check_seals(folder, (weights.name,))
    return TrainedNetwork(
        folder=folder,
        network=network,
        image_size=image_size,
        classes=classes,
        normalisation=Normalisation.from_plain(metrics),
        mirrored=mirrored,
        held_out_accuracy=metrics["held_out_accuracy"],
        single_accuracy=None if mirrored else metrics["held_out_accuracy"],
        weights_sha256=checksum(weights),
        packed=weights if is_packed(weights) else None,
    )


def _image_size(config: TrainConfig, metrics: dict[str, Any]) -> int:
    pictures = picture_options(config.data)
    known: int | None = metrics.get("image_size") or pictures.image_size
    return known or int(load(config.data).test.images.shape[1])


def _accuracy(path: Path) -> float:
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        check_seals(path.parent, (METRICS,))
        if "held_out_accuracy" not in metrics:
            metric = declared_metric(load_trained(path.parent)[0].data.name)
            return metric.reward(float(metrics[f"held_out_{metric.name}"]))
        known = metrics["held_out_accuracy"]
        return -1.0 if known is None else float(known)  # imported ones are the last choice
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StoreError) as error:
        raise StoreError(f"cannot read {path}: {error}; remove its folder") from None
