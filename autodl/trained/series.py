"""Networks for series that ``autodl train`` has finished: loaded, and asked about new series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autodl.data.series.labelled import read_labelled
from autodl.data.series.normalisation import ChannelScale
from autodl.data.series.recording import read_recording
from autodl.data.series.table import read_table
from autodl.errors import ConfigError, DataError
from autodl.runs.folder import WEIGHTS, check_seals
from autodl.system.files import checksum
from autodl.tasks.load import declared_metric, is_pictures
from autodl.tasks.options import NextValueOptions, SequenceClassificationOptions
from autodl.tasks.sequences import series_signature
from autodl.tasks.task import Metric
from autodl.trained.folder import load_trained
from autodl.trained.model import build_model, give_weights
from autodl.trained.network import TrainedNetwork, load_trained_network

_NAMES = ("classes", "columns", "targets", "ahead")

if TYPE_CHECKING:
    from autodl.networks.network import PlanNetwork


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrainedSeriesNetwork:
    """A network with its weights, in evaluation mode, and what its training says of it.

    ``network`` takes normalised series, float32 ``[N, channels, steps]``, and gives logits in the
    order of ``record["classes"]`` or, of ``record["targets"]``, the values in their scale.
    """

    folder: Path
    network: PlanNetwork
    options: SequenceClassificationOptions | NextValueOptions
    record: Mapping[str, Any]
    weights_sha256: str

    @property
    def scale(self) -> ChannelScale:
        """That of the training part."""
        return ChannelScale(tuple(self.record["mean"]), tuple(self.record["std"]))

    @property
    def outputs(self) -> int:
        """Numbers that the network gives for one series."""
        return len(self.record.get("classes") or self.record["targets"])

    def interface(self) -> dict[str, Any]:
        """What goes in and what comes out, for whoever deploys the network."""
        known = {name: self.record[name] for name in _NAMES if name in self.record}
        meaning = "logits in the order of classes; softmax(logits) gives probabilities"
        if "targets" in known:
            meaning = "a number for each target, in its scale: times std, plus mean, of its column"
        return {
            "input": {
                "name": "image",
                "type": "float32",
                "shape": [None, *self.input_shape],
                "layout": "batch, channel, step; the oldest step first",
                "normalised": True,
                "normalisation": "(value - mean) / std for every channel",
                "mean": list(self.scale.mean),
                "std": list(self.scale.std),
            },
            "output": {"type": "float32", "shape": [None, self.outputs], "meaning": meaning},
            **known,
        }

    def worth(self) -> dict[str, Any]:
        """The metric on held-out series."""
        name = f"held_out_{self.metric.name}"
        return {name: self.record[name]}

    @property
    def worth_text(self) -> str:
        """The same, in words."""
        metric = self.metric
        value = self.record[f"held_out_{metric.name}"]
        if metric.higher_is_better:
            return f"held-out {metric.name} {value:.4f}"
        return f"held-out {metric.label} {value:.4f} standard deviations"

    @property
    def metric(self) -> Metric:
        """What its training was measured by."""
        return declared_metric(self.options.name)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Channels and steps."""
        return tuple(self.record["shape"])

    def compute(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """What the network gives for series as they were recorded, ``[N, channels, steps]``.

        Raises:
            DataError: they have other channels or steps than those of the training.
        """
        from autodl.networks.inference import eager

        if values.shape[1:] != self.input_shape:
            raise DataError(
                f"the network takes series of {list(self.input_shape)} (channels, steps), got"
                f" {list(values.shape[1:])}"
            )
        return eager(self.network)(self.scale.normalise(values)).astype(np.float64)

    def predict(self, path: Path) -> list[dict[str, Any]]:
        """Say what a file holds: ``top`` classes of each series, or the ``values`` that come next.

        Raises:
            DataError: the file is unusable, or its series are of another form.
        """
        if isinstance(self.options, NextValueOptions):
            return [{"file": str(path), "values": self._next(path)}]
        series = read_labelled(
            path,
            label=_label(path, self.options),
            series=self.options.series,
            channels=self.record.get("columns", ()),
        )
        return [
            {"file": str(path), "series": number, "top": self._top(row)}
            for number, row in enumerate(self.compute(series.values))
        ]

    def _top(self, logits: NDArray[np.float64]) -> dict[str, float]:
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        classes = self.record["classes"]
        return {classes[i]: float(shares[i]) for i in np.argsort(-shares, kind="stable")}

    def _next(self, path: Path) -> dict[str, float]:
        """The values behind the last window of a recording, in its own units."""
        columns, targets = self.record["columns"], self.record["targets"]
        values = read_recording(path, columns).values
        _, steps = self.input_shape
        if len(values) < steps:
            raise DataError(f"{path} has {len(values)} steps, the network looks at {steps}")
        (row,) = self.compute(values[-steps:].T[None])
        scale = self.scale.channels([columns.index(name) for name in targets])
        real = row * np.array(scale.std) + np.array(scale.mean)
        return {name: float(value) for name, value in zip(targets, real, strict=True)}


def _label(path: Path, options: SequenceClassificationOptions) -> str | None:
    """The column of the classes, if this file has one."""
    if path.suffix == ".csv" and options.label in read_table(path).columns:
        return options.label
    return None


def load_series_network(folder: Path) -> TrainedSeriesNetwork:
    """Build a trained network anew and give it its weights.

    Raises:
        ConfigError: it is a network for pictures, or for a plugin's own task.
        StoreError: no finished training there.
        CheckpointError: its weights are missing, damaged or of another network.
    """
    config, architecture, metrics = load_trained(folder)
    if is_pictures(config.data):
        raise ConfigError(
            f"{folder} holds a network for pictures (Data.name {config.data.name}), not for series"
        )
    if not isinstance(config.data, SequenceClassificationOptions | NextValueOptions):
        raise ConfigError(
            f"{folder} holds a network for Data.name {config.data.name}, a plugin's own task: the"
            " plugin alone can read files for it; in Python, autodl.trained.model builds it"
        )
    outputs = len(metrics.get("classes") or metrics["targets"])
    channels, length = metrics["shape"]
    signature = series_signature(channels, length, outputs)
    network = build_model(config, architecture, signature, packed=False)
    give_weights(network, folder / WEIGHTS)
    check_seals(folder, (WEIGHTS,))
    return TrainedSeriesNetwork(
        folder=folder,
        network=network,
        options=config.data,
        record=metrics,
        weights_sha256=checksum(folder / WEIGHTS),
    )


def load_any_network(folder: Path) -> TrainedNetwork | TrainedSeriesNetwork:
    """A trained network, whatever it is for; see the two functions that load one."""
    config, _, _ = load_trained(folder)
    if is_pictures(config.data):
        return load_trained_network(folder)
    return load_series_network(folder)
