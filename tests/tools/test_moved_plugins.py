"""Runs whose plugin's file was moved since: trained from, tested and read by the tools."""

from __future__ import annotations

import json
import sys

import pytest

from autodl.runs.plugin_sources import FOLDER

pytestmark = pytest.mark.usefixtures("own_tables")
PLUGIN = """
from autodl.assemble import register
from autodl.config.sections import NoOptions
from autodl.spaces.classic.cifar_quick import cifar_quick_plan
from autodl.strategies.random_search import RandomSearch

register("Strategy", "Mine", NoOptions, RandomSearch)
register("Network", "MineAlone", NoOptions, cifar_quick_plan, searched=False)
"""
SEARCH = """
Global: {plugins: [PLUGIN]}
Search: {max_trials: 2, executor: inline}
Strategy: {name: Mine}
Space: {nodes: 2, operations: [conv_3x3, max_pool_3x3]}
Evaluator: {name: TokenCount}
"""
TRAINING = """
Global: {device: cpu, plugins: [PLUGIN]}
Network: {name: MineAlone}
Data: {name: cifar10-mini, image_size: 16, train: 40, held_out: 20}
Train: {epochs: 1, batch_size: 20}
"""


def forget():
    """As if another process came."""
    from autodl.config import plugins
    from autodl.spaces.catalogue import NETWORKS
    from autodl.strategies.catalogue import STRATEGIES

    STRATEGIES.pop("Mine", None)
    NETWORKS.pop("MineAlone", None)
    plugins._files.clear()
    for name in [name for name in sys.modules if name.startswith("autodl_plugin_")]:
        del sys.modules[name]


@pytest.fixture
def plugin(tmp_path):
    (tmp_path / "there").mkdir()
    path = tmp_path / "there" / "mine.py"
    path.write_text(PLUGIN)
    return path


def moved(plugin, run, *, with_source):
    """Move the file, and take the source that the run has kept, as runs of earlier releases."""
    goal = plugin.with_name("moved.py")
    plugin.rename(goal)
    for kept in () if with_source else (run / FOLDER).iterdir():
        kept.unlink()
    forget()
    return goal


@pytest.fixture
def search(call, plugin, tmp_path):
    (tmp_path / "search.yaml").write_text(SEARCH.replace("PLUGIN", str(plugin)))
    run = tmp_path / "search"
    assert call("search", "-c", tmp_path / "search.yaml", "--out", run).code == 0
    return run


def trained_from(call, small_training, run, out, *words):
    quick = ["-o", "Train.epochs=1", *words, "--run", run, "--out", out]
    return call("train", "-c", small_training.config_file, *quick)


def test_the_best_of_a_search_is_trained_by_what_the_search_has_kept(
    call, small_training, search, plugin, tmp_path
):
    moved(plugin, search, with_source=True)
    done = trained_from(call, small_training, search, tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_the_best_of_a_search_is_trained_with_the_file_where_it_is_now(
    call, small_training, search, plugin, tmp_path
):
    goal = moved(plugin, search, with_source=False)
    done = trained_from(call, small_training, search, tmp_path / "out")
    assert done.code == 2
    assert f"{search} needs the plugin {plugin}, which was moved or deleted" in done.err
    assert not (tmp_path / "out").exists()
    there = f"Global.plugins=[{goal}]"
    done = trained_from(call, small_training, search, tmp_path / "out", there)
    assert (done.code, done.err) == (0, "")
    forget()
    (folder,) = (tmp_path / "out").iterdir()
    assert call("eval", folder).code == 0  # it has kept what it was given


@pytest.fixture
def training(call, plugin, tmp_path):
    (tmp_path / "training.yaml").write_text(TRAINING.replace("PLUGIN", str(plugin)))
    out = tmp_path / "training"
    assert call("train", "-c", tmp_path / "training.yaml", "--out", out).code == 0
    return out / "MineAlone"


@pytest.mark.parametrize("with_source", [True, False])
def test_a_training_is_tested(call, training, plugin, with_source):
    goal = moved(plugin, training, with_source=with_source)
    if not with_source:
        refused = call("eval", training)
        assert refused.code == 2
        assert "by --plugin FILE" in refused.err
        forget()
    done = call("eval", training, "--json", *([] if with_source else ["--plugin", goal]))
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["pictures"] == 200


def test_another_file_in_its_place_is_not_taken_for_it(call, training, plugin):
    other = moved(plugin, training, with_source=False)
    other.write_text(f"# changed\n{PLUGIN}")
    done = call("eval", training, "--plugin", other)
    assert done.code == 2
    assert "was moved or deleted; give its file, as it was" in done.err
    assert done.err.count("\n") == 1
