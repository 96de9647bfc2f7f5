"""A shrunk supernet keeps what is left, and searches in it propose nothing else."""

from __future__ import annotations

import json
import shutil
from contextlib import closing

import numpy as np
import pytest

from autodl.errors import ConfigError, StoreError
from autodl.jobs.search.parts import load_search, make_space
from autodl.jobs.search.run import run_search
from autodl.jobs.supernet.run import run_supernet
from autodl.runs.folder import TRIALS
from autodl.runs.store import TrialStore
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.supernets.single_path.config import load_supernet_config
from autodl.supernets.single_path.space_left import load_left, within

COMMON = """
Global: {seed: 3, device: cpu}
Space: {name: EdgeCellSpace}
Network: {name: EdgeCellNetwork, width: 2, cells: 1}
Data: {name: cifar10-mini, image_size: 8, train: 20, held_out: 20}
"""
TRAIN = """
Train:
  epochs: 3
  batch_size: 10
  pad_crop: 1
  hooks: [{name: Shrinking, first_epochs: 1, epochs: 1, drop: every, target: 800}]
"""
SEARCH = """
Search: {max_trials: 12, executor: inline}
Strategy: {name: Evolution, population: 4, tournament: 2}
Evaluator: {name: Angle}
"""


@pytest.fixture(scope="module")
def shrunk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shrunk")
    path = folder / "tiny.yaml"
    path.write_text(COMMON + TRAIN)
    run_supernet(load_supernet_config(path), folder / "run")
    return folder / "run", path


def search(shrunk, tmp_path, *overrides):
    path = tmp_path / "search.yaml"
    path.write_text(COMMON + SEARCH)
    return load_search(path, [f"Evaluator.run={shrunk[0]}", *overrides])


def test_the_folder_tells_what_is_left(shrunk):
    folder, path = shrunk
    rows = json.loads((folder / "space.json").read_text())["left"]
    assert [row["decision"] for row in rows] == list(EdgeCellSpace().labels)
    assert all(len(row["values"]) == 3 for row in rows)
    assert load_left(folder, EdgeCellSpace()).sizes == (3,) * 6
    found = json.loads((folder / "metrics.json").read_text())
    assert [epoch["architectures_left"] for epoch in found["curve"]] == [4096, 729, 729]
    again = run_supernet(load_supernet_config(path), folder, resume=True)
    assert again == found


@pytest.mark.parametrize("name", ["Angle", "SharedWeights"])
def test_a_search_proposes_nothing_else(shrunk, tmp_path, name):
    config = search(shrunk, tmp_path, f"Evaluator.name={name}", "Search.max_trials=8")
    run_search(config, tmp_path / "out")
    left = load_left(shrunk[0], EdgeCellSpace())
    with closing(TrialStore(tmp_path / "out" / TRIALS, read_only=True)) as store:
        trials = list(store.finished())
    assert len(trials) == 8
    for trial in trials:
        left.check(trial.architecture)


def test_a_smaller_space_keeps_what_both_have(shrunk, tmp_path):
    names = EdgeCellSpace().operations
    left = load_left(shrunk[0], EdgeCellSpace())
    some = {names[values[0]] for values in left.values}
    overrides = [f"Space.operations=[{', '.join(sorted(some))}]"]
    space = make_space(search(shrunk, tmp_path, *overrides))
    rng = np.random.default_rng(0)
    for _ in range(20):
        cell = space.sample(rng)
        assert set(cell.operations) <= some
        left.check(cell)


def test_nothing_left_and_other_spaces(shrunk, tmp_path):
    names = EdgeCellSpace().operations
    left = load_left(shrunk[0], EdgeCellSpace())
    lost = next(name for code, name in enumerate(names) if code not in left.values[0])
    with pytest.raises(ConfigError, match="has lost all that Space has for edge 0-1"):
        within(shrunk[0], EdgeCellSpace((lost,)))
    with pytest.raises(ConfigError, match="is a supernet of another space: EdgeCellSpace"):
        make_space(search(shrunk, tmp_path, "Space={name: ChainSpace}"))


def test_damage_is_seen(shrunk, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(shrunk[0], folder)
    (folder / "space.json").write_text('{"version": 1, "left": []}')
    with pytest.raises(StoreError, match=r"space\.json"):
        within(folder, EdgeCellSpace())
    manifest = json.loads((folder / "run.json").read_text())
    del manifest["sha256"]["space.json"]
    (folder / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match=r"space\.json is damaged: what is left has 0 decisions"):
        within(folder, EdgeCellSpace())


def test_what_did_not_shrink_is_the_whole(tmp_path):
    space = EdgeCellSpace()
    assert within(tmp_path, space) is space
    assert load_left(tmp_path, space).sizes == space.sizes
