"""Trainings of supernets in a folder: what is kept, kills, bad input."""

from __future__ import annotations

import shutil

import pytest

from autodl.errors import ConfigError, StoreError
from autodl.jobs.supernet.run import run_supernet
from autodl.jobs.train.record import TrainingRecord
from autodl.reports.run import refuse_training
from autodl.supernets.single_path.config import load_supernet_config
from autodl.trained.folder import load_trained
from autodl.training.weights import read_weights

CONFIG = """
Global: {seed: 3, device: cpu}
Space: {name: EdgeCellSpace}
Network: {name: EdgeCellNetwork, width: 2, cells: 1}
Data: {name: cifar10-mini, image_size: 8, train: 40, held_out: 40}
Supernet: {path: {name: Uniform}}
Train: {epochs: 2, batch_size: 10, learning_rate: 0.05, pad_crop: 1}
"""


@pytest.fixture(scope="module")
def config_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("supernet") / "tiny.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def finished(config_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "whole"
    return folder, run_supernet(load_supernet_config(config_file), folder)


def test_a_folder_has_the_first_weights_and_the_last(finished, config_file):
    folder, metrics = finished
    first, last = (read_weights(folder / f"{name}.safetensors") for name in ("first", "weights"))
    assert first.keys() == last.keys()
    assert (first["stem.conv.weight"] != last["stem.conv.weight"]).any()
    assert metrics["architectures"] == 15625
    assert [epoch["epoch"] for epoch in metrics["curve"]] == [1, 2]
    lines = []
    again = run_supernet(
        load_supernet_config(config_file), folder, resume=True, progress=lines.append
    )
    assert again == metrics
    assert lines == ["finished already: nothing is left to do"]


def test_a_killed_training_goes_on_bit_for_bit(finished, config_file, tmp_path, monkeypatch):
    whole, _ = finished
    folder = tmp_path / "killed"

    def kill(record, trainer):
        keep(record, trainer)
        raise KeyboardInterrupt

    keep = TrainingRecord.epoch
    with monkeypatch.context() as patch:
        patch.setattr(TrainingRecord, "epoch", kill)
        with pytest.raises(KeyboardInterrupt):
            run_supernet(load_supernet_config(config_file), folder)
    run_supernet(load_supernet_config(config_file), folder, resume=True)
    for name in ("first.safetensors", "weights.safetensors"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize(
    "override, wanted",
    [
        ("Network={name: ResNet}", "has nothing to choose"),
        ("Train.branches=acb", "not for a supernet"),
        ("Train.lrc_weight=0.1", "not for a supernet"),
        ("Train.inherit=true", "not for a supernet"),
        ("Train.batch_size=1", "greater than or equal to 2"),
        ("Supernet.path={name: Nonsense}", "Nonsense"),
    ],
)
def test_bad_config(config_file, override, wanted):
    with pytest.raises(ConfigError, match=wanted):
        load_supernet_config(config_file, [override])


def test_a_space_without_blocks_is_refused_before_anything_is_written(config_file, tmp_path):
    overrides = ["Space={name: CellSpace, nodes: 2}", "Network={name: CellNetwork, width: 4}"]
    with pytest.raises(ConfigError, match="no supernet holds CellSpace"):
        run_supernet(load_supernet_config(config_file, overrides), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "override, wanted",
    [
        ("Supernet.path={name: Controller, budget: 1000000}", "is for supernets of widths"),
        ("Supernet.path={name: CostUniform, lowest: 1, highest: 5}", "move lowest and highest"),
        ("Train.hooks=[{name: Shrinking, first_epochs: 1, epochs: 1}]", "nothing is to go"),
        ("Train.whiten=true", r"one plan, .*SinglePathNetwork; use Train\.whiten=false"),
        ("Train.first_size=8", r"one plan, .*SinglePathNetwork; use Train\.first_size=null"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    config_file, tmp_path, override, wanted
):
    with pytest.raises(ConfigError, match=wanted):
        run_supernet(load_supernet_config(config_file, [override]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_relaxed_one_is_not_whitened(config_file, tmp_path):
    relaxed = load_supernet_config(
        config_file, ["Supernet.path={name: Relaxed, order: 1}", "Train.whiten=true"]
    )
    with pytest.raises(ConfigError, match=r"one plan, .*RelaxedNetwork; use Train\.whiten=false"):
        run_supernet(relaxed, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", ["name: Uniform", "name: Relaxed, order: 1"])
def test_the_rest_of_the_fast_recipe_trains_one(config_file, tmp_path, path):
    config = load_supernet_config(
        config_file,
        [
            f"Supernet.path={{{path}}}",
            "Train={recipe: {name: fast, whiten: false}, epochs: 1, batch_size: 20}",
        ],
    )
    assert run_supernet(config, tmp_path / "out")["epochs"] == 1


def test_another_training_is_refused(finished, config_file, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(finished[0], folder)
    other = load_supernet_config(config_file, ["Global.seed=4"])
    with pytest.raises(StoreError, match="seed"):
        run_supernet(other, folder, resume=True)


def test_a_report_says_what_the_folder_is(finished):
    with pytest.raises(StoreError, match=r"no trials.*is a supernet, which.*Evaluator\.run="):
        refuse_training(finished[0])


def test_it_is_no_trained_network(finished):
    with pytest.raises(StoreError, match=r"is a supernet, which.*search in it.*Evaluator\.run="):
        load_trained(finished[0])
