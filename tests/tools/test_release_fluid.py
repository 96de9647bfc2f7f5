"""The import of the original's released models, and what can be done with the result."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest
from safetensors.numpy import load_file

from autodl.data.sample import load_sample
from autodl.jobs.train import final_test
from autodl.release import Ensemble, from_training
from autodl.spaces.genotype.names import darts_names
from autodl.trained.network import best_trained, load_trained_network

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
ARCHIVE = GOLDEN / "lrc_fluid_model_a.tar"
SIZE = ["--genotype", "LRC_0", "--channels", 8, "--layers", 6]


@pytest.fixture
def imported(call, tmp_path):
    done = call("release", "--fluid", ARCHIVE, *SIZE, "--out", tmp_path / "model")
    assert (done.code, done.err) == (0, "")
    assert "41,410 parameters in 357 variables\n" in done.out
    return tmp_path / "model"


@pytest.fixture
def changed(tmp_path):
    """The archive with files added, changed or left out."""

    def change(files):
        path = tmp_path / "changed.tar"
        with tarfile.open(ARCHIVE) as old, tarfile.open(path, "w") as new:
            for member in old:
                if member.isfile() and Path(member.name).name not in files:
                    new.addfile(member, old.extractfile(member))
            for name, content in files.items():
                if content is not None:
                    info = tarfile.TarInfo(f"fluid_model/{name}")
                    info.size = len(content)
                    new.addfile(info, io.BytesIO(content))
        return path

    return change


def stored(name):
    with tarfile.open(ARCHIVE) as archive:
        return archive.extractfile(f"fluid_model/{name}").read()


def test_the_folder_holds_the_golden_network(imported):
    trained = load_trained_network(imported)
    with np.load(GOLDEN / "lrc_network_a.npz") as file:
        golden = {key: file[key] for key in file.files}
    weights = load_file(imported / "weights.safetensors")
    for own, other in darts_names(trained.network.plan).items():
        np.testing.assert_array_equal(weights[own], golden[f"param:{other}"], err_msg=own)
    found = trained.network(paddle.to_tensor(golden["image"])).numpy()
    # float32 in another order of summation
    assert np.abs(found - golden["logits"]).max() < 1e-5 * np.abs(golden["logits"]).max()
    assert trained.held_out_accuracy is None
    assert trained.classes == load_sample().classes
    assert sorted(path.name for path in imported.iterdir()) == [
        *("architecture.json", "config.yaml", "metrics.json", "run.json", "weights.safetensors")
    ]
    assert best_trained(imported) == imported == best_trained(imported.parent)


def test_it_is_tested_on_the_official_pictures_alone(imported, refused, call, monkeypatch):
    sample = load_sample()
    monkeypatch.setattr(final_test, "load", lambda options: sample)
    refused("trained on the official cifar10-mini files, these are others", "eval", imported)
    monkeypatch.setattr(final_test, "load", lambda options: replace(sample, official=True))
    done = call("eval", imported, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["pictures"] == 200


def test_it_is_exported(imported, call, tmp_path):
    done = call("export_model", imported, "--out", tmp_path / "out", "--repetitions", 0)
    assert done.code == 0, done.err
    assert done.out.startswith(f"{imported} is exported to {tmp_path / 'out'}\n")
    described = json.loads((tmp_path / "out" / "deployment.json").read_text())
    assert described["fused"] is True
    assert described["held_out_accuracy"] is None


def test_what_only_training_needs_is_left_out(changed, call, tmp_path):
    extra = {
        "stem.0.weight_velocity_0": stored("stem.0.weight"),
        "auxiliary_head.features.3.bias": stored("stem.1.bias"),
        "auxiliary_head.features.3.bias_velocity_0": stored("stem.1.bias"),
        "velocity_0": stored("stem.0.weight"),  # of Fluid before 1.4
        "learning_rate_0": stored("stem.1.bias"),
        "@LR_DECAY_COUNTER@": stored("stem.1.bias"),
    }
    done = call("release", "--fluid", changed(extra), *SIZE, "--out", tmp_path / "model")
    assert done.code == 0, done.err
    assert "in 357 variables, 6 left out\n" in done.out
    metrics = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert metrics["imported"]["left_out"] == sorted(extra)


@pytest.mark.parametrize(
    "files, message",
    [
        ({"classifier.bias": None}, "does not fit: 'classifier.bias' is missing; is it of another"),
        ({"more": "stem.1.bias"}, "the network has no 'more'"),
        ({"more_velocity_0": "stem.1.bias"}, "the network has no 'more_velocity_0'"),
        ({"stem.1.bias": "classifier.bias"}, "'stem.norm.bias' has shape [10], the network [24]"),
        ({"stem.1.bias": "cut"}, "'stem.1.bias' claims float32 [24], 96 bytes, and has 95"),
        ({"stem.1.bias": "nan"}, "'stem.1.bias' holds numbers that are not finite"),
    ],
)
def test_other_variables_are_refused(changed, refused, tmp_path, files, message):
    content = {name: value and _content(value) for name, value in files.items()}
    out = tmp_path / "model"
    refused(message, "release", "--fluid", changed(content), *SIZE, "--out", out)
    assert not out.exists()


def _content(value):
    if value == "cut":
        return stored("stem.1.bias")[:-1]
    if value == "nan":
        return stored("stem.1.bias")[:-4] + np.float32("nan").tobytes()
    return stored(value)


def test_wrong_arguments(refused, tmp_path):
    out = ["--out", tmp_path / "model"]
    wrong = ["release", "--fluid", ARCHIVE, *out]
    refused("Did you mean 'LRC_0'", *wrong, "--genotype", "LRC0")
    refused("Network.channels", *wrong, "--genotype", "LRC_0", "--channels", 7)
    refused("is it of another genotype", *wrong, "--genotype", "LRC_1", *SIZE[2:])
    refused("--genotype", *wrong)
    refused("not an empty folder", "release", "--fluid", ARCHIVE, *SIZE, "--out", tmp_path.parent)
    assert not (tmp_path / "model").exists()


def test_imported_models_vote(imported):
    """Two of them as one: the mean of their probabilities, float64 sums."""
    one = from_training(imported)
    images = load_sample().test.images[:4]
    alone = one.predict(images)
    both = Ensemble([one, one]).predict(images)
    np.testing.assert_allclose(both.probabilities, alone.probabilities, rtol=1e-12)
    assert (both.agreement == 1).all()
