"""What every executor promises; see ``autodl/search/executors/processes.py``."""

from __future__ import annotations

import importlib
import os
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest

from autodl.errors import ConfigError
from autodl.runs.store import Proposal, TrialStore
from autodl.search.executors import processes as executors
from autodl.search.executors import worker_process
from autodl.search.executors.inline import InlineExecutor
from autodl.search.executors.processes import ProcessExecutor
from autodl.search.executors.ray_executor import RayExecutor
from autodl.search.loop import search
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.cell.space import CellSpace
from autodl.strategies.random_search import RandomSearch
from autodl.trial import Stage, TrialState

HELPERS = Path(__file__).resolve().parents[1] / "search"
MODULE = "evaluators_for_tests"
SEED = 11


@pytest.fixture
def commands(monkeypatch):
    """The helper module, importable here and in workers."""
    monkeypatch.syspath_prepend(HELPERS)
    monkeypatch.setenv("PYTHONPATH", str(HELPERS))
    return importlib.import_module(MODULE)


@pytest.fixture(params=["inline", "one process", "two processes", "ray"])
def make(request, commands, tmp_path):
    """A function that makes an executor from a factory's name and its argument."""
    opened = []

    def make(factory="make", argument=None):
        argument = {"scale": 2.0} if argument is None else argument
        if request.param == "inline":
            executor = InlineExecutor(getattr(commands, factory)(argument), SEED)
        elif request.param == "ray":
            request.getfixturevalue("ray_here")
            name, logs = f"{MODULE}:{factory}", tmp_path / "logs"
            executor = RayExecutor(name, argument, SEED, workers=2, log_folder=logs)
        else:
            executor = processes(tmp_path, factory, argument, 1 + request.param.count("two"))
        opened.append(executor)
        return executor

    yield make
    for executor in opened:
        executor.close()


def processes(folder, factory="make", argument=None, workers=1, **limits):
    argument = {"scale": 2.0} if argument is None else argument
    logs = folder / "logs"
    return ProcessExecutor(
        f"{MODULE}:{factory}", argument, SEED, workers=workers, log_folder=logs, **limits
    )


@pytest.fixture
def open_processes(commands, tmp_path):
    """A function like ``processes`` whose executors are closed in the end."""
    opened = []

    def open_processes(*arguments, **options):
        opened.append(processes(tmp_path, *arguments, **options))
        return opened[-1]

    yield open_processes
    for executor in opened:
        executor.close()


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


def test_a_trial_that_had_not_begun_is_cut_without_a_result(make, commands):
    executor = make()
    executor.submit(proposal(0, commands.FINE))
    assert executor.cut("no time") == []
    assert executor.running() == ()
    assert run(executor, [proposal(0, commands.FINE)])[0].state is TrialState.COMPLETE


def test_a_stage_goes_on_from_its_checkpoint(make, commands):
    executor, asked = make("make_staged"), proposal(5, commands.FINE)
    executor.submit(asked, Stage(1))
    first = wait_for(executor)
    assert (first.evaluation.checkpoint, first.fidelity) == (b"\x01", 0.25)
    executor.submit(asked, Stage(3, first.evaluation.checkpoint))
    second = wait_for(executor)
    assert (second.evaluation.checkpoint, second.fidelity) == (b"\x01\x03", 0.75)
    assert second.reward == first.reward  # each stage has the generator as the trial had it
    assert run(executor, [asked])[5].evaluation.checkpoint == b"\x04"
    executor.submit(asked, Stage(4, parent=b"parent"))
    assert wait_for(executor).evaluation.checkpoint == b"parent\x04"


def wait_for(executor):
    while (trial := executor.wait()) is None:
        pass
    return trial


def test_the_architecture_may_be_of_a_kind_that_only_the_evaluator_knows(make):
    class Mine:
        def to_json(self):
            return {"kind": "own", "version": 1}

    asked = Proposal(0, Mine(), 0)
    trial = run(make("make_knowing_a_kind"), [asked])[0]
    assert (trial.state, trial.reward) == (TrialState.COMPLETE, 1.0)
    assert trial.architecture is asked.architecture


def test_waiting_with_a_time_limit_ends_with_the_same_results(make, commands):
    executor = make()
    executor.submit(proposal(3, commands.FINE))
    trial = None
    while trial is None:
        trial = executor.wait(0.01)
    assert trial.reward == run(executor, [proposal(3, commands.FINE)])[3].reward


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
    assert "logs/worker-" in results[1].reason
    assert (tmp_path / "logs" / "worker-0.log").is_file()


def test_a_worker_that_dies_while_idle_costs_no_trial(commands, tmp_path):
    executor = processes(tmp_path)
    try:
        first = run(executor, [proposal(0, commands.FINE)])[0]
        process_id = int(first.evaluation.metrics["process"])
        os.kill(process_id, signal.SIGKILL)
        executor._workers[0].process.process.wait()
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


def test_a_dead_worker_is_replaced_only_when_it_is_needed(open_processes, commands):
    executor = open_processes()
    run(executor, [proposal(0, commands.EXIT)])
    assert executor._workers == {}
    assert run(executor, [proposal(1, commands.FINE)])[1].state is TrialState.COMPLETE


def test_a_worker_that_closes_its_pipe_and_lives_on_is_killed(
    open_processes, commands, monkeypatch
):
    monkeypatch.setattr(worker_process, "_PATIENCE_SECONDS", 0.2)
    trial = run(open_processes(), [proposal(0, commands.CLOSE)])[0]
    assert trial.reason.startswith("its worker process died (its pipe was closed but it went on")


@pytest.mark.parametrize(
    "factory, ending", [("exit_at_once", "exit code 7"), ("crash_at_once", "signal 11, SIGSEGV")]
)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_dies_while_starting_ends_the_search_and_costs_no_trial(
    open_processes, tmp_path, factory, ending, workers
):
    executor, strategy = open_processes(factory, workers=workers), RandomSearch(CellSpace(nodes=3))
    with closing(TrialStore(tmp_path / "trials.sqlite")) as store:
        with pytest.raises(ConfigError) as caught:
            list(search(strategy, executor, store, max_trials=9, seed=SEED))
        assert [trial.state for trial in store.trials()] == [TrialState.PROPOSED] * workers
    message = str(caught.value)
    assert f"died while it was starting ({ending})" in message
    logs = [tmp_path / "logs" / f"worker-{number}.log" for number in range(workers)]
    (log,) = [log for log in logs if str(log) in message]
    assert "\n" not in message
    if factory == "exit_at_once":
        assert log.read_text() == "last words\n"


def test_files_in_the_working_folder_do_not_replace_modules_but_plugins_are_found(
    open_processes, commands, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "random.py").write_text("raise RuntimeError('this is not the one')")
    (tmp_path / "plugin_in_the_working_folder.py").write_text("SCALE = 2.0")
    results = run(open_processes("make_with_plugin"), [proposal(2, commands.FINE)])
    alone = run(InlineExecutor(commands.make({"scale": 2.0}), SEED), [proposal(2, commands.FINE)])
    assert results[2].reward == alone[2].reward


# --- limits ---------------------------------------------------------------------------------------


def test_a_trial_over_its_time_fails_and_others_are_not_hurt(open_processes, commands):
    executor = open_processes(trial_seconds=0.5)
    order = [commands.FINE, commands.HANG, commands.FINE]
    results = run(executor, [proposal(i, command) for i, command in enumerate(order)])
    assert [results[i].state.value for i in range(3)] == ["COMPLETE", "FAILED", "COMPLETE"]
    assert results[1].reason == "it took longer than Search.trial_seconds=0.5"
    assert 0.5 <= results[1].seconds < 5  # at once but for a busy machine; a hang takes 60
    process_ids = {results[i].evaluation.metrics["process"] for i in (0, 2)}
    assert len(process_ids) == 2


def test_a_hanging_trial_is_noticed_while_others_report_all_the_time(open_processes, commands):
    executor, trial_id = open_processes(workers=2, trial_seconds=1.0), 1
    executor.submit(proposal(0, commands.HANG))
    while 0 in executor.running():
        assert trial_id < 100_000
        if len(executor.running()) < 2:
            executor.submit(proposal(trial_id, commands.FINE))
            trial_id += 1
        executor.wait()
    assert trial_id > 10


def test_starting_does_not_count_as_a_trial_s_time(open_processes, commands):
    # an interpreter with NumPy needs more than 50 ms to start, this trial less than 1 ms
    executor = open_processes(trial_seconds=0.05)
    begun = time.monotonic()
    trial = run(executor, [proposal(0, commands.FINE)])[0]
    assert trial.state is TrialState.COMPLETE
    assert time.monotonic() - begun > 0.05


def test_a_trial_over_its_memory_fails(open_processes, commands):
    executor = open_processes(trial_memory_mb=150)
    order = [commands.HOG, commands.FINE, commands.HOG]
    results = run(executor, [proposal(i, command) for i, command in enumerate(order)])
    assert [results[i].state.value for i in range(3)] == ["FAILED", "COMPLETE", "FAILED"]
    for trial_id in (0, 2):  # alone, and after another trial in the same worker
        reason = results[trial_id].reason
        assert reason.startswith("it used ")
        assert reason.endswith(" MB of memory, more than Search.trial_memory_mb=150")
        assert 150 < float(reason.split()[2]) < 400


def test_memory_that_earlier_trials_kept_does_not_count(open_processes, commands, monkeypatch):
    monkeypatch.setattr(executors, "_MEASURE_EVERY_SECONDS", 0.05)
    executor = open_processes(trial_memory_mb=180)  # one hoard and the interpreter, not two
    results = run(executor, [proposal(i, commands.HOARD) for i in range(2)])
    assert [trial.state for trial in results.values()] == [TrialState.COMPLETE] * 2
    assert len({trial.evaluation.metrics["process"] for trial in results.values()}) == 2


def test_limits_that_cannot_be_kept_are_refused(open_processes, commands, monkeypatch):
    for wrong in ({"trial_seconds": 0}, {"trial_seconds": -1.0}, {"trial_memory_mb": 0}):
        ((name, value),) = wrong.items()
        with pytest.raises(ConfigError, match=rf"Search\.{name} must be .*, got {value}"):
            open_processes(**wrong)
    with pytest.raises(ConfigError, match=r"Search\.workers must be at least 1, got 0"):
        open_processes(workers=0)
    with pytest.raises(
        ConfigError, match=r"trial_memory_mb=3 is too little: a worker takes \d+ MB before"
    ):
        run(open_processes(trial_memory_mb=3), [proposal(0, commands.FINE)])
    monkeypatch.setattr(executors, "can_measure_memory", lambda: False)
    with pytest.raises(ConfigError, match="trial_memory_mb=150 needs /proc, which this system"):
        open_processes(trial_memory_mb=150)


def test_waiting_ends_after_its_time(open_processes, commands):
    executor = open_processes()
    executor.submit(proposal(0, commands.HANG))
    begun = time.monotonic()
    assert executor.wait(0.3) is None
    assert 0.3 <= time.monotonic() - begun < 5
    assert executor.running() == (0,)


def test_a_cut_fails_what_has_begun_and_keeps_what_is_done(open_processes, commands):
    executor = open_processes(workers=3)
    run(executor, [proposal(0, commands.FINE)])
    executor.submit(proposal(1, commands.HANG))  # to the worker that is ready: it begins
    executor.submit(proposal(2, commands.FINE))
    assert executor.wait().id == 2
    executor.submit(proposal(3, commands.FINE))
    done = next(w for w in executor._workers.values() if w.proposal.id == 3)
    assert done.process.connection.poll(20)
    executor.submit(proposal(4, commands.FINE))  # its worker has to be started
    assert executor.running() == (1, 3, 4)
    trials = {trial.id: trial for trial in executor.cut("cut by the time budget")}
    assert executor.running() == ()
    assert set(trials) == {1, 3}
    assert trials[3].state is TrialState.COMPLETE
    assert (trials[1].state, trials[1].reason) == (TrialState.FAILED, "cut by the time budget")
    assert trials[1].architecture == proposal(1, commands.HANG).architecture
    assert trials[1].seconds > 0
    assert run(executor, [proposal(4, commands.FINE)])[4].state is TrialState.COMPLETE
