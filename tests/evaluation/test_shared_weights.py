"""Searches in a trained supernet: rewards that no order changes, fresh statistics, bad input."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from autodl.errors import ConfigError, StoreError
from autodl.evaluation.angle import Angle
from autodl.evaluation.shared_weights import SharedWeights
from autodl.jobs.search.parts import load_search
from autodl.jobs.search.run import run_search
from autodl.jobs.supernet.run import run_supernet
from autodl.recipes.options import TrainOptions
from autodl.spaces.chain.space import ChainSpace
from autodl.spaces.edge_cell.plan import edge_cell_plan
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.supernets.single_path.config import load_supernet_config
from autodl.supernets.single_path.folder import load_supernet
from autodl.tasks.load import load_task
from autodl.training.goal import score

COMMON = """
Global: {seed: 3, device: cpu}
Space: {name: EdgeCellSpace}
Network: {name: EdgeCellNetwork, width: 4, cells: 1}
Data: {name: cifar10-mini, image_size: 8, train: 60, held_out: 60}
"""
TRAIN = "Train: {epochs: 3, batch_size: 10, learning_rate: 0.1, pad_crop: 1}\n"
SEARCH = """
Search: {max_trials: 3, executor: inline}
Strategy: {name: RandomSearch}
"""
PLAN = partial(edge_cell_plan, image_size=8, width=4, cells=1)
ROWS = np.random.default_rng(0).integers(1, 5, size=(4, 6))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("supernet")
    path = folder / "tiny.yaml"
    path.write_text(COMMON + TRAIN)
    config = load_supernet_config(path)
    run_supernet(config, folder / "run")
    return folder / "run", load_task(config.data)


def evaluator(trained, batches=3):
    folder, task = trained
    options = {"batches": batches, "batch_size": 20, "seed": 0}
    return SharedWeights(task, PLAN, TrainOptions(), run=folder, **options)


def rewards(evaluate, rows):
    cells = [EdgeCellSpace().decode(row) for row in rows]
    return [evaluate(cell, np.random.default_rng()).metrics["held_out_loss"] for cell in cells]


def test_no_order_changes_a_result(trained):
    one, other = evaluator(trained), evaluator(trained)
    assert rewards(one, ROWS) == rewards(other, ROWS[::-1])[::-1] == rewards(one, ROWS)


def test_statistics_are_of_the_architecture(trained):
    """They differ from those of the supernet, which are of all architectures."""
    folder, task = trained
    stale = load_supernet(folder, task, PLAN).alone(ROWS[0])
    assert score(stale, task, "held_out").loss != rewards(evaluator(trained), ROWS[:1])[0]
    assert rewards(evaluator(trained, batches=1), ROWS[:1]) != rewards(evaluator(trained), ROWS[:1])


def test_an_architecture_of_another_space_is_refused(trained):
    chain = ChainSpace().sample(np.random.default_rng(0))
    with pytest.raises(ConfigError, match="cells with operations on edges"):
        evaluator(trained)(chain, np.random.default_rng())


@pytest.mark.parametrize("name", ["SharedWeights", "Angle"])
def test_an_ordinary_search_finds_its_best(trained, tmp_path, name):
    path = tmp_path / "search.yaml"
    path.write_text(COMMON + SEARCH + f"Evaluator: {{name: {name}, run: {trained[0]}}}\n")
    config = load_search(path)
    weights = json.loads((trained[0] / "run.json").read_text())["sha256"]["weights.safetensors"]
    assert config.identity()["Evaluator"]["run"] == weights
    result = run_search(config, tmp_path / "out")
    assert result.best.reward > 0
    cell = result.best.architecture
    folder, task = trained
    looked_up = Angle(task, PLAN, TrainOptions(), run=folder)
    if name == "Angle":
        assert looked_up(cell, np.random.default_rng()).reward == result.best.reward


def test_mistakes(trained, tmp_path):
    path = tmp_path / "search.yaml"
    path.write_text(COMMON + SEARCH)
    nowhere = ["Evaluator.name=SharedWeights", f"Evaluator.run={tmp_path}"]
    with pytest.raises(StoreError, match="is no run folder"):
        load_search(path, nowhere).identity()
    with pytest.raises(ConfigError, match=r"batch_size.*greater than or equal to 2"):
        load_search(path, [*nowhere, "Evaluator.batch_size=1"])
    others = ["Space={name: ChainSpace}", "Network={name: ChainNetwork}"]
    there = ["Evaluator.name=SharedWeights", f"Evaluator.run={trained[0]}"]
    with pytest.raises(ConfigError, match="a supernet of another space"):
        run_search(load_search(path, [*others, *there]), tmp_path / "out")
