"""A released network: found by its name, checked, built and given its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autodl.data.batches import Normalisation
from autodl.errors import CheckpointError, ConfigError, StoreError, UnknownNameError, did_you_mean
from autodl.plans.layers import Linear, Times
from autodl.plans.plan import AUXILIARY, Plan
from autodl.plans.signature import picture_signature
from autodl.recipes.config import TrainConfig, load_train
from autodl.release.calibration import probabilities
from autodl.release.metrics import ReleaseMetrics, read_metrics
from autodl.release.pictures import Given, as_pictures
from autodl.release.prediction import Prediction
from autodl.runs.folder import ARCHITECTURE, METRICS, PACKED, TRAINING, WEIGHTS
from autodl.spaces.codec import load_architecture
from autodl.system.files import checksum
from autodl.system.resources import resource
from autodl.trained.model import build_model, give_weights, is_packed, read_arrays, weights_file
from autodl.trained.network import TrainedNetwork, load_trained_network

if TYPE_CHECKING:
    from autodl.networks.network import PlanNetwork

# beside the names in autodl/runs/folder.py; NETWORK is what autodl fit leaves in its folder
CARD, NETWORK = "card.md", "network"


def names() -> list[str]:
    """The released networks, best on the held-out pictures first.

    Raises:
        CheckpointError: the metrics of one of them are damaged.
    """
    accuracy = {
        folder.name: read_metrics(ReleaseMetrics, folder / METRICS).held_out.accuracy
        for folder in folders()
    }
    return sorted(accuracy, key=lambda name: (-accuracy[name], name))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReleasedNetwork(TrainedNetwork):
    """A network that says what is on pictures: released, or trained here.

    ``trained`` is whether its classifier has learned. ``metrics`` is None of a network that was not
    released. With other classes than the release's, or without its weights, it has no accuracy.
    """

    name: str
    trained: bool
    metrics: ReleaseMetrics | None

    def logits(self, pictures: Given, *, batch_size: int = 256) -> NDArray[np.float64]:
        """Logits ``[N, classes]``, not calibrated; see ``as_pictures`` for what can be given.

        They are means over the views that the accuracy on the card is of: each picture, its mirror
        image, and both shifted, as ``mirrored`` and ``six_views`` say.

        Raises:
            DataError: something that is no picture.
        """
        from autodl.data.dataset import Pictures
        from autodl.data.views import six_views
        from autodl.training.metrics import logits_of

        images = as_pictures(pictures, self.image_size)
        unlabelled = Pictures(images, np.zeros(len(images), np.int64))
        found = logits_of(
            self.network,
            unlabelled,
            self.normalisation,
            batch_size,
            mirrored=self.mirrored,
            views=six_views if self.six_views else None,
        )
        return np.asarray(found, np.float64)

    def predict(self, pictures: Given, *, batch_size: int = 256) -> Prediction:
        """Calibrated probabilities of the classes, prepared as in training.

        Args:
            pictures: uint8 ``[N, H, W, 3]``, files, ...; see ``as_pictures``.

        Raises:
            DataError: something that is no picture.
            ConfigError: the classifier is a new one, which has not learned anything yet.
        """
        if not self.trained:
            raise ConfigError(
                f"this {self.name} has a new classifier of {len(self.classes)} classes: train"
                " .network and predict with dataclasses.replace(it, trained=True, classes=(...)),"
                " or load it with its own classes and weights"
            )
        logits = self.logits(pictures, batch_size=batch_size)
        return Prediction(probabilities(logits, self.temperature), self.classes)


def load(
    name: str,
    pretrained: bool = True,
    classes: int | None = None,
    *,
    models: Path | str | None = None,
) -> ReleasedNetwork:
    """A released network by its name, or a trained one by its folder; nothing is downloaded.

    Args:
        name: of a release; where there is none of this name, a folder that ``autodl train`` or
            ``autodl compress`` has left, see ``from_training``, or of a network that was released
            elsewhere; of ``autodl fit``, its own folder or ``network`` in it.
        pretrained: with the released weights; else as it is before training.
        classes: another number gives it a new, untrained classifier, for transfer; None, or the
            number of its own classes, keeps the one it has.
        models: the folder of the networks, if not the one that ships with the project.

    Raises:
        UnknownNameError: there is none of this name.
        ConfigError: fewer than two classes, or a folder's network is to be another than it is.
        CheckpointError: a file is missing, damaged, or not the one that was released.
    """
    from autodl.training.weights import load_arrays

    if models is None and (folder := _released_folder(name)) is not None:
        return load(folder.name, pretrained, classes, models=folder.parent)
    if _is_trained_folder(name, models):
        if not pretrained or classes is not None:
            raise ConfigError(
                f"{name} is a trained network, which is loaded as it is; pretrained and classes are"
                " for released ones (autodl release)"
            )
        return from_training(name)
    folder = find(name, models)
    metrics = read_metrics(ReleaseMetrics, folder / METRICS)
    whole = isinstance(classes, int | np.integer) and not isinstance(classes, bool)
    if classes is not None and not (whole and classes >= 2):
        raise ConfigError(f"a network knows a whole number of at least 2 classes, got {classes!r}")
    own = classes is None or classes == len(metrics.classes)
    _check_file(folder / ARCHITECTURE, metrics.architecture_sha256)
    _check_file(folder / TRAINING, metrics.config_sha256)
    labels = metrics.classes if own else tuple(str(i) for i in range(classes or 0))
    network, weights = _build(folder, len(labels), metrics.image_size), weights_file(folder)
    if pretrained:
        _check_file(weights, metrics.weights_sha256)
        if own:
            give_weights(network, weights)
        else:
            as_released = _build(folder, len(metrics.classes), metrics.image_size)
            load_arrays(network, _with_own_classifier(network, read_arrays(as_released, weights)))
    trained = pretrained and own
    return ReleasedNetwork(
        name=name,
        folder=folder,
        network=network,
        classes=labels,
        image_size=metrics.image_size,
        normalisation=Normalisation(metrics.mean, metrics.std, metrics.per_picture),
        mirrored=metrics.mirrored,
        six_views=metrics.six_views,
        held_out_accuracy=metrics.held_out.accuracy if trained else None,
        weights_sha256=metrics.weights_sha256 if trained else None,
        single_accuracy=metrics.single.held_out.accuracy if trained else None,
        temperature=metrics.temperature if trained else 1.0,
        single_temperature=metrics.single.temperature if trained else 1.0,
        packed=weights if trained and is_packed(weights) else None,
        trained=trained,
        metrics=metrics,
    )


def from_training(folder: Path | str) -> ReleasedNetwork:
    """A network that ``autodl train``, ``compress`` or ``release --fluid`` has left, to predict.

    It votes, too, goes by its folder's name, and is not calibrated: its temperature is 1.

    Raises:
        StoreError: no finished training there.
        CheckpointError: its weights are missing, damaged or of another network.
        DataError: the size of the pictures is not on record, and the data cannot be read.
    """
    own = load_trained_network(Path(folder))
    facts = {field.name: getattr(own, field.name) for field in fields(own)}
    return ReleasedNetwork(**facts, name=own.folder.name, trained=True, metrics=None)


def _released_folder(name: str) -> Path | None:
    """The folder of a released network that a name stands for; None of one that ships, and else.

    The folder of a fit has a card and metrics as well, but of the fit.
    """
    if name in {folder.name for folder in folders()}:
        return None
    places = (Path(name) / NETWORK, Path(name))
    return next((folder for folder in places if folder.name and (folder / CARD).is_file()), None)


def _is_trained_folder(name: str, models: Path | str | None) -> bool:
    """Whether a name is that of no release, but of a folder with a trained network."""
    known = {folder.name for folder in folders(models)}
    return name not in known and (Path(name) / METRICS).is_file()


def find(name: str, models: Path | str | None = None) -> Path:
    """The folder of a released network.

    Raises:
        UnknownNameError: there is none of this name.
        CheckpointError: there is its folder, but not what tells about it.
    """
    known = {folder.name: folder for folder in folders(models)}
    root = resource("models") if models is None else Path(models)
    metrics = root / str(name) / METRICS
    if str(name).isidentifier() and metrics.parent.is_dir() and not metrics.exists():
        raise CheckpointError(f"{metrics} is missing; install the project anew")
    if name not in known:
        raise UnknownNameError(
            f"no released network {name!r}.{did_you_mean(str(name), known)}"
            f" Known: {', '.join(known) or 'none'}."
        )
    return known[name]


def folders(models: Path | str | None = None) -> list[Path]:
    """The folders of the released networks, by name.

    Hidden ones do not count: a publication that was killed has left them, half-written.

    Raises:
        StoreError: ``models`` is no folder.
    """
    root = resource("models") if models is None else Path(models)
    if not root.is_dir():
        raise StoreError(f"{root} is no folder; give one that holds released networks")
    # by either file: a network that has lost one is damaged, not unknown
    found = {path.parent for file in (METRICS, WEIGHTS, PACKED) for path in root.glob(f"*/{file}")}
    return sorted(folder for folder in found if not folder.name.startswith("."))


def training_config(folder: Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """How a released network was trained; no plugin that the file names is imported.

    Raises:
        ConfigError: the file or an override is unusable.
    """
    return load_train(folder / TRAINING, ["Global.plugins=[]", *overrides])


def _build(folder: Path, classes: int, image_size: int) -> PlanNetwork:
    return build_model(
        training_config(folder),
        load_architecture(folder / ARCHITECTURE),
        picture_signature(classes, image_size),
        packed=is_packed(weights_file(folder)),
    )


def _with_own_classifier(
    network: PlanNetwork, released: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Released weights, but for the classifiers, which are the network's own."""
    classifiers = (f"{classifier_of(network.plan)}.", f"{AUXILIARY}.")
    fresh = {name: value.numpy() for name, value in network.state_dict().items()}
    return {**released, **{name: fresh[name] for name in fresh if name.startswith(classifiers)}}


def _check_file(file: Path, sha256: str) -> None:
    found = checksum(file) if file.is_file() else "missing"
    if found != sha256:
        raise CheckpointError(
            f"{file} is not what was released: its SHA-256 is {found[:12]}, it should be"
            f" {sha256[:12]}; install the project anew"
        )


def classifier_of(plan: Plan) -> str:
    """Name of the last layer, which is linear; all outputs may be multiplied by a number behind it.

    Raises:
        ConfigError: the network ends in another way.
    """
    last = next(record for record in reversed(plan.records) if not isinstance(record.layer, Times))
    if not isinstance(last.layer, Linear):
        raise ConfigError(f"{last.name} is no linear layer: this network takes no new classifier")
    return last.name


def check_same_classes(members: Sequence[ReleasedNetwork]) -> tuple[str, ...]:
    """The classes that all members have.

    Raises:
        ConfigError: they have different ones.
    """
    first = members[0]
    for member in members[1:]:
        if member.classes != first.classes:
            raise ConfigError(
                f"{first.name} knows {len(first.classes)} classes ({first.classes[0]}, ...) and"
                f" {member.name} {len(member.classes)} ({member.classes[0]}, ...): an ensemble"
                " votes on one set of classes"
            )
    return first.classes
