"""SIGKILL at twenty random moments; ``tests/jobs/search/test_run.py`` kills whole runs.

After each kill the driver itself checks that the store is whole and what was finished is there.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from loop_for_tests import SEED, Staged, draw_of, found

from autodl.runs.store import TrialStore
from autodl.spaces.cell.canonical import canonical_pair
from autodl.trial import Stage, TrialState

HERE = Path(__file__).resolve().parent
KILLS, COUNT, EPOCHS = 20, 60, 9


def run(kind, folder, kills, seed=5):
    """The trials of a search that was killed so often; the checks of the driver passed."""
    paths = [str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, HERE / "killed_searches.py", kind, folder, str(seed), str(kills)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) == kills  # each came in time
    return folder / "trials.sqlite"


def test_a_batch_strategy_comes_to_the_trials_of_the_unbroken_run(tmp_path):
    results = []
    for name, kills in (("killed", KILLS), ("whole", 0)):
        with closing(TrialStore(run("batches", tmp_path / name, kills), read_only=True)) as store:
            results.append(found(store))
    assert results[0] == results[1]
    reasons = [reason for *_, reason in results[0]]
    assert sum(reason.startswith("result of trial") for reason in reasons) > COUNT / 3
    assert any(reason.startswith("lost in") for reason in reasons)


def test_every_child_has_the_weights_of_its_own_parent(tmp_path):
    """A proposal keeps its parent over any number of kills, and the weights are still there."""
    path = run("inheriting", tmp_path / "heirs", KILLS)
    with closing(sqlite3.connect(path)) as db:
        parents = dict(db.execute("SELECT id, parent FROM trials"))
    with closing(TrialStore(path, read_only=True)) as store:
        trials = list(store.trials())
    assert [trial.id for trial in trials] == list(range(COUNT))
    depth, first = {None: -1}, {}
    for trial in trials:
        parent = parents[trial.id]
        if trial.state is TrialState.FAILED:
            assert trial.reason == "lost" or trial.reason.startswith("result of trial")
            continue
        numbers = trial.evaluation.metrics
        depth[trial.id] = numbers["ancestors"]
        if trial.reason:  # an equal trial's result, and its weights
            source = int(trial.reason.removeprefix("result of trial "))
            assert numbers == trials[source].evaluation.metrics
            first[trial.id] = first.get(source, source)
            own, same = trial.architecture, trials[source].architecture
            assert canonical_pair(own) == canonical_pair(same)  # nodes may have other numbers
            continue
        giver = first.get(parent, parent)
        assert numbers["parent"] == (-1.0 if parent is None else draw_of(giver))
        assert numbers["ancestors"] == depth[parent] + 1
    assert sum(parent is not None for parent in parents.values()) > COUNT / 2
    assert first, "results are reused, or half of this proves nothing"
    # when it is killed decides how deep it gets; from 2 on a parent had a parent
    assert max(depth.values()) >= 2


@pytest.mark.parametrize("kind", ["asynchronous", "halving"])
def test_any_other_search_loses_nothing_and_every_result_is_right(tmp_path, kind):
    """Which trials there are depends on who is ready first; what each gives does not."""
    with closing(TrialStore(run(kind, tmp_path / kind, KILLS), read_only=True)) as store:
        trials = list(store.trials())
    assert [trial.id for trial in trials] == list(range(COUNT))
    for trial in trials:
        if trial.state is TrialState.FAILED:
            assert trial.reason.startswith("lost in epoch")
            continue
        generator = np.random.default_rng((SEED, trial.id, 1))
        epochs = round(trial.fidelity * EPOCHS)
        expected = Staged(EPOCHS).stage(trial.architecture, generator, Stage(epochs))
        assert (trial.reward, trial.evaluation.curve) == (expected.reward, expected.curve)
    states = {trial.state for trial in trials}
    assert states >= {TrialState.COMPLETE} | ({TrialState.PRUNED} if kind == "halving" else set())
    if kind == "halving":
        assert list((tmp_path / kind / "checkpoints").iterdir()) == []
