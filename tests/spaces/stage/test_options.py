"""The section of networks of stages: one budget, a table by its file, and older runs."""

from __future__ import annotations

import pytest

from autodl.config.components import read_component
from autodl.config.reading import RawConfig
from autodl.errors import ConfigError
from autodl.plans.step_table import Grid, StepTable
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.stage.options import within_budget
from autodl.spaces.stage.space import StageSpace


@pytest.fixture
def table():
    relu = Grid(axes={"channels": (8.0,), "side": (4.0,)}, ms=(0.5,))
    return StepTable(
        machine="a machine", batch_size=8, repetitions=2, config="some.yaml", measured="then",
        seconds=1.0, factor=1.0, kinds={"Relu": relu},
    )  # fmt: skip


@pytest.fixture
def path(table, tmp_path):
    table.write(tmp_path / "steps.json")
    return str(tmp_path / "steps.json")


def network(**options):
    return read_component(RawConfig({"Network": {"name": "StageNetwork", **options}}), "Network")


def test_a_table_is_read_once_and_goes_with_the_config(table, path):
    options = {"picture_ms": 9.0, "step_table": path}
    read = network(**options)
    assert read.options.step_table == table
    assert read.to_plain()["step_table"] == table.to_plain()
    again = network(**{name: value for name, value in read.to_plain().items() if name != "name"})
    assert again == read
    assert read.identity()["step_table"] == table.digest


def test_without_a_table_identities_are_those_of_older_runs():
    assert network(macs=1e6).identity() == {
        "name": "StageNetwork", "macs": 1e6, "value_cost": 0.0,
        "norm_momentum": 0.9, "norm_epsilon": 1e-5, "output_scale": None,
    }  # fmt: skip


def test_ratios_of_widths_count_where_there_is_a_budget(path):
    space = StageSpace(stages=1)
    for options, by_ratio in (
        ({"macs": 1e6}, True),
        ({"picture_ms": 9.0, "step_table": path}, True),
        ({}, False),
    ):
        assert within_budget(space, network(**options).options).by_ratio == by_ratio
    other = CellSpace()
    assert within_budget(other, network(macs=1e6).options) is other
    assert within_budget(space, object()) is space


@pytest.mark.parametrize(
    "options, message",
    [
        ({"picture_ms": 9.0}, "step_table is missing"),
        ({"step_table": "steps.json"}, "picture_ms is missing"),
        (
            {"macs": 2e6, "picture_ms": 9.0, "step_table": "steps.json"},
            r"macs=2e\+06 and picture_ms=9 are two budgets",
        ),
        ({"picture_ms": 0, "step_table": "steps.json"}, "picture_ms.* greater than 0"),
        ({"picture_ms": 9.0, "step_table": "gone.json"}, "cannot read the step table .*gone.json"),
        ({"picture_ms": 9.0, "step_table": {"format": "x"}}, "Network.step_table"),
    ],
)
def test_budgets_that_are_none_are_told_in_one_line(options, message, path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message) as caught:
        network(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("side, said", [(4, "greater than or equal to 8"), (18, "multiple of 4")])
def test_first_sizes_are_those_that_a_training_may_have(side, said):
    values = {"Space": {"name": "StageSpace", "first_sizes": [None, side]}}
    with pytest.raises(ConfigError, match=rf"^Space\.first_sizes\.1.*{said}"):
        read_component(RawConfig(values), "Space")
