"""From a config to a table of measured steps, and a search by it; speed is never asserted."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest

from autodl.errors import ConfigError, DataError
from autodl.jobs import step_grid
from autodl.jobs.latency import load_search, make_plans
from autodl.jobs.search.run import run_search
from autodl.jobs.search.tables import check_step_table, check_training_table
from autodl.jobs.step_table import check_steps, measure_steps, predict_steps, read_any_table
from autodl.networks import onednn, timing
from autodl.networks.onednn import multiplies_bfloat16, training_kernels
from autodl.networks.precision import reduced_products
from autodl.objectives.latency.machine import this_machine
from autodl.plans.step_table import StepTable
from autodl.spaces.stage.space import StageSpace
from autodl.training.device import computing_on

TINY = """
Global: {seed: 0, device: cpu}
Space:
  name: StageSpace
  stages: 1
  widths: [8, 16]
  reductions: [conv_pool]
  convolutions: [1, 2]
  kernels: [3]
  forms: [dense, repvgg]
  residuals: [none]
  stems: [whitened]
  first_sizes: [null, 8]
Network: {name: StageNetwork, macs: 4.0e+5}
Data: {name: cifar10, image_size: 16, classes: 4}
Train: {recipe: fast, batch_size: 4}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("steps") / "tiny.yaml"
    path.write_text(TINY)
    return str(path)


@pytest.fixture(scope="module")
def table(config):
    with pytest.MonkeyPatch.context() as patch:  # as few points as will do, and short calls
        patch.setattr(step_grid, "CHANNELS", (8, 32))
        patch.setattr(step_grid, "SIDES", (8, 16))
        patch.setattr(step_grid, "PATIENCE", 10)
        return measure_steps(config, ["Data.path=archive.zip"], repetitions=1, networks=2)


def test_a_table_has_all_kinds_of_its_space(table, config):
    assert (table.machine, table.batch_size, table.config) == (str(this_machine()), 4, config)
    conv = "Conv kernel=3x3 padding=1x1x1x1 bias=0"
    assert table.kinds.keys() == {
        "Conv kernel=2x2 on pictures", conv, f"{conv} as repvgg", "BatchNorm", "Gelu", "Relu",
        "MaxPool kernel=2x2 stride=2x2", "GlobalAvgPool", "GlobalMaxPool", "Linear",
    }  # fmt: skip
    assert table.kinds["Conv kernel=2x2 on pictures"].axes == {
        "in": (3.0,), "out": (24.0,), "side": (8.0, 16.0)
    }  # fmt: skip
    make_plan, space = make_plans(load_search(config)), load_search(config).space
    space = StageSpace(**space.arguments())
    for seed in range(20):
        architecture = space.sample(np.random.default_rng(seed))
        assert predict_steps(table, architecture, make_plan(architecture)) > 0


def test_networks_are_measured_and_predicted(table, config):
    check = check_steps(table, config, networks=3)
    assert check.predicted.shape == check.measured.shape == (3,)
    assert (check.measured > 0).all()
    with pytest.raises(ConfigError, match="--networks must be at least 2, got 1"):
        check_steps(table, config, networks=1)


@pytest.fixture(scope="module")
def other(table):
    """The same table, as if it were of other kernels than a training here uses."""
    kernels = "Paddle" if table.kernels == "oneDNN" else "oneDNN"
    return table.model_copy(update={"kernels": kernels})


def test_a_table_says_whose_kernels_it_is_of(table):
    """One of before they were on record: those of Paddle."""
    with computing_on("cpu"):
        assert table.kernels == training_kernels()
        mixed = "oneDNN in bfloat16" if multiplies_bfloat16() else table.kernels
        assert training_kernels(amp=True) == mixed
    old = {name: value for name, value in table.to_plain().items() if name != "kernels"}
    assert StepTable.model_validate(old).kernels == "Paddle"


@pytest.fixture
def processor_with_amx(monkeypatch):
    """As far as tables say; what is computed is what this processor can."""
    if not onednn.available():
        pytest.skip("this Paddle brings no oneDNN along")
    monkeypatch.setattr(onednn, "multiplies_bfloat16", lambda: True)


def test_a_table_of_mixed_precision_is_measured_so_and_is_for_that_alone(
    table, config, tmp_path, monkeypatch, processor_with_amx
):
    reduced = []

    def measured(calls, repetitions, **_):
        reduced.append(reduced_products())
        return np.ones(len(calls))

    monkeypatch.setattr(timing, "least_times", measured)
    archive = "Data.path=archive.zip"
    mixed = measure_steps(config, [archive, "Train.amp=true"], repetitions=1, networks=1)
    assert mixed.kernels == "oneDNN in bfloat16"
    check_steps(mixed, config, ["Train.amp=true"], networks=2)
    check_steps(table, config, networks=2)
    assert reduced == [True, True, False]
    for which, amp in ((mixed, False), (table, True)):
        options = [f"Train.amp={str(amp).lower()}"]
        with pytest.raises(DataError, match=r"with Train\.amp as the search has it"):
            check_steps(which, config, options, networks=2)
        path = write(which, tmp_path / "which.json")
        options += ["Network.macs=null", "Network.picture_ms=0.5", f"Network.step_table={path}"]
        with pytest.raises(DataError, match="oneDNN in bfloat16"):
            check_step_table(load_search(config, options))


def test_a_table_of_other_kernels_begins_no_search_and_is_not_checked(
    table, other, config, tmp_path
):
    """What was begun by it goes on."""
    path = write(other, tmp_path / "other.json")
    given = ["Network.macs=null", "Network.picture_ms=0.5", f"Network.step_table={path}"]
    checked = load_search(config, given)
    message = (
        f"measured with the kernels of {other.kernels}, and a training here uses those of"
        f" {table.kernels}"
    )
    with pytest.raises(DataError, match=f"{message}.*or set Objectives.allow_foreign=true"):
        run_search(checked, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(DataError, match=message):
        check_steps(StepTable.read(path), config, networks=2)
    check_step_table(load_search(config, [*given, "Objectives.allow_foreign=true"]))
    check_step_table(load_search(config, [*given[:2], f"Network.step_table={write(table, path)}"]))
    assert checked.identity()["Network"]["step_table"] == table.digest  # runs keep theirs


def test_a_table_of_another_processor_begins_no_search(table, config, tmp_path):
    elsewhere = table.model_copy(update={"machine": f"Another {table.machine}"})
    path = write(elsewhere, tmp_path / "elsewhere.json")
    given = ["Network.macs=null", "Network.picture_ms=0.5", f"Network.step_table={path}"]
    message = r"was measured on Another .*or, if that .*set Objectives\.allow_foreign=true"
    with pytest.raises(DataError, match=message):
        run_search(load_search(config, given), tmp_path / "run")
    check_step_table(load_search(config, [*given, "Objectives.allow_foreign=true"]))


def test_where_nothing_trains_no_kernels_are_asked_for(other, config, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "autodl.networks.onednn", None)  # importing it would fail
    path = write(other, tmp_path / "other.json")
    given = ["Network.macs=null", "Network.picture_ms=0.5", f"Network.step_table={path}"]
    check_step_table(load_search(config, [*given, "Evaluator={name: TokenCount}"]))
    with pytest.raises(ImportError):
        check_step_table(load_search(config, given))


def test_a_search_that_was_begun_by_a_table_goes_on_by_it(table, other, config, tmp_path):
    """It was of today's kernels then; milliseconds, and with them the widths, are the same."""
    given = ["Network.macs=null", "Network.picture_ms=0.5", "Search.executor=inline"]
    given += ["Data.name=cifar10-mini", "Data.path=null", "Train.batch_size=100", "Train.epochs=1"]
    given += ["Strategy.name=RandomSearch", f"Network.step_table={write(table, tmp_path / 't')}"]
    run_search(load_search(config, [*given, "Search.max_trials=1"]), tmp_path / "run")
    write(other, tmp_path / "t")
    more = load_search(config, [*given, "Search.max_trials=2"])
    assert run_search(more, tmp_path / "run", resume=True).finished == 2


def write(table, path):
    table.write(path)
    return path


def test_tables_of_both_kinds_are_told_apart(table, tmp_path):
    table.write(tmp_path / "steps.json")
    assert read_any_table(tmp_path / "steps.json") == table
    (tmp_path / "other.json").write_text(json.dumps({"format": "x"}))
    with pytest.raises(DataError, match="no latency table"):
        read_any_table(tmp_path / "other.json")
    with pytest.raises(DataError, match="cannot read"):
        read_any_table(tmp_path / "gone.json")


@pytest.mark.parametrize(
    "numbers, message",
    [
        ({"batch_size": 1}, "--batch-size must be at least 2, got 1"),
        ({"repetitions": 0}, "--repetitions must be at least 1, got 0"),
        ({"seed": -1}, "--seed must be at least 0, got -1"),
    ],
)
def test_numbers_out_of_range(config, numbers, message):
    with pytest.raises(ConfigError, match=message):
        measure_steps(config, **numbers)


def test_networks_for_series_have_no_grid():
    with pytest.raises(ConfigError, match="a grid is of networks for pictures"):
        measure_steps("search/sequences-random.yaml", networks=1)


def test_a_table_is_written_by_its_search(table, config, tmp_path):
    """What a run stores is enough: the file may be gone."""
    table.write(tmp_path / "steps.json")
    budget = ["Network.macs=null", "Network.picture_ms=0.5"]
    checked = load_search(config, [*budget, f"Network.step_table={tmp_path / 'steps.json'}"])
    (tmp_path / "steps.json").unlink()
    assert StepTable.model_validate(checked.to_plain()["Network"]["step_table"]) == table
    assert checked.identity()["Network"]["step_table"] == table.digest


@pytest.mark.parametrize(
    "option, named",
    [("forms=[dense,dbb]", "Space.forms=dbb"), ("first_sizes=[null,20]", "Space.first_sizes")],
)
def test_a_table_of_layers_knows_nothing_of_what_networks_decide(tmp_path, option, named):
    """A network with branches would have the milliseconds of one without."""
    (tmp_path / "steps.json").write_text("{}")
    table = f"Objectives={{minimise: [training_ms], training_table: {tmp_path / 'steps.json'}}}"
    said = f"training_table knows nothing of {named}, which networks decide"
    with pytest.raises(ConfigError, match=re.escape(said)):
        check_training_table(load_search("search/stages.yaml", [table, f"Space.{option}"]))
    check_training_table(load_search("search/stages.yaml", [table]))
