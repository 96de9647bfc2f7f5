"""Finished trainings: which one is meant, and the network as it was when it ended."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from autodl.data.load import load_split
from autodl.errors import CheckpointError, StoreError
from autodl.runs.folder import update_manifest
from autodl.tasks.pictures import PictureTask
from autodl.trained import network as trained
from autodl.trained.folder import load_trained
from autodl.trained.network import best_trained, load_trained_network
from autodl.training.goal import score


@pytest.fixture
def folder(small_training, tmp_path):
    return Path(shutil.copytree(small_training.folder, tmp_path / "runs" / "one"))


def test_the_network_scores_as_it_did_when_its_training_ended(small_training):
    """On the same machine, one thread and equal batches: to the last bit."""
    network = load_trained_network(small_training.folder)
    config, _, metrics = load_trained(small_training.folder)
    data = load_split(config.data)
    assert network.normalisation == data.normalisation
    found = score(network.network, PictureTask.alone(data.held_out, network.normalisation), "train")
    assert found.value == metrics["held_out_accuracy"] == network.held_out_accuracy
    assert found.loss == metrics["held_out_loss"]
    assert network.classes == data.classes
    assert network.image_size == 8
    assert network.network.plan.input_shape == (3, 8, 8)
    assert not any(layer.training for layer in network.network.sublayers(include_self=True))


def test_the_size_of_the_pictures_is_taken_from_the_data_where_nothing_else_tells(
    folder, monkeypatch
):
    config = (folder / "config.yaml").read_text()
    monkeypatch.setattr(trained, "load", lambda options: pytest.fail("the size is in the config"))
    load_trained_network(folder)
    update_manifest(folder, sha256={})  # as earlier releases wrote it
    (folder / "config.yaml").write_text(config.replace("image_size: 8", "image_size: null"))
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps({**metrics, "image_size": 12}))
    assert load_trained_network(folder).image_size == 12
    (folder / "metrics.json").write_text(
        json.dumps({key: value for key, value in metrics.items() if key != "image_size"})
    )
    monkeypatch.undo()
    assert load_trained_network(folder).image_size == 32  # that of cifar10-mini


def test_the_best_of_several_is_taken(folder):
    parent = folder.parent
    other = shutil.copytree(folder, parent / "two")
    update_manifest(other, sha256={})
    metrics = json.loads((folder / "metrics.json").read_text())
    better = {**metrics, "held_out_accuracy": metrics["held_out_accuracy"] + 0.1}
    (other / "metrics.json").write_text(json.dumps(better))
    (parent / "unfinished").mkdir()
    assert best_trained(parent) == other
    assert best_trained(folder) == folder
    (other / "metrics.json").write_text("{half")
    with pytest.raises(StoreError, match=r"cannot read .*two/metrics\.json"):
        best_trained(parent)


def test_what_is_no_training(tmp_path):
    with pytest.raises(StoreError, match=r"no finished training; give a folder that autodl train"):
        best_trained(tmp_path / "nowhere")
    (tmp_path / "trials.sqlite").touch()
    with pytest.raises(StoreError, match=f"of this search by autodl train --run {tmp_path}"):
        best_trained(tmp_path)


def test_weights_of_another_network(folder):
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("width: 4", "width: 8"))
    update_manifest(folder, sha256={})
    with pytest.raises(CheckpointError, match=r"weights\.safetensors"):
        load_trained_network(folder)
