"""What every executor promises; see ``autodl/search/executors.py``."""

from __future__ import annotations

import importlib
import os
import signal
from pathlib import Path

import pytest

from autodl.errors import ConfigError
from autodl.search.executors import InlineExecutor, ProcessExecutor
from autodl.search.store import Proposal
from autodl.spaces.cell import Cell, CellPair
from autodl.trial import TrialState

HELPERS = Path(__file__).resolve().parents[1] / "search"
MODULE = "evaluators_for_tests"
SEED = 11


@pytest.fixture
def commands(monkeypatch):
    """The helper module, importable here and in workers."""
    monkeypatch.syspath_prepend(HELPERS)
    monkeypatch.setenv("PYTHONPATH", str(HELPERS))
    return importlib.import_module(MODULE)


@pytest.fixture(params=["inline", "one process", "two processes"])
def make(request, commands, tmp_path):
    """A function that makes an executor from a factory's name and its argument."""
    opened = []

    def make(factory="make", argument=None):
        argument = {"scale": 2.0} if argument is None else argument
        if request.param == "inline":
            executor = InlineExecutor(getattr(commands, factory)(argument), SEED)
        else:
            executor = processes(tmp_path, factory, argument, 1 + request.param.count("two"))
        opened.append(executor)
        return executor

    yield make
    for executor in opened:
        executor.close()


def processes(folder, factory="make", argument=None, workers=1):
    argument = {"scale": 2.0} if argument is None else argument
    return ProcessExecutor(
        f"{MODULE}:{factory}", argument, SEED, workers=workers, log_folder=folder / "logs"
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


def test_results_depend_on_the_trial_alone(make, commands):
    proposals = [proposal(i, commands.FINE) for i in (4, 0, 7, 2)]
    results = run(make(), proposals)
    alone = commands.make({"scale": 2.0})
    expected = run(InlineExecutor(alone, SEED), reversed(proposals))
    assert {i: t.reward for i, t in results.items()} == {i: t.reward for i, t in expected.items()}
    for asked in proposals:
        trial = results[asked.id]
        assert trial.architecture == asked.architecture
        assert trial.state is TrialState.COMPLETE
        assert 0 < trial.reward < 2
        assert trial.seconds >= 0


def test_running_names_the_trials_in_order(make, commands):
    executor = make()
    assert executor.running() == ()
    first = list(range(executor.workers))[::-1]
    for trial_id in first:
        executor.submit(proposal(trial_id, commands.FINE))
    assert executor.running() == tuple(sorted(first))
    done = executor.wait()
    assert executor.running() == tuple(sorted(set(first) - {done.id}))


def test_failures_are_results_and_the_next_trial_is_not_hurt(make, commands):
    wanted = {
        0: (commands.RAISE, "ValueError: no such thing", True),
        1: (commands.FINE, "", False),
        2: (commands.GIVE_UP, "the loss is nan", False),
        3: (commands.NAN, "the reward is nan", False),
        4: (commands.NO_EVALUATION, "TypeError: an evaluator returns an Evaluation, got float", 1),
        5: (commands.SYSTEM_EXIT, "SystemExit: 4", True),
        6: (commands.FINE, "", False),
    }
    results = run(make(), [proposal(i, command) for i, (command, _, _) in wanted.items()])
    for trial_id, (command, reason, traced) in wanted.items():
        trial = results[trial_id]
        assert trial.reason == reason
        assert ("Traceback" in trial.traceback) == bool(traced)
        good = command == commands.FINE
        assert trial.state is (TrialState.COMPLETE if good else TrialState.FAILED)
        assert (trial.reward is not None) == good


def test_numpy_numbers_become_plain_ones(make, commands):
    trial = run(make(), [proposal(0, commands.NUMPY_NUMBERS)])[0]
    evaluation = trial.evaluation
    assert (evaluation.reward, evaluation.metrics) == (0.5, {"parameters": 7.0})
    assert evaluation.curve == ({"epoch": 1.0, "loss": 0.5},)
    numbers = [evaluation.reward, *evaluation.metrics.values(), *evaluation.curve[0].values()]
    assert {type(number) for number in numbers} == {float}


@pytest.mark.parametrize(
    "factory, message",
    [("refuse", "no such thing as {'scale': 2.0}; choose another"), ("break_down", "out of luck")],
)
def test_an_evaluator_that_cannot_be_made_stops_the_search(
    make, commands, request, factory, message
):
    inline = "inline" in request.node.callspec.id
    expected = RuntimeError if inline and factory == "break_down" else ConfigError
    with pytest.raises(expected) as caught:
        run(make(factory), [proposal(0, commands.FINE), proposal(1, commands.FINE)])
    assert message in " ".join(str(caught.value).split())


def test_closing_gives_running_trials_up(make, commands):
    executor = make()
    executor.submit(proposal(0, commands.FINE))
    executor.close()
    assert executor.running() == ()
    executor.close()


# --- what only processes can do -----------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_dies_fails_its_trial_and_is_replaced(commands, tmp_path, workers):
    executor = processes(tmp_path, workers=workers)
    order = [commands.FINE, commands.KILLED, commands.HALF, commands.EXIT, commands.FINE]
    try:
        results = run(executor, [proposal(i, command) for i, command in enumerate(order)])
    finally:
        executor.close()
    assert results[1].reason.startswith("its worker process died (signal 9, SIGKILL)")
    assert results[2].reason.startswith("its worker process died (exit code 5)")
    assert results[3].reason.startswith("its worker process died (exit code 3)")
    for trial_id in (1, 2, 3):
        assert results[trial_id].state is TrialState.FAILED
        assert results[trial_id].architecture == proposal(trial_id, order[trial_id]).architecture
    alone = run(InlineExecutor(commands.make({"scale": 2.0}), SEED), [proposal(4, commands.FINE)])
    assert results[4].reward == alone[4].reward
    assert (tmp_path / "logs" / "worker-0.log").is_file()


def test_a_worker_that_dies_while_idle_costs_no_trial(commands, tmp_path):
    executor = processes(tmp_path)
    try:
        first = run(executor, [proposal(0, commands.FINE)])[0]
        process_id = int(first.evaluation.metrics["process"])
        os.kill(process_id, signal.SIGKILL)
        executor._workers[0].process.wait()
        second = run(executor, [proposal(1, commands.FINE)])[1]
    finally:
        executor.close()
    assert second.state is TrialState.COMPLETE
    assert second.evaluation.metrics["process"] != process_id


def test_a_worker_lives_for_many_trials_and_ends_with_the_executor(commands, tmp_path):
    executor = processes(tmp_path)
    results = run(executor, [proposal(i, commands.FINE) for i in range(3)])
    (process_id,) = {int(trial.evaluation.metrics["process"]) for trial in results.values()}
    assert process_id != os.getpid()
    executor.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)
