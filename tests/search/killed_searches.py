"""Searches without Paddle that are killed at many random moments.

``python killed_searches.py KIND FOLDER SEED KILLS`` runs one of ``KINDS`` with two workers at a
time; with no kills it is the unbroken run to compare with.
"""

from __future__ import annotations

import os
import random
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

from forking_driver import kill_and_resume
from loop_for_tests import SEED, Heirs, Staged, Tracker

from autodl.runs.store import TrialStore
from autodl.search.evaluate import evaluate_trial
from autodl.search.fidelity.halving import AsynchronousSuccessiveHalving
from autodl.search.loop import search
from autodl.search.parent_weights import ParentWeights
from autodl.search.reuse import Reuse, WorkKeys
from autodl.search.staging import Staging
from autodl.spaces.cell.space import CellSpace
from autodl.strategies.evolution import Evolution
from autodl.strategies.options import EvolutionOptions

COUNT, EPOCHS = 60, 9
SMALL = CellSpace(nodes=3, operations=("conv_1x1", "conv_3x3"), tied=True)


class Threads:
    """Two trials at a time, of a random length; they die with the process, as workers do."""

    workers = 2

    def __init__(self, evaluator, in_peace):
        self._evaluator, self._in_peace, self._futures = evaluator, in_peace, {}
        self._pool = ThreadPoolExecutor(self.workers)

    def submit(self, proposal, stage=None):
        assert proposal.id not in self._futures
        self._futures[proposal.id] = self._pool.submit(self._run, proposal, stage)

    def _run(self, proposal, stage):
        if proposal.id >= COUNT - 3 and not self._in_peace:
            time.sleep(600)  # so that the kill, however late it is, finds it running
        time.sleep(random.random() * 0.01)
        return evaluate_trial(self._evaluator, proposal.id, proposal.architecture, SEED, stage)

    def running(self):
        return tuple(sorted(self._futures))

    def wait(self, timeout=None):
        done = wait(self._futures.values(), timeout, FIRST_COMPLETED).done
        if not done:
            return None
        trial = min(done, key=lambda future: future.result().id).result()
        del self._futures[trial.id]
        return trial


class Repeating(Tracker):
    """Of a space so small that many proposals are the same, in batches."""

    def ask(self, rng):
        heard = len(self.told) - len(self.told) % self.batch_size
        shift = sum(trial_id * (reward or 0.5) for trial_id, reward in self.told[:heard])
        tokens = (rng.integers(2, size=3) + int(1000 * shift)) % 2
        return SMALL.decode([*tokens, *rng.integers(2, size=3)])


def batches(folder, store):
    """A strategy that learns from batches, and trials that are reused."""
    reuse = Reuse(store, WorkKeys({}, SMALL.canonical))
    return Repeating(7), {"reuse": reuse, "max_trials": COUNT}


def asynchronous(folder, store):
    """A strategy that is told in the order of finishing, and learns from each."""
    return Tracker(None), {"max_trials": COUNT}


def halving(folder, store):
    """Trials in stages that go on from their checkpoints."""
    rule = AsynchronousSuccessiveHalving(epochs=EPOCHS, max_trials=COUNT)
    staging = Staging(rule, store, folder / "checkpoints", lambda evaluation: (evaluation.reward,))
    return Tracker(None), {"staging": staging, "max_trials": COUNT}


class Noting(Evolution):
    """Evolution that notes what it was told."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.told = []

    def tell(self, trial):
        super().tell(trial)
        self.told.append((trial.id, trial.reward))

    def state(self):
        return {**super().state(), "told": [list(pair) for pair in self.told]}

    def restore(self, state):
        super().restore(state)
        self.told = [tuple(pair) for pair in state["told"]]


def inheriting(folder, store):
    """Evolution in a space so small that results are reused, with weights that children inherit."""
    strategy = Noting(SMALL, EvolutionOptions(population=6, tournament=3), seed=SEED)
    weights = ParentWeights(strategy, store, folder / "weights", epochs=1)
    reuse = Reuse(store, WorkKeys({}, SMALL.canonical), weights=weights)
    return strategy, {"weights": weights, "reuse": reuse, "max_trials": COUNT}


KINDS = {
    "batches": batches,
    "asynchronous": asynchronous,
    "halving": halving,
    "inheriting": inheriting,
}


def run(kind, folder, in_peace):
    with closing(TrialStore(folder / "trials.sqlite")) as store:
        strategy, options = KINDS[kind](folder, store)
        evaluator = Heirs() if kind == "inheriting" else Staged(EPOCHS)
        executor = Threads(evaluator, in_peace)
        told = [t.id for t in search(strategy, executor, store, seed=SEED, **options)]
        assert len(told) == len(set(told))
        ids = [trial_id for trial_id, _ in strategy.told]
        assert sorted(ids) == list(range(COUNT)), "each is told once"
        by_id = strategy.batch_size is not None
        assert ids == [trial.id for trial in store.finished(by_id=by_id)]
        if kind == "inheriting":
            kept = {int(path.stem[6:]) for path in (folder / "weights").iterdir()}
            assert kept == strategy.parents
    assert "paddle" not in sys.modules


def main(kind, folder, seed, kills):
    folder.mkdir()
    draw = random.Random(seed)
    os.fsync = lambda handle: None  # the machine keeps its power; a kill is no loss of power
    targets = sorted(draw.randrange(COUNT - 4) for _ in range(kills))
    done = kill_and_resume(
        lambda in_peace: run(kind, folder, in_peace),
        *((folder / "trials.sqlite").resolve(), draw, targets, 0.03),
    )
    print(f"{done} kills")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
