"""A network whose pictures were standardised each by itself has them so wherever it is used."""

import json

import numpy as np
import pytest
from paddle import inference

from autodl.config.reading import RawConfig
from autodl.data.load import load, load_split
from autodl.jobs.compress.config import resolve_compress
from autodl.jobs.compress.run import compress
from autodl.jobs.export import export
from autodl.jobs.release.publish import publish
from autodl.jobs.train.final_test import measure_once
from autodl.jobs.train.run import retrain
from autodl.networks.inference import eager
from autodl.recipes.config import load_train
from autodl.release.network import load as load_network
from autodl.trained.folder import load_trained
from autodl.trained.network import load_trained_network

TOLERANCE = 1e-5  # float32 sums in another order, of logits of about 1


def standardised(pictures):
    """The formula once more, picture by picture in float64."""
    planes = []
    for picture in pictures / 255:
        least = 1 / np.sqrt(picture.size)
        planes.append(((picture - picture.mean()) / max(picture.std(), least)).transpose(2, 0, 1))
    return np.stack(planes).astype("float32")


@pytest.fixture(scope="module")
def folder(small_training, tmp_path_factory):
    config = load_train(small_training.config_file, ["Data.normalise=pictures", "Train.epochs=2"])
    out = tmp_path_factory.mktemp("standardised") / "one"
    retrain(config, small_training.architecture, out)
    return out


@pytest.fixture(scope="module")
def pictures(folder):
    """Some of the test part, one of them of a single grey."""
    images = load(load_trained(folder)[0].data).test.images[:40].copy()
    images[3] = 90
    return images


@pytest.fixture(scope="module")
def expected(folder, pictures):
    return eager(load_trained_network(folder).network)(standardised(pictures))


def test_it_was_scored_so_and_is_tested_so(folder):
    config, _, metrics = load_trained(folder)
    data, test = load_split(config.data), load(config.data).test
    run = eager(load_trained_network(folder).network)
    for part, known in (
        (data.held_out, metrics["held_out_accuracy"]),
        (test, measure_once(folder)["accuracy"]),
    ):
        right = run(standardised(part.images)).argmax(axis=1) == part.labels
        assert right.mean() == known


def test_it_predicts_so(folder, pictures, expected):
    network = load_network(str(folder))
    np.testing.assert_allclose(network.logits(pictures), expected, atol=TOLERANCE)
    plain = eager(network.network)(
        ((pictures / 255 - network.normalisation.mean) / network.normalisation.std)
        .transpose(0, 3, 1, 2)
        .astype("float32")
    )
    assert np.abs(plain - expected).max() > 0.01  # by channel it would be another answer


def test_it_is_exported_so(folder, pictures, expected, tmp_path):
    """``deployment.json`` says what another program has to do, and nothing that it must not."""
    exported = export(folder, tmp_path / "out")
    about = json.loads((tmp_path / "out" / "deployment.json").read_text())["input"]
    assert "max(s, 1 / sqrt(n))" in about["normalisation"]
    assert "mean" not in about
    paths = [str(exported.folder / f"inference.{end}") for end in ("json", "pdiparams")]
    predictor = inference.create_predictor(inference.Config(*paths))
    predictor.get_input_handle("image").copy_from_cpu(standardised(pictures))
    predictor.run()
    logits = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
    np.testing.assert_allclose(logits, expected, atol=TOLERANCE)


def test_it_is_released_so(folder, pictures, expected, tmp_path):
    publish(folder, tmp_path / "models" / "own", found_by="By hand.", repetitions=0)
    network = load_network("own", models=tmp_path / "models")
    np.testing.assert_allclose(network.logits(pictures), expected, atol=TOLERANCE)


def test_it_is_compressed_so(folder, pictures, tmp_path):
    train = {"epochs": 1, "batch_size": 40, "learning_rate": 0.01}
    sections = {
        "Global": {"device": "cpu"},
        "Compression": {"name": "UniformBits", "bits": 8},
        "Train": train,
        "FineTuning": train,
    }
    metrics = compress(resolve_compress(RawConfig(sections)), str(folder), tmp_path / "out")
    network = load_network(str(tmp_path / "out"))
    run = eager(network.network)
    np.testing.assert_allclose(
        network.logits(pictures), run(standardised(pictures)), atol=TOLERANCE
    )
    held_out = load_split(load_trained(folder)[0].data).held_out
    right = run(standardised(held_out.images)).argmax(axis=1) == held_out.labels
    assert right.mean() == metrics["accuracy_after"]
