"""Worker processes: deaths, limits, cuts; ``tests/contracts/test_executors.py`` has the rest."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing

import evaluators_for_tests as commands
import pytest
from executors_for_tests import HERE, SCALE, SEED, processes, proposal, run

from autodl.errors import ConfigError
from autodl.runs.store import TrialStore
from autodl.search.executors import processes as executors
from autodl.search.executors import worker_process
from autodl.search.executors.inline import InlineExecutor
from autodl.search.loop import search
from autodl.spaces.cell.space import CellSpace
from autodl.strategies.random_search import RandomSearch
from autodl.trial import TrialState


@pytest.fixture
def open_processes(monkeypatch, tmp_path):
    """A function like ``processes`` whose executors are closed in the end."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    opened = []

    def open_processes(*arguments, **options):
        opened.append(processes(tmp_path, *arguments, **options))
        return opened[-1]

    yield open_processes
    for executor in opened:
        executor.close()


def test_a_worker_that_dies_fails_its_trial_and_is_replaced(open_processes, tmp_path):
    order = [commands.FINE, commands.KILLED, commands.HALF, commands.EXIT, commands.FINE]
    proposals = [proposal(i, command) for i, command in enumerate(order)]
    results = run(open_processes(workers=2), proposals)
    assert results[1].reason.startswith("its worker process died (signal 9, SIGKILL)")
    assert results[2].reason.startswith("its worker process died (exit code 5)")
    assert results[3].reason.startswith("its worker process died (exit code 3)")
    for trial_id in (1, 2, 3):
        assert results[trial_id].state is TrialState.FAILED
        assert results[trial_id].architecture == proposals[trial_id].architecture
    alone = run(InlineExecutor(commands.make(SCALE), SEED), [proposals[4]])
    assert results[4].reward == alone[4].reward
    assert "logs/worker-" in results[1].reason
    assert (tmp_path / "logs" / "worker-0.log").is_file()


def test_a_worker_that_dies_while_idle_costs_no_trial(open_processes):
    executor = open_processes()
    first = run(executor, [proposal(0, commands.FINE)])[0]
    process_id = int(first.evaluation.metrics["process"])
    os.kill(process_id, signal.SIGKILL)
    executor._workers[0].process.process.wait()
    second = run(executor, [proposal(1, commands.FINE)])[1]
    assert second.state is TrialState.COMPLETE
    assert second.evaluation.metrics["process"] != process_id


def test_a_worker_lives_for_many_trials_and_ends_with_the_executor(open_processes):
    executor = open_processes()
    results = run(executor, [proposal(i, commands.FINE) for i in range(3)])
    (process_id,) = {int(trial.evaluation.metrics["process"]) for trial in results.values()}
    assert process_id != os.getpid()
    executor.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


def test_a_dead_worker_is_replaced_only_when_it_is_needed(open_processes):
    executor = open_processes()
    run(executor, [proposal(0, commands.EXIT)])
    assert executor._workers == {}
    assert run(executor, [proposal(1, commands.FINE)])[1].state is TrialState.COMPLETE


def test_a_worker_that_closes_its_pipe_and_lives_on_is_killed(open_processes, monkeypatch):
    monkeypatch.setattr(worker_process, "_PATIENCE_SECONDS", 0.2)
    trial = run(open_processes(), [proposal(0, commands.CLOSE)])[0]
    assert trial.reason.startswith("its worker process died (its pipe was closed but it went on")


@pytest.mark.parametrize(
    "factory, ending, workers",
    [("exit_at_once", "exit code 7", 2), ("crash_at_once", "signal 11, SIGSEGV", 1)],
)
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
    open_processes, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "random.py").write_text("raise RuntimeError('this is not the one')")
    (tmp_path / "plugin_in_the_working_folder.py").write_text("SCALE = 2.0")
    results = run(open_processes("make_with_plugin"), [proposal(2, commands.FINE)])
    alone = run(InlineExecutor(commands.make(SCALE), SEED), [proposal(2, commands.FINE)])
    assert results[2].reward == alone[2].reward


# --- limits ---------------------------------------------------------------------------------------


def test_a_trial_over_its_time_fails_and_others_are_not_hurt(open_processes):
    executor = open_processes(trial_seconds=0.5)
    order = [commands.FINE, commands.HANG, commands.FINE]
    results = run(executor, [proposal(i, command) for i, command in enumerate(order)])
    assert [results[i].state.value for i in range(3)] == ["COMPLETE", "FAILED", "COMPLETE"]
    assert results[1].reason == "it took longer than Search.trial_seconds=0.5"
    assert 0.5 <= results[1].seconds < 5  # at once but for a busy machine; a hang takes 60
    process_ids = {results[i].evaluation.metrics["process"] for i in (0, 2)}
    assert len(process_ids) == 2


def test_a_hanging_trial_is_noticed_while_others_report_all_the_time(open_processes):
    executor, trial_id = open_processes(workers=2, trial_seconds=1.0), 1
    executor.submit(proposal(0, commands.HANG))
    while 0 in executor.running():
        assert trial_id < 100_000
        if len(executor.running()) < 2:
            executor.submit(proposal(trial_id, commands.FINE))
            trial_id += 1
        executor.wait()
    assert trial_id > 10


def test_starting_does_not_count_as_a_trial_s_time(open_processes):
    # this trial takes less than 1 ms, on a busy machine perhaps 100
    executor = open_processes("make_slowly", trial_seconds=0.4)
    begun = time.monotonic()
    trial = run(executor, [proposal(0, commands.FINE)])[0]
    assert trial.state is TrialState.COMPLETE
    assert time.monotonic() - begun > 0.4


def test_a_trial_over_its_memory_fails(open_processes):
    executor = open_processes(trial_memory_mb=150)
    order = [commands.HOG, commands.FINE, commands.HOG]
    results = run(executor, [proposal(i, command) for i, command in enumerate(order)])
    assert [results[i].state.value for i in range(3)] == ["FAILED", "COMPLETE", "FAILED"]
    for trial_id in (0, 2):  # alone, and after another trial in the same worker
        reason = results[trial_id].reason
        assert reason.startswith("it used ")
        assert reason.endswith(" MB of memory, more than Search.trial_memory_mb=150")
        assert 150 < float(reason.split()[2]) < 400


def test_memory_that_earlier_trials_kept_does_not_count(open_processes, monkeypatch):
    monkeypatch.setattr(executors, "_MEASURE_EVERY_SECONDS", 0.05)
    executor = open_processes(trial_memory_mb=180)  # one hoard and the interpreter, not two
    results = run(executor, [proposal(i, commands.HOARD) for i in range(2)])
    assert [trial.state for trial in results.values()] == [TrialState.COMPLETE] * 2
    assert len({trial.evaluation.metrics["process"] for trial in results.values()}) == 2


def test_limits_that_cannot_be_kept_are_refused(open_processes, monkeypatch):
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


def test_waiting_ends_after_its_time(open_processes):
    executor = open_processes()
    executor.submit(proposal(0, commands.HANG))
    begun = time.monotonic()
    assert executor.wait(0.3) is None
    assert 0.3 <= time.monotonic() - begun < 5
    assert executor.running() == (0,)


def test_a_cut_fails_what_has_begun_and_keeps_what_is_done(open_processes):
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
