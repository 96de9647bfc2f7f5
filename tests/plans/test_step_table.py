"""Tables of measured steps: interpolation against powers, sums by hand, files."""

from __future__ import annotations

import json
from itertools import product

import pytest
from pydantic import ValidationError

from autodl.errors import DataError, UnknownNameError
from autodl.plans.layers import Conv, Relu
from autodl.plans.plan import PlanBuilder
from autodl.plans.step_table import Grid, StepTable

WIDE = {"in": (8.0, 32.0, 128.0), "out": (8.0, 64.0), "side": (2.0, 8.0, 32.0)}


def power(sizes):
    of_in, out, side = sizes
    return 1e-5 * of_in**0.9 * out**1.1 * side**1.7


def table(**changes):
    known = {
        "machine": "a machine",
        "batch_size": 8,
        "repetitions": 2,
        "config": "some.yaml",
        "measured": "2024-01-01T00:00:00+0000",
        "seconds": 1.0,
        "factor": 2.0,
        "kinds": {
            "Conv kernel=1x1 on pictures": Grid(
                axes={"in": (3.0,), "out": (8.0, 16.0), "side": (4.0,)}, ms=(1.0, 4.0)
            ),
            "Relu": Grid(axes={"channels": (8.0,), "side": (4.0,)}, ms=(0.5,)),
        },
    }
    return StepTable(**{**known, **changes})


def network(width):
    builder = PlanBuilder((3, 4, 4))
    x = builder.add("conv", Conv(3, width, (1, 1)), 0)
    builder.add("relu", Relu(), x)
    return builder.finish()


@pytest.mark.parametrize(
    "sizes", [(8, 8, 2), (32, 64, 8), (128, 64, 32), (9, 63, 31), (24, 8, 15), (100.5, 20, 3)]
)
def test_powers_of_sizes_are_interpolated_exactly(sizes):
    grid = Grid(axes=WIDE, ms=tuple(map(power, product(*WIDE.values()))))
    assert grid.at(sizes) == pytest.approx(power(sizes), rel=1e-12)  # float64


def test_between_two_sizes_it_is_the_geometric_mean_and_beyond_them_the_work_counts():
    grid = Grid(axes={"channels": (8.0, 32.0), "side": (4.0,)}, ms=(1.0, 9.0))
    assert grid.at((16, 4)) == pytest.approx(3.0)
    assert grid.at((64, 4)) == pytest.approx(18.0)
    assert grid.at((4, 2)) == pytest.approx(1.0 / 2 / 4)


@pytest.mark.parametrize(
    "axes, ms, message",
    [
        ({"channels": (8.0, 8.0)}, (1.0, 1.0), "sizes of channels should rise"),
        ({"channels": (8.0, 16.0)}, (1.0,), "2 sizes should have as many milliseconds, not 1"),
        ({"channels": (8.0,)}, (0.0,), "greater than 0"),
    ],
)
def test_a_grid_that_is_none(axes, ms, message):
    with pytest.raises(ValidationError, match=message):
        Grid(axes=axes, ms=ms)


def test_a_network_is_the_sum_of_its_layers_times_the_factor():
    assert table().predict(network(8)) == pytest.approx(2 * (1.0 + 0.5))
    assert table().predict(network(16)) == pytest.approx(2 * (4.0 + 1.0))


def test_a_kind_that_was_not_measured():
    known = {"Relu": table().kinds["Relu"]}
    with pytest.raises(UnknownNameError, match=r"some\.yaml has no layers of the kind 'Conv"):
        table(kinds=known).predict(network(8))


def test_a_file_of_it_is_read_as_it_was_and_has_a_line_for_a_row(tmp_path):
    path = tmp_path / "steps.json"
    table().write(path)
    assert StepTable.read(path) == table()
    assert '"ms": "1 4"' in path.read_text()


def test_a_digest_is_of_what_predictions_depend_on():
    assert table().digest == table(machine="another", seconds=2.0).digest
    assert table().digest != table(factor=1.9).digest
    assert table().digest != table(kinds={"Relu": table().kinds["Relu"]}).digest


@pytest.mark.parametrize(
    "change, message",
    [
        ({"format": "autodl latency table"}, "is no step table: its 'format' is not"),
        ({"version": 2}, "has version 2, this program reads version 1"),
        ({"factor": -1.0}, "is damaged: factor: Input should be greater than 0"),
        ({"kinds": {"Relu": {"axes": {"side": "2"}, "ms": "x"}}}, "is damaged: kinds.Relu.ms"),
    ],
)
def test_damaged_files_are_told_in_one_line(tmp_path, change, message):
    path = tmp_path / "steps.json"
    path.write_text(json.dumps({**table().to_plain(), **change}))
    with pytest.raises(DataError, match=message) as caught:
        StepTable.read(path)
    assert "\n" not in str(caught.value)
    assert "autodl latency measure --grid" in str(caught.value)


def test_a_file_that_is_missing_or_cut(tmp_path):
    with pytest.raises(DataError, match=r"cannot read the step table .*gone\.json: No such file"):
        StepTable.read(tmp_path / "gone.json")
    (tmp_path / "cut.json").write_text(json.dumps(table().to_plain())[:-1])
    with pytest.raises(DataError, match=r"the step table .*cut\.json is damaged"):
        StepTable.read(tmp_path / "cut.json")
