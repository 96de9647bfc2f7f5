"""The beginning of a longer search for bits."""

from __future__ import annotations

import json

import numpy as np
import pytest
from paddle import nn

from autodl.compression.bits.found_bits import FoundBits
from autodl.compression.bits.options import FoundBitsOptions
from autodl.compression.bits.rounded_layers import layers_to_round
from autodl.compression.choice import Task
from autodl.compression.errors import CompressionError
from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.recipes.options import TrainOptions


@pytest.fixture
def task():
    layers = layers_to_round(nn.Sequential(nn.Conv2D(3, 4, 3)), keep_ends=False)
    data = Pictures(np.zeros((2, 8, 8, 3), np.uint8), np.zeros(2, np.int64))
    network = nn.Sequential()
    return Task(network, layers, data, Normalisation.of(data), TrainOptions(), seed=0)


@pytest.fixture
def run(tmp_path):
    rollouts = [
        {"seconds": 1.0, "reward": 0.2, "bits": {"0": 2}},
        {"seconds": 9.0, "reward": 0.6, "bits": {"0": 5}},
    ]
    metrics = {"search_seconds": 10.0, "details": {"rollouts": rollouts}}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    return tmp_path


@pytest.mark.parametrize("seconds, bits, spent", [(3.0, 2, 3.0), (30.0, 5, 10.0)])
def test_the_best_bits_by_then(task, run, seconds, bits, spent):
    choice = FoundBits(FoundBitsOptions(run=run, seconds=seconds)).choose(task)
    assert choice.levels["0"].bits == bits
    assert choice.seconds == spent


def test_runs_that_are_no_search(task, run, tmp_path):
    text = (run / "metrics.json").read_text()
    (run / "metrics.json").write_text(text.replace('"0"', '"conv"'))
    with pytest.raises(CompressionError, match="of a network with other layers"):
        FoundBits(FoundBitsOptions(run=run, seconds=3.0)).choose(task)
    with pytest.raises(CompressionError, match="no finished compression by BitSearch"):
        FoundBits(FoundBitsOptions(run=tmp_path / "nowhere", seconds=3.0)).choose(task)


def test_a_study_that_moves_stays_the_same(tmp_path):
    one, other = (FoundBitsOptions(run=tmp_path / place / "r", seconds=1.0) for place in "ab")
    assert one.identity() == other.identity()
