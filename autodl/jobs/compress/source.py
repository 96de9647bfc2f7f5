"""The network that is compressed, of a training or released, and the pictures it was trained on."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autodl.config.reading import override
from autodl.data.batches import iterate
from autodl.data.dataset import Pictures
from autodl.data.load import SearchData, left_over, load_split
from autodl.data.options import DataOptions
from autodl.errors import CheckpointError, ConfigError, DataError, StoreError, UnknownNameError
from autodl.recipes.chosen import training_of
from autodl.recipes.config import TrainConfig
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import form_of, recipe_of
from autodl.runs.folder import ARCHITECTURE, METRICS
from autodl.spaces.codec import load_architecture
from autodl.trained.folder import load_same, load_trained
from autodl.trained.model import weights_file
from autodl.trained.network import TrainedNetwork, best_trained, load_trained_network
from autodl.trained.spent import core_seconds

if TYPE_CHECKING:
    from paddle import nn

_BATCH = 256  # pictures at once, for statistics of batch-norms


@dataclass(frozen=True, slots=True)
class Source:
    """A trained network in its plain form, and the pictures it was trained on."""

    trained: TrainedNetwork
    data: SearchData
    config: TrainConfig

    @property
    def weights_file(self) -> Path:
        """The file of its weights, which is only read."""
        return weights_file(self.trained.folder)

    def unseen(self) -> Pictures:
        """Pictures of the same data that neither trained the network nor were held out."""
        return left_over(self.config.data)

    def facts(self) -> dict[str, Any]:
        """What a training's ``metrics.json`` says of its network, and a compression's keeps.

        ``epochs``, ``seconds`` and ``core_seconds`` are those of the training; the last are None
        where they were not written down.
        """
        from autodl.networks.costs import network_costs

        trained, size = self.trained, self.trained.image_size
        costs = network_costs(trained.network, (3, size, size))
        known = self._metrics()
        spent = known.get("training", known)  # of a release, or of a training
        return {
            "classes": list(trained.classes),
            "image_size": size,
            **trained.normalisation.to_plain(),
            "mirrored": trained.mirrored,
            "parameters": costs.parameters,
            "macs": costs.macs,
            "epochs": spent.get("epochs", 0),
            "seconds": spent.get("seconds", 0.0),
            "core_seconds": core_seconds(spent),
        }

    @property
    def six_views(self) -> bool:
        """Whether its accuracy is known of six views of each picture, too."""
        known = self._metrics()  # of a release, or of a training
        return bool(known.get("six_views", "held_out_accuracy_six_views" in known))

    def whitened(self) -> nn.Layer | None:
        """Its first convolution, where that was whitened and then kept as it was."""
        architecture = load_architecture(self.trained.folder / ARCHITECTURE)
        hooks = recipe_of(training_of(self.config.train, architecture)).hooks
        if not any(hook.name == "Whitening" for hook in hooks):
            return None
        network = self.trained.network
        return network.layer(network.plan.records[1].name)

    def _metrics(self) -> dict[str, Any]:
        text = (self.trained.folder / METRICS).read_text(encoding="utf-8")
        known: dict[str, Any] = json.loads(text)
        return known


def find_source(model: str) -> Path:
    """The folder of a trained network.

    Args:
        model: the folder of a training or of ``autodl fit``, or one with several trainings, of
            which the best is taken, or the name of a released network.

    Raises:
        StoreError: no finished training there, and no released network of that name.
    """
    from autodl.release.network import CARD, NETWORK, find

    if (Path(model) / NETWORK / CARD).exists():  # of autodl fit
        return Path(model) / NETWORK
    if Path(model).is_dir():
        return best_trained(Path(model))

    try:
        return find(model)
    except UnknownNameError as error:
        raise StoreError(
            f"{model} holds no finished training; give a folder that autodl train made, or the"
            f" name of a released network ({error})"
        ) from None


def trained_with(folder: Path) -> TrainConfig:
    """The configuration that the network in a folder was trained with.

    Raises:
        AutoDLError: a file is missing or damaged.
        ConfigError: it is a network for series.
    """
    if _released(folder):
        from autodl.release.network import training_config

        return training_config(folder)
    config = load_trained(folder)[0]
    if not isinstance(config.data, DataOptions):
        raise ConfigError(
            f"compression is for networks for pictures, and that in {folder} is for another"
            f" (Data.name {config.data.name}); choose one that was trained on pictures"
        )
    return config


def load_source(folder: Path) -> TrainedNetwork:
    """Build the network in a folder that ``find_source`` found, with its weights.

    Raises:
        AutoDLError: a file is missing, damaged or of another network.
    """
    if not _released(folder):
        return load_trained_network(folder)
    from autodl.release.network import load

    return load(folder.name, models=folder.parent)


def open_source(model: str, place: Path | None) -> Source:
    """Find a trained network and its pictures; what only its training needed is left behind.

    Args:
        model: see ``find_source``.
        place: where the pictures are now; None is where they were.

    Raises:
        StoreError: no finished training there.
        CheckpointError: its weights are damaged, or some are not finite.
        DataError: the pictures are missing, or not those that it was trained on.
    """
    folder = find_source(model)  # before Paddle is imported
    trained = load_source(folder)
    for name, value in trained.network.state_dict().items():
        if bad := int((~np.isfinite(value.numpy())).sum()):
            raise CheckpointError(
                f"{folder}: {bad} of {value.size} numbers in {name} are not finite; train the"
                " network anew"
            )
    overrides = [] if place is None else [override("Data.path", str(place))]
    if _released(folder):
        from autodl.release.network import training_config

        config = training_config(folder, overrides)
        data = _pictures_of_released(folder, config)
    else:
        config = load_trained(folder, overrides)[0]
        data = load_same(folder, config)
    return Source(_plain(trained, data), data, config)


def form_identity(train: TrainOptions) -> dict[str, str]:
    """What a compression's identity says besides of a network that was not trained as it is used.

    Before there was a plain form, branches and auxiliary classifier were compressed as if they were
    deployed: such a compression cannot be gone on with, and its figures are of another network.
    """
    formed = form_of(train).name != "none" or recipe_of(train).has("Auxiliary")
    return {"Form": "plain"} if formed else {}


def _plain(trained: TrainedNetwork, data: SearchData) -> TrainedNetwork:
    import paddle

    from autodl.reparam.plain_form import is_plain, plain_form

    if is_plain(trained.network):
        return trained
    batches = iterate(data.train, _BATCH, normalisation=trained.normalisation)
    pictures = (paddle.to_tensor(images) for images, _ in batches)
    return replace(trained, network=plain_form(trained.network, pictures))


def _released(folder: Path) -> bool:
    from autodl.release.network import CARD

    return (folder / CARD).exists()


def _pictures_of_released(folder: Path, config: TrainConfig) -> SearchData:
    """The pictures that a released network was trained on; how they were cut is in its config."""
    from autodl.release.metrics import ReleaseMetrics, read_metrics

    data = load_split(config.data)
    metrics = read_metrics(ReleaseMetrics, folder / METRICS)
    training = metrics.training
    known = (training.checksum, training.pictures, metrics.held_out.pictures)
    if known != (data.checksum, len(data.train), len(data.held_out)):
        raise DataError(
            f"{folder} was trained on other pictures than those of {data.name}"
            f" ({data.checksum[:12]}); give the same ones by -o Data.path=..."
        )
    return data
