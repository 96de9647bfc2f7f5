"""Executors, proposals that make the evaluator behave in some way, and their results."""

from __future__ import annotations

from pathlib import Path

from autodl.runs.store import Proposal
from autodl.search.executors.processes import ProcessExecutor
from autodl.spaces.cell.architecture import Cell, CellPair

HERE = Path(__file__).resolve().parent  # workers find the evaluators here
MODULE = "evaluators_for_tests"
SCALE = {"scale": 2.0}
SEED = 11


def processes(folder, factory="make", argument=SCALE, workers=1, **limits):
    """Worker processes with an evaluator that a function of ``evaluators_for_tests`` makes."""
    return ProcessExecutor(
        f"{MODULE}:{factory}",
        argument,
        SEED,
        workers=workers,
        log_folder=folder / "logs",
        **limits,
    )


def proposal(trial_id, command):
    """A proposal on which the evaluator does ``command``."""
    cell = Cell((command, trial_id % 9), (1,))
    return Proposal(trial_id, CellPair(cell, cell), 0)


def run(executor, proposals):
    """All results by id; as many at a time as the executor takes."""
    waiting, results = list(proposals), {}
    while waiting or executor.running():
        while waiting and len(executor.running()) < executor.workers:
            executor.submit(waiting.pop(0))
        trial = executor.wait()
        assert trial.id not in results
        results[trial.id] = trial
    return results
