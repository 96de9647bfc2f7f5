"""What a search may take for a supernet of its own."""

from __future__ import annotations

import shutil
from functools import partial

import pytest

from autodl.errors import ConfigError, DataError, StoreError
from autodl.jobs.supernet.run import run_supernet
from autodl.spaces.chain.plan import chain_plan
from autodl.spaces.edge_cell.plan import edge_cell_plan
from autodl.supernets.single_path.config import load_supernet_config
from autodl.supernets.single_path.folder import load_supernet
from autodl.tasks.load import load_task

CONFIG = """
Global: {seed: 3, device: cpu}
Space: {name: EdgeCellSpace}
Network: {name: EdgeCellNetwork, width: 2, cells: 1}
Data: {name: cifar10-mini, image_size: 8, train: 20, held_out: 20}
Train: {epochs: 1, batch_size: 10, pad_crop: 1}
"""
PLAN = partial(edge_cell_plan, image_size=8, width=2, cells=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("supernet")
    path = folder / "tiny.yaml"
    path.write_text(CONFIG)
    config = load_supernet_config(path)
    run_supernet(config, folder / "run")
    return folder / "run", load_task(config.data), path


def test_first_and_last_weights(trained):
    folder, task, _ = trained
    first, last = (load_supernet(folder, task, PLAN, first=one) for one in (True, False))
    assert not last.training
    assert (first.stem.conv.weight != last.stem.conv.weight).any()
    assert first.space.sizes == (5,) * 6


def test_supernets_of_others_are_refused(trained, tmp_path):
    folder, task, path = trained
    with pytest.raises(ConfigError, match="a supernet of another space"):
        load_supernet(folder, task, partial(chain_plan, image_size=8))
    with pytest.raises(ConfigError, match="a supernet of other networks"):
        load_supernet(folder, task, partial(edge_cell_plan, image_size=8, width=3, cells=1))
    config = load_supernet_config(path, ["Data.train=21"])
    with pytest.raises(DataError, match="trained on other pictures"):
        load_supernet(folder, load_task(config.data), PLAN)
    with pytest.raises(StoreError, match="is no run folder"):
        load_supernet(tmp_path, task, PLAN)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "first.safetensors").unlink()
    with pytest.raises(StoreError, match="holds no finished supernet"):
        load_supernet(copy, task, PLAN)
