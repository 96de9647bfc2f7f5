"""Trainings of relaxed supernets in a folder: what is chosen, kills, bad input, what takes it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from autodl.errors import ConfigError, StoreError
from autodl.evaluation.angle import Angle
from autodl.evaluation.shared_weights import SharedWeights
from autodl.jobs.supernet.run import run_supernet
from autodl.jobs.train.record import TrainingRecord
from autodl.jobs.train.run import best_of_run
from autodl.reports.run import refuse_training
from autodl.spaces.codec import load_architecture
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.supernets.single_path.config import load_supernet_config
from autodl.system.files import checksum
from autodl.tasks.load import load_task
from autodl.trained.folder import load_trained

CONFIG = """
Global: {seed: 3, device: cpu}
Space: {name: EdgeCellSpace, operations: [skip_connect, none, nor_conv_3x3]}
Network: {name: EdgeCellNetwork, width: 2, cells: 1}
Data: {name: cifar10-mini, image_size: 8, train: 30, held_out: 30}
Supernet: {path: {name: Relaxed, order: 2, learning_rate: 0.01}}
Train: {epochs: 2, batch_size: 10, learning_rate: 0.05, nesterov: false, pad_crop: 1}
"""


@pytest.fixture(scope="module")
def config_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("relaxed") / "tiny.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def finished(config_file, tmp_path_factory):
    folder, lines = tmp_path_factory.mktemp("chosen") / "whole", []
    config = load_supernet_config(config_file)
    return folder, run_supernet(config, folder, progress=lines.append), lines


def test_it_ends_with_the_architecture_of_its_weights(finished):
    folder, metrics, lines = finished
    assert not (folder / "first.safetensors").exists()
    space = EdgeCellSpace(("skip_connect", "none", "nor_conv_3x3"))
    (table,), last = space.tables, metrics["curve"][-1]
    weights = np.array(
        [[last[f"edges/{edge}/{name}"] for name in table.operations] for edge in table.edges]
    )
    chosen = load_architecture(folder / "architecture.json")
    assert chosen == space.strongest({"edges": weights})
    assert best_of_run(folder, 1) == [("chosen", chosen)]
    told = [line for line in lines if line.startswith("[Relaxed]")]
    assert told[1].startswith(f"[Relaxed][Epoch 2/2] entropy: {last['entropy']:.4f} of 1.0986")
    assert metrics["architectures"] == 3**6


def test_a_killed_search_goes_on_bit_for_bit(finished, config_file, tmp_path, monkeypatch):
    whole, metrics, _ = finished
    folder = tmp_path / "killed"

    def kill(record, trainer):
        keep(record, trainer)
        raise KeyboardInterrupt

    keep, config = TrainingRecord.epoch, load_supernet_config(config_file)
    with monkeypatch.context() as patch:
        patch.setattr(TrainingRecord, "epoch", kill)
        with pytest.raises(KeyboardInterrupt):
            run_supernet(config, folder)
    with pytest.raises(StoreError, match="has not chosen yet: go on by --resume"):
        best_of_run(folder, 1)
    again = run_supernet(config, folder, resume=True)
    for name in ("weights.safetensors", "architecture.json"):
        assert checksum(folder / name) == checksum(whole / name)
    assert again["curve"][-1]["entropy"] == metrics["curve"][-1]["entropy"]
    assert run_supernet(config, folder, resume=True) == json.loads(
        (folder / "metrics.json").read_text()
    )


@pytest.mark.parametrize(
    "override, wanted",
    [
        ("Supernet.path.order=3", "order: input should be 1 or 2, got 3"),
        ("Supernet.path.learning_rate=0", "greater than 0"),
        ("Supernet.path.momentum=0.9", "momentum"),
        ("Train.nesterov=true", "order 2 looks behind a step of plain SGD"),
        ("Train.inherit=true", "not for a supernet"),
    ],
)
def test_bad_config(config_file, override, wanted):
    with pytest.raises(ConfigError, match=wanted) as caught:
        load_supernet_config(config_file, [override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "overrides, wanted",
    [
        (["Space={name: ChainSpace}", "Network={name: ChainNetwork}"], "which ChainSpace has not"),
        (["Space.operations=[none, skip_connect]"], "a mixture is of two operations or more"),
        (["Network={name: OwnGenotype, channels: 2}"], "OwnGenotype is made of a genotype"),
    ],
)
def test_spaces_that_cannot_be_mixed_are_refused_before_anything_is_written(
    config_file, tmp_path, overrides, wanted
):
    with pytest.raises(ConfigError, match=wanted):
        run_supernet(load_supernet_config(config_file, overrides), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_whoever_takes_it_for_something_else_is_told_what_to_do(finished, config_file):
    folder, task = finished[0], load_task(load_supernet_config(config_file).data)
    advice = rf"chooses an architecture and is none.*-c train/edge-cell-demo.yaml --run {folder}"
    for take in (
        lambda: load_trained(folder),
        lambda: refuse_training(folder),
        lambda: Angle(task, None, None, run=folder),
        lambda: SharedWeights(task, None, None, run=folder, batches=1, batch_size=8, seed=0),
    ):
        with pytest.raises(StoreError, match=advice) as caught:
            take()
        assert "\n" not in str(caught.value)
