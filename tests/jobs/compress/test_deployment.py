"""A compression's folder is taken like any trained network, without the weights it came from."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autodl.config.reading import RawConfig
from autodl.errors import ConfigError, StoreError
from autodl.jobs.compress.config import resolve_compress
from autodl.jobs.compress.run import compress
from autodl.jobs.export import export, export_network
from autodl.jobs.release.publish import publish
from autodl.jobs.train.final_test import measure_once
from autodl.release.network import load
from autodl.runs.folder import SEALS
from autodl.system.files import checksum
from autodl.trained.network import best_trained, load_trained_network

TRAIN = {"epochs": 1, "batch_size": 40, "learning_rate": 0.01}
CONFIG = {
    "Global": {"device": "cpu"},
    "Compression": {"name": "BayesianBits", "truncation": 8, "interval": 3, "tolerance": 0.4},
    "Train": TRAIN,
    "FineTuning": TRAIN,
}


@pytest.fixture(scope="module")
def made(small_training, tmp_path_factory):
    """A compression whose source is gone, and its metrics."""
    place = tmp_path_factory.mktemp("deployment")
    source = Path(shutil.copytree(small_training.folder, place / "source"))
    metrics = compress(resolve_compress(RawConfig(CONFIG)), str(source), place / "out")
    shutil.rmtree(source)
    return place / "out", metrics


@pytest.fixture
def packed(made):
    return made[0]


def test_it_is_opened_with_its_accuracy(made):
    out, metrics = made
    trained = load_trained_network(out)
    assert trained.packed == out / "packed.safetensors"
    assert trained.weights_sha256 == checksum(trained.packed)
    assert trained.held_out_accuracy == metrics["accuracy_after"]
    assert best_trained(out.parent) == out
    assert metrics["epochs"] == 4 + 1 + 1  # of the training, of the mixtures, of fine-tuning


def test_it_is_tested_once(packed, tmp_path):
    folder = Path(shutil.copytree(packed, tmp_path / "copy"))
    result = measure_once(folder)
    assert result["weights_sha256"] == load_trained_network(folder).weights_sha256
    assert 0 <= result["accuracy"] <= 1
    known = measure_once(folder)
    assert known["on_record"]
    assert known["accuracy"] == result["accuracy"]


def test_other_pictures_are_refused(packed, tmp_path):
    folder = Path(shutil.copytree(packed, tmp_path / "copy"))
    run = json.loads((folder / "run.json").read_text())
    run["pictures"]["checksum"] = "0" * 64
    (folder / "run.json").write_text(json.dumps(run))
    with pytest.raises(Exception, match="other data may hold its training pictures"):
        measure_once(folder)


def test_the_exported_form_keeps_its_size(packed, tmp_path):
    """Files of the engine's own format, which decodes them: the same outputs, far fewer bytes."""
    exported = export(packed, tmp_path / "out")
    assert exported.packed
    assert not exported.fused
    assert exported.differences["inference"] < 1e-4  # oneDNN sums in another order
    about = json.loads((tmp_path / "out" / "deployment.json").read_text())
    assert about["packed"] is True
    floats = export_network(replace(exported.network, packed=None), tmp_path / "floats")
    assert floats.fused
    metrics = json.loads((packed / "metrics.json").read_text())
    tensors = len(exported.network.network.state_dict()) + 3 * len(metrics["bits"])
    size = (tmp_path / "out" / "inference.pdiparams").stat().st_size
    # beside the packed file: the table of bits, and a header of at most 48 bytes for each tensor
    assert size < metrics["packed_bytes"] + 256 * 8 + 48 * tensors


def test_the_float_form_is_exported_of_weights_that_were_trained_on(packed, tmp_path):
    trained = load_trained_network(packed)
    for name, value in trained.network.named_parameters():
        if name.endswith("weight"):
            value.set_value(value * 1.01)
    exported = export_network(trained, tmp_path / "out")
    assert not exported.packed
    assert exported.fused


def test_it_is_released_and_loaded_by_name(packed, tmp_path):
    folder = tmp_path / "models" / "small"
    made = publish(packed, folder, found_by="By hand.", repetitions=0)
    assert {path.name for path in folder.iterdir()} == {
        *("card.md", "architecture.json", "train.yaml", "metrics.json", "packed.safetensors")
    }
    released = load("small", models=tmp_path / "models")
    trained = load_trained_network(packed)
    images = np.random.default_rng(0).integers(256, size=(4, 8, 8, 3)).astype(np.uint8)
    known = load(str(packed)).logits(images)
    assert (released.logits(images) == known).all()
    assert made.metrics.average_bits is not None
    assert "bits for a weight" in (folder / "card.md").read_text()
    assert "`packed.safetensors`" in (folder / "card.md").read_text()
    assert released.packed == folder / "packed.safetensors"
    assert export_network(released, tmp_path / "out").packed
    other = load("small", classes=3, models=tmp_path / "models")
    assert other.packed is None
    assert other.network.plan.output_shape == (3,)
    name = next(n for n in trained.network.state_dict() if n.endswith("conv.weight"))
    weights, known = (own.network.state_dict()[name].numpy() for own in (other, trained))
    assert (weights == known).all()
    assert load("small", pretrained=False, models=tmp_path / "models").packed is None


def test_it_is_loaded_by_its_folder(packed):
    found = load(str(packed)).predict(np.zeros((1, 8, 8, 3), np.uint8))
    assert found.probabilities.sum() == pytest.approx(1.0)
    with pytest.raises(ConfigError, match="loaded as it is"):
        load(str(packed), classes=3)


def test_a_folder_of_an_earlier_version_is_completed_by_resuming(small_training, tmp_path):
    out, own = tmp_path / "out", resolve_compress(RawConfig(CONFIG))
    metrics = compress(own, str(small_training.folder), out)
    (out / "train.yaml").unlink()
    old = {key: value for key, value in metrics.items() if key not in ("classes", "mean", "std")}
    (out / "metrics.json").write_text(json.dumps(old))
    run = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps({k: v for k, v in run.items() if k != SEALS}))
    with pytest.raises(StoreError, match=r"packed by an earlier version.*--resume"):
        load_trained_network(out)
    completed = compress(own, str(small_training.folder), out, resume=True)
    assert completed["classes"] == metrics["classes"]
    assert load_trained_network(out).held_out_accuracy == metrics["accuracy_after"]


def test_a_packed_network_can_be_compressed_again(packed, tmp_path):
    own = {**CONFIG, "Compression": {"name": "UniformBits", "bits": 2}}
    metrics = compress(resolve_compress(RawConfig(own)), str(packed), tmp_path / "again")
    assert metrics["average_bits"] == 2
    known = json.loads((packed / "metrics.json").read_text())
    assert metrics["accuracy_before"] == known["accuracy_after"]
