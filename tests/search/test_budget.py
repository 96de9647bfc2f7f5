"""Budgets: hours, a target, and Ctrl-C once and twice."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autodl.errors import ConfigError
from autodl.jobs.search.parts import load_search, make_executor
from autodl.jobs.search.run import run_search
from autodl.reports.run import read_run
from autodl.search.budget import Budget
from autodl.search.loop import Stop
from autodl.search.spent import Spent
from autodl.trial import Evaluation, Trial, TrialState

HERE = Path(__file__).parent
TOOL = HERE.parents[1] / "tools" / "search.py"

pytestmark = pytest.mark.usefixtures("own_tables")


def finished(reward, state=TrialState.COMPLETE):
    if reward is None:
        return Trial(0, None, TrialState.FAILED)
    return Trial(0, None, state, Evaluation(reward))


def test_without_limits_it_never_stops():
    assert Budget()(finished(1e9)) is None


def test_hours_cut_what_runs():
    now = [100.0]
    budget = Budget(max_hours=0.5, clock=lambda: now[0])
    now[0] += 1799
    assert budget(None) is None
    now[0] += 1
    assert budget(None) == Stop("the time budget of 0.5 hours is used up", cut=True)
    assert budget.reason.startswith("the time budget")


def test_core_hours_let_what_runs_finish():
    earlier = Trial(0, None, TrialState.FAILED, reason="too slow", seconds=1799.0)
    budget = Budget(max_core_hours=0.5, spent=Spent([earlier]))
    assert budget(None) is None
    assert budget(replace(finished(0.4), id=1, seconds=1.0)) == Stop(
        "the budget of 0.5 core-hours is used up", cut=False
    )


def test_a_target_lets_what_runs_finish():
    budget = Budget(target_reward=0.5)
    assert budget(finished(0.4)) is None
    assert budget(finished(None)) is None
    assert budget(finished(0.9, TrialState.PRUNED)) is None  # it is no best one either
    assert budget(finished(0.5)) == Stop("the target reward 0.5 is reached", cut=False)
    assert Budget(target_reward=0.5, best=0.6)(None) is not None, "reached by an earlier start"


def test_first_interrupt_asks_and_the_second_insists(capsys):
    budget = Budget()
    before = signal.getsignal(signal.SIGINT)
    with budget.heeding_interrupts():
        signal.raise_signal(signal.SIGINT)
        assert budget(None) == Stop("interrupted", cut=False)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    assert "Ctrl-C again" in capsys.readouterr().err


def test_in_another_thread_signals_are_left_alone():
    seen = []

    def work():
        with Budget().heeding_interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    before = signal.getsignal(signal.SIGINT)
    thread.start()
    thread.join()
    assert seen == [before]


def slow_search(*overrides, seconds=0.3):
    """A search whose trials take up to so many seconds each."""
    return [
        *(
            "-c",
            "search/cell-agent-tokens.yaml",
            "-o",
            f"Global.plugins=[{HERE / 'plugin_for_tests.py'}]",
        ),
        *("Strategy={name: RandomSearch}", f"Evaluator={{name: SlowCount, seconds: {seconds}}}"),
        *("Search.max_trials=1000", "Search.executor=processes", "Search.workers=2"),
        *("Space.nodes=2", *overrides),
    ]


def own_fault(trial):
    """One trial in eight of this evaluator fails, whatever happens around it."""
    return trial["reason"].startswith("the noise was")


def test_time_budget_of_a_real_search(tmp_path):
    """Two trials run when the time is over: they fail, and a resumed search goes on after them.

    Trials of up to 6 s: short ones can both have finished by the time a busy machine looks.
    """
    folder = tmp_path / "run"
    config, _, *overrides = slow_search(seconds=6)[1:]
    done = run_search(load_search(config, [*overrides, "Search.max_hours=0.0016"]), folder)
    assert done.stopped == "the time budget of 0.0016 hours is used up"
    first = read_run(folder)
    cut = [t for t in first["trials"] if "time budget" in t["reason"]]
    assert 1 <= len(cut) <= 2
    assert all(t["state"] == "FAILED" for t in cut)
    assert first["manifest"]["ended"].startswith("the time budget")
    more = [
        "Search.executor=inline",
        "Search.workers=1",
        f"Search.max_trials={len(first['trials']) + 1}",
    ]
    run_search(load_search(config, [*overrides, *more]), folder, resume=True)
    again = read_run(folder)
    assert len(again["trials"]) == len(first["trials"]) + 1
    assert again["trials"][: len(first["trials"])] == first["trials"]


def test_target_reward_ends_a_search(tmp_path):
    config = load_search(
        "search/cell-agent-tokens.yaml",
        ["Strategy={name: RandomSearch}", "Search.executor=inline", "Search.target_reward=3"],
    )
    result = run_search(config, tmp_path / "run")
    assert result.best.reward >= 3
    assert result.finished < config.search.max_trials
    assert result.stopped == "the target reward 3 is reached"
    resumed = run_search(config, tmp_path / "run", resume=True)
    assert resumed.finished == result.finished


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_of_a_real_search(tmp_path, presses):
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, str(TOOL), *slow_search(), "--out", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in process.stdout:
        if "[Trial 3/" in line:
            break
    for _ in range(presses):
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
        time.sleep(0.1)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped: interrupted" in output
    assert "Ctrl-C again stops at once" in errors
    trials = read_run(folder)["trials"]
    done = [t for t in trials if t["state"] == "COMPLETE" or own_fault(t)]
    assert len(done) >= 3
    left = [t["state"] for t in trials if t not in done]
    assert set(left) <= ({"PROPOSED"} if presses == 2 else set()), "running ones were not finished"


def test_limits_need_processes(tmp_path):
    config = load_search(
        "search/cell-agent-tokens.yaml", ["Search.executor=inline", "Search.trial_seconds=5"]
    )
    with pytest.raises(ConfigError, match=r"set Search\.executor=processes"):
        make_executor(config, tmp_path)


def test_sigterm_ends_a_search_at_once_and_cleanly(tmp_path):
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, str(TOOL), *slow_search("Search.workers=1"), "--out", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if "[Trial 2/" in line:
            break
    process.terminate()
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "--resume goes on" in output
    assert "Error" not in errors
    assert read_run(folder)["manifest"]["ended"] == "interrupted"


def test_trials_that_fail_from_the_first_on_end_the_search():
    """Their most frequent reason is named; reasons that differ in numbers are alike."""
    budget = Budget(first_failures=4)
    reasons = ["no\nroom for 3", "other", "no room for 5", "no room for 17"]
    stops = [budget(Trial(i, None, TrialState.FAILED, reason=r)) for i, r in enumerate(reasons)]
    assert stops[:3] == [None] * 3
    assert stops[3].reason == "the first 4 trials failed, 2 of them like this: no room for 5"
    assert not stops[3].cut


@pytest.mark.parametrize("best", [None, 0.5])
@pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.PRUNED])
def test_one_result_is_enough_to_go_on(best, state):
    budget = Budget(first_failures=2, best=best)
    budget(Trial(0, None, TrialState.FAILED, reason="x"))
    budget(Trial(1, None, state, evaluation=Evaluation(0.1)))
    failed = [budget(Trial(i, None, TrialState.FAILED, reason="x")) for i in range(2, 30)]
    assert failed == [None] * 28


def test_failures_of_a_run_that_had_results_before_do_not_end_it():
    budget = Budget(first_failures=1, best=0.5)
    assert budget(Trial(0, None, TrialState.FAILED, reason="x")) is None
