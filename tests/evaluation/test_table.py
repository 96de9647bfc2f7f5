"""Tables of finished trainings: there and back, lookup by graph, damaged files."""

from dataclasses import replace

import numpy as np
import pytest

from autodl.errors import DataError
from autodl.evaluation.table import TableEvaluator, read_table, write_table
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.cell.canonical import canonical_pair
from autodl.spaces.cell.space import CellSpace
from autodl.trial import Evaluation, Trial, TrialFailure, TrialState

SPACE = CellSpace(nodes=3, operations=("conv_1x1", "max_pool_3x3"))


def trials():
    found = []
    for architecture in SPACE.architectures():
        evaluation = Evaluation(len(found) / 10_000, {"parameters": 100 + len(found), "macs": 5})
        trial_id = len(found)
        found.append(Trial(trial_id, architecture, TrialState.COMPLETE, evaluation, seconds=2.0))
        if trial_id == 20:
            break
    return found


def test_round_trip(tmp_path):
    failed = Trial(99, SPACE.sample(np.random.default_rng(0)), TrialState.FAILED, reason="no")
    path = tmp_path / "table.csv"
    assert write_table([*trials(), failed], path) == 21
    table = read_table(path)
    for trial in trials():
        stored = table[canonical_pair(trial.architecture)]
        assert stored.reward == trial.reward
        assert stored.metrics == {**trial.evaluation.metrics, "seconds": 2.0}


def test_a_renamed_graph_is_found(tmp_path):
    """Two unconnected nodes in either order are the same graph."""
    one = Cell.from_names(("conv_1x1", "max_pool_3x3"), (0,))
    other = Cell.from_names(("max_pool_3x3", "conv_1x1"), (0,))
    trial = Trial(0, CellPair(one, one), TrialState.COMPLETE, Evaluation(0.7), seconds=1.0)
    write_table([trial], tmp_path / "t.csv")
    evaluate = TableEvaluator(str(tmp_path / "t.csv"))
    assert evaluate(CellPair(other, other), np.random.default_rng(0)).reward == 0.7
    missing = Cell.from_names(("conv_1x1", "conv_1x1"), (0,))
    with pytest.raises(TrialFailure, match="does not have"):
        evaluate(CellPair(missing, one), np.random.default_rng(0))


def test_what_was_trained_in_part_is_not_in_a_table(tmp_path):
    """Nor is a result that was taken over there twice; one that another run had is there."""
    whole, pruned, paused, cached = trials()[:4]
    pruned = replace(pruned, state=TrialState.PRUNED)
    paused = replace(paused, state=TrialState.PAUSED)
    again = replace(whole, id=7, reason="result of trial 0", seconds=0.0)
    cached = replace(cached, reason="result of trial 3 of runs/other", seconds=0.0)
    path = tmp_path / "t.csv"
    assert write_table([whole, pruned, paused, cached, again], path) == 2
    wanted = {canonical_pair(one.architecture) for one in (whole, cached)}
    assert read_table(path).keys() == wanted


def test_an_architecture_stands_there_once(tmp_path):
    trial = trials()[0]
    with pytest.raises(DataError, match="already"):
        write_table([trial, trial], tmp_path / "t.csv")


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "no rows"),
        ("a,b\n1,2\n", ":2: not a row"),
        (None, "cannot read"),
    ],
)
def test_damaged_tables_are_refused(tmp_path, content, message):
    path = tmp_path / "t.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_table(path)


def test_a_bad_row_is_named_by_its_line(tmp_path):
    path = tmp_path / "t.csv"
    write_table(trials(), path)
    lines = path.read_text().splitlines()
    lines[4] = lines[4].replace("conv_1x1", "conv_9x9")
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"t\.csv:5: .*conv_9x9"):
        read_table(path)
