"""Tables of published benchmarks: lookup, columns, and files that are refused."""

from __future__ import annotations

import os
from itertools import product

import numpy as np
import pytest

from autodl.errors import ConfigError, DataError
from autodl.evaluation.array_table import read_arrays
from autodl.evaluation.table import TableEvaluator
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.chain.space import ChainSpace
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.trial import TrialFailure

NAMES = ("nor_conv_3x3", "none")  # in the file's own order
ROWS = np.array(list(product(range(2), repeat=6)), np.int8)
RNG = np.random.default_rng(0)


def arrays(**change):
    """A table of the 64 cells over two operations, its rows shuffled."""
    rows = ROWS[np.random.default_rng(1).permutation(64)]
    number = rows @ [32, 16, 8, 4, 2, 1]
    kept = {
        "operations": np.array(NAMES),
        "ops": rows,
        "val_12": number.astype(np.float32) / 4,
        "test_200": np.stack([number - 1.0, number + 1.0], axis=1),
        "parameters": number.astype(np.int64) * 10,
        **change,
    }
    return {name: array for name, array in kept.items() if array is not None}


def saved(folder, **change):
    path = folder / "table.npz"
    np.savez(path, **arrays(**change))
    return path


def test_every_architecture_has_the_numbers_of_its_row(tmp_path):
    evaluate = TableEvaluator(str(saved(tmp_path)), reward="val_12")
    space = EdgeCellSpace(NAMES)
    for number, row in enumerate(ROWS):
        cell = space.decode(row)
        found = evaluate(cell, RNG)
        assert found.reward == number / 4
        assert found.metrics == {"test_200": number, "parameters": 10 * number}
        costs = evaluate.costs(cell)
        assert costs["parameters"] == 10 * number
        assert np.isnan(costs["macs"])


def test_what_is_not_in_it_fails_and_costs_nothing_known(tmp_path):
    evaluate = TableEvaluator(str(saved(tmp_path)), reward="val_12")
    other = EdgeCellSpace(("skip_connect",)).decode(np.zeros(6, np.int64))
    for architecture in (other, CellSpace(nodes=3).sample(RNG)):
        with pytest.raises(TrialFailure, match="does not have this architecture"):
            evaluate(architecture, RNG)
        assert np.isnan(evaluate.costs(architecture)["parameters"])


def test_chains_have_the_mean_of_their_trainings(tmp_path):
    codes = np.array(list(product(range(3), repeat=8)), np.int8)
    accuracy = np.stack([np.arange(6561.0), np.arange(6561.0) + 2], axis=1)
    np.savez(tmp_path / "macro.npz", codes=codes, test_accuracy=accuracy)
    evaluate = TableEvaluator(str(tmp_path / "macro.npz"), reward="test_accuracy")
    space = ChainSpace()
    assert evaluate.kind == space.kind
    assert evaluate(space.decode(codes[4321]), RNG).reward == 4322.0


@pytest.mark.parametrize(
    "change, message",
    [
        ({"ops": None}, "none of ops, codes with its rows"),
        ({"operations": None}, "no array 'operations'"),
        ({"operations": np.array(["nor_conv_3x3", "max_pool"])}, "must be some of none"),
        ({"operations": np.array(["none"])}, "out of range"),
        ({"ops": ROWS[:, :5]}, r"must be integers \[rows, 6\], got int8 \[64, 5\]"),
        ({"ops": ROWS * 1.0}, r"got float64 \[64, 6\]"),
        ({"ops": ROWS[:63]}, r"63 of the 64 .* missing is \[1, 1, 1, 1, 1, 1\]"),
        ({"ops": np.vstack([ROWS[:63], ROWS[5]])}, "row 63 of ops is row 5 again"),
        ({"val_12": np.zeros(63)}, "column 'val_12' must be numbers for 64 rows"),
        ({"val_12": np.array(["a"] * 64)}, "column 'val_12' must be numbers"),
        ({"val_12": None, "test_200": None, "parameters": None}, "no column of results"),
    ],
)
def test_other_tables_are_refused_in_one_line(tmp_path, change, message):
    path = saved(tmp_path, **change)
    with pytest.raises(DataError, match=message) as caught:
        read_arrays(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_table_are_refused(tmp_path):
    path = tmp_path / "nas_bench_201.npz"
    with pytest.raises(DataError, match=r"nas_bench_201\.npz: No such file .*Evaluator\.path"):
        TableEvaluator(str(path), reward="val_12")
    path.write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot read the table"):
        read_arrays(path)
    np.savez(path, codes=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="cannot read the table"):
        read_arrays(path)


def test_the_column_of_the_reward_is_named(tmp_path):
    path = str(saved(tmp_path))
    with pytest.raises(ConfigError, match=r"reward is missing: the columns of .* are val_12"):
        TableEvaluator(path)
    with pytest.raises(ConfigError, match="names 'val_200': the columns"):
        TableEvaluator(path, reward="val_200")


def test_a_file_that_has_changed_is_read_again(tmp_path):
    path = saved(tmp_path)
    before = read_arrays(path)
    assert read_arrays(path) is before
    np.savez(path, **arrays(val_12=np.zeros(64)))
    os.utime(path, (1, 1))
    assert read_arrays(path) is not before
