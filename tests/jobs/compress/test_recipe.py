"""Compressing a network that the fast recipe trained: what its figures are of, and its stem."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from autodl.config.reading import RawConfig
from autodl.jobs.compress.config import resolve_compress
from autodl.jobs.compress.run import compress
from autodl.jobs.compress.source import open_source
from autodl.jobs.release.publish import publish
from autodl.jobs.train.final_test import measure_once
from autodl.jobs.train.run import retrain
from autodl.recipes.config import load_train
from autodl.release.metrics import ReleaseMetrics, read_metrics
from autodl.release.network import load
from autodl.spaces.fixed import FixedArchitecture
from autodl.trained.network import load_trained_network
from autodl.trained.spent import core_seconds

TRAINING = """
Global: {seed: 3, device: cpu}
Network: {name: Airbench, widths: [4, 4, 4]}
Data: {name: cifar10-mini, image_size: 10, train: 100, held_out: 100}
Train: {recipe: fast, epochs: 1, batch_size: 50}
Evaluation: {mirrored: true, six_views: true}
"""
FINE_TUNING = {
    "recipe": {
        "name": "fast-muon",
        "uniform_start": False,
        "dirac_start": False,
        "whiten": False,
    },
    "epochs": 3,
    "batch_size": 50,
    "max_seconds": 1e-6,  # which ends it after an epoch
}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A network by the fast recipe, released, and both of them compressed."""
    root = tmp_path_factory.mktemp("recipe")
    (root / "train.yaml").write_text(TRAINING)
    trained = retrain(load_train(root / "train.yaml"), FixedArchitecture(), root / "training")
    measure_once(root / "training")
    publish(root / "training", root / "models" / "plain", found_by="Me.", repetitions=0)
    sections = {
        "Global": {"device": "cpu"},
        "Compression": {"name": "UniformBits", "bits": 8},
        "Train": {"epochs": 1, "batch_size": 50},
        "FineTuning": FINE_TUNING,
    }
    config = resolve_compress(RawConfig(sections))
    small = compress(config, str(root / "training"), root / "small")
    return SimpleNamespace(root=root, trained=trained, config=config, small=small)


def test_a_compression_is_measured_by_as_many_views_as_its_source(done):
    """So its test and its release are of six views, too."""
    tested = measure_once(done.root / "small")
    folder = done.root / "models" / "small"
    published = publish(done.root / "small", folder, found_by="Me.", repetitions=0)
    assert published.metrics.views == 6
    assert published.metrics.held_out.accuracy == done.small["held_out_accuracy_six_views"]
    assert published.metrics.test.accuracy == tested["six_views"]["accuracy"]
    network = load("small", models=done.root / "models")
    held_out = open_source(str(done.root / "training"), None).data.held_out
    right = int((network.predict(held_out.images).labels == held_out.labels).sum())
    assert right == published.metrics.held_out.right


def test_core_seconds_and_epochs_are_added_up(done):
    """The time limit ends fine-tuning after the first of three epochs."""
    spent = done.small["search_seconds"] + done.small["fine_tuning_seconds"]
    known = core_seconds(json.loads((done.root / "training" / "metrics.json").read_text()))
    assert done.small["core_seconds"] == pytest.approx(known + spent, rel=1e-12)
    assert done.small["epochs"] == 1 + 1
    released = read_metrics(ReleaseMetrics, done.root / "models" / "plain" / "metrics.json")
    assert released.training.core_seconds == known
    source = open_source(str(done.root / "models" / "plain"), None)
    assert source.facts()["core_seconds"] == known
    assert source.six_views


def test_the_whitened_kernels_stay_what_they_are(done):
    """Muon would bring every kernel that it trains to a norm of its own."""
    before, after = (
        load_trained_network(done.root / name).network.state_dict()
        for name in ("training", "small")
    )
    [stem] = [name for name in before if name.startswith("whitening") and name.endswith("weight")]
    assert np.array_equal(before[stem].numpy(), after[stem].numpy())
    changed = [
        name
        for name in before
        if not np.array_equal(before[name].numpy(), after[name].numpy()) and "weight" in name
    ]
    assert len(changed) >= 6  # all other convolutions


def test_a_folder_of_fit_is_compressed_by_its_network(done, tmp_path):
    (tmp_path / "fit").mkdir()
    (tmp_path / "fit" / "metrics.json").write_text("{}")
    (tmp_path / "fit" / "card.md").write_text("of the fit")
    (done.root / "models" / "plain").rename(tmp_path / "fit" / "network")
    assert open_source(str(tmp_path / "fit"), None).six_views
    (tmp_path / "fit" / "network").rename(done.root / "models" / "plain")
