"""Progress: plain lines in a pipe, a live display on a terminal."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from autodl.search.observers.observer import RunInfo
from autodl.search.observers.progress import LineProgress, LiveProgress, Tally, console_progress
from autodl.spaces.cell.architecture import CellPair
from autodl.trial import Evaluation, Trial, TrialState

PAIR = CellPair.from_tokens([0, 1], [])
STAMP = "[2026-11-22 10:00:00] autodl INFO: "
RUN = RunInfo(folder=Path("runs/demo"), config={}, max_trials=24, workers=2)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def complete(trial_id, reward, seconds=10.0):
    return Trial(trial_id, PAIR, TrialState.COMPLETE, Evaluation(reward), seconds=seconds)


def failed(trial_id, reason, seconds=0.0):
    return Trial(trial_id, PAIR, TrialState.FAILED, reason=reason, seconds=seconds)


def watch(display):
    display.started(RUN)
    display.running((0, 1))
    best = complete(0, 0.43)
    display.finished(best, best, 1)
    display.running((1, 2))
    display.finished(failed(1, "loss is NaN\nin [bold]epoch 2[/bold]\x1b[31m", 2.0), best, 2)
    display.learned({"update": 1, "mean_reward": 0.43, "entropy": 2.302585})
    display.ended(best, 2, 12.34)


def test_lines():
    stream = io.StringIO()
    watch(LineProgress(stream, now=lambda: datetime(2026, 11, 22, 10)))
    assert stream.getvalue().splitlines() == [
        f"{STAMP}[Search][Start] trials: 24, workers: 2, folder: runs/demo",
        f"{STAMP}[Search][Trial 1/24] id: 0, reward: 0.4300, best: 0.4300 (trial 0), "
        "seconds: 10.0, eta: 0:01:55",
        f"{STAMP}[Search][Trial 2/24] id: 1, failed: loss is NaN in [bold]epoch 2[/bold] [31m, "
        "best: 0.4300 (trial 0), seconds: 2.0, eta: 0:01:06",
        f"{STAMP}[Search][Update 1] mean_reward: 0.43, entropy: 2.303",
        f"{STAMP}[Search][End] trials: 2/24, best: 0.4300 (trial 0), failed: 1, seconds: 12.3",
    ]


def pruned(trial_id):
    evaluation = Evaluation(0.31, fidelity=1 / 3)
    return Trial(trial_id, PAIR, TrialState.PRUNED, evaluation, seconds=3.0)


def reused(trial_id):
    reason = "result of trial 0"
    return Trial(trial_id, PAIR, TrialState.COMPLETE, Evaluation(0.43), reason)


def watch_fidelity(display):
    display.started(RunInfo(Path("r"), {"Train": {"epochs": 9}}, 24, 2))
    best = complete(0, 0.43)
    display.finished(best, best, 1)
    display.finished(pruned(1), best, 2)
    display.finished(reused(2), best, 3)
    display.finished(pruned(3), best, 4)


def test_lines_of_pruned_and_reused_trials():
    stream = io.StringIO()
    display = LineProgress(stream)
    watch_fidelity(display)
    display.ended(complete(0, 0.43), 4, 12.34)
    lines = [line.partition("INFO: ")[2] for line in stream.getvalue().splitlines()]
    assert "id: 1, pruned at 3 of 9 epochs, reward 0.3100, best: 0.4300 (trial 0)" in lines[2]
    assert "id: 2, reward: 0.4300 (result of trial 0), best: 0.4300 (trial 0)" in lines[3]
    assert lines[-1] == (
        "[Search][End] trials: 4/24, best: 0.4300 (trial 0), failed: 0, pruned: 2, reused: 1, "
        "seconds: 12.3"
    )


def test_a_line_for_a_stage():
    stream = io.StringIO()
    display = LineProgress(stream)
    display.started(RunInfo(Path("runs/demo"), {"Train": {"epochs": 9}}, 24, workers=2))
    stage = Evaluation(0.25, fidelity=1 / 3, checkpoint=b"kept elsewhere")
    display.reached(Trial(4, PAIR, TrialState.COMPLETE, stage, seconds=3.21))
    line = stream.getvalue().splitlines()[-1].partition("INFO: ")[2]
    assert line == "[Search][Stage] id: 4, 3 of 9 epochs, reward: 0.2500, seconds: 3.2"


def test_live_display_counts_pruned_and_reused_trials(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    display = LiveProgress(stream)
    watch_fidelity(display)
    display._live.refresh()
    assert "best 0.4300 (trial 0)   pruned 2   reused 1" in visible(stream)
    display.ended(complete(0, 0.43), 4, 15.0)
    last = visible(stream).strip().splitlines()[-1].strip()
    assert last.endswith("best reward 0.4300 (trial 0), 2 pruned, 1 reused")


def test_lines_of_a_resumed_run():
    stream = io.StringIO()
    display = LineProgress(stream)
    best = complete(3, 0.5)
    display.started(RunInfo(Path("r"), {}, 24, 2, finished=20, best=best))
    display.finished(failed(20, "killed"), None, 21)
    display.ended(best, 21, 1.0)
    lines = stream.getvalue().splitlines()
    assert "finished before: 20" in lines[0]
    assert "best: none" in lines[1]
    assert "trials: 21/24 (20 of them before), best: 0.5000 (trial 3), failed: 1" in lines[2]
    terminal = Terminal()
    display = LiveProgress(terminal)
    display.started(RunInfo(Path("r"), {}, 24, 2, finished=20, best=best))
    display.ended(best, 20, 1.0)
    assert "20 of 24 trials (20 of them before) in 0:00:01" in visible(terminal)


@pytest.mark.parametrize("workers, expected", [(1, 44.0), (2, 22.0), (0, 44.0)])
def test_time_left_is_the_mean_over_the_workers(workers, expected):
    tally = Tally.of(RunInfo(Path(), {}, 24, workers, finished=10))
    assert tally.seconds_left is None
    tally.add(complete(10, 0.5, seconds=6.0), None, 11)
    tally.add(failed(11, "", seconds=1.0), None, 12)
    tally.add(complete(12, 0.5, seconds=5.0), None, 13)
    assert tally.seconds_left == expected  # 11 trials of 4 s
    tally._begun -= 3000.0
    assert tally.seconds_left == pytest.approx(11 * 1000.0, rel=1e-3)  # 3,000 s for 3 trials
    tally.add(complete(99, 0.5), None, 30)
    assert tally.seconds_left == 0.0


def test_a_reader_that_went_away_stops_nothing():
    class Broken(io.StringIO):
        writes = 0

        def write(self, text):
            self.writes += 1
            raise BrokenPipeError

    stream = Broken()
    watch(LineProgress(stream))
    assert stream.writes == 1
    closed = io.StringIO()
    closed.close()
    watch(LineProgress(closed))


def test_choice_of_the_display(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    assert isinstance(console_progress(Terminal()), LiveProgress)
    assert isinstance(console_progress(io.StringIO()), LineProgress)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(console_progress(Terminal()), LineProgress)


def test_a_pipe_gets_no_escapes_and_costs_no_import_of_rich():
    program = (
        "import sys; from pathlib import Path\n"
        "from autodl.search.observers.observer import RunInfo\n"
        "from autodl.search.observers.progress import console_progress\n"
        "display = console_progress(sys.stdout)\n"
        "display.started(RunInfo(Path('r'), {}, 1, 1)); display.ended(None, 0, 0.0)\n"
        "assert not {'rich', 'paddle', 'matplotlib'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.count(b"\n") == 2
    assert b"\x1b" not in done.stdout


def visible(stream):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())


def test_live_display(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    stream, now = Terminal(), [0.0]
    display = LiveProgress(stream, clock=lambda: now[0])
    display.started(RUN)
    display.running((0, 1))
    best = complete(0, 0.43)
    now[0] = 10.0
    display.finished(best, best, 1)
    display.running((1, 2))
    display.finished(failed(2, "loss is NaN [bold]"), best, 2)
    display.learned({"update": 1, "entropy": 2.302585})
    now[0] = 15.0
    display._live.refresh()
    text = visible(stream)
    assert "2/24 trials" in text
    assert "0:00:15 elapsed" in text
    assert "0:00:50 left" in text  # 22 trials of 5 s on two workers, 5 s of which are over
    assert "best 0.4300 (trial 0)   running 1   failed 1" in text
    assert "update 1   entropy: 2.303" in text
    assert "trial 2 failed: loss is NaN [bold]" in text
    display.ended(best, 2, 15.0)
    last = visible(stream).strip().splitlines()[-1].strip()
    assert last == "2 of 24 trials in 0:00:15, best reward 0.4300 (trial 0), 1 failed"
    assert stream.getvalue().count("\x1b[?25h") == 1  # the cursor is back


def test_live_display_survives_a_terminal_that_went_away():
    class Gone(Terminal):
        attempts = 0

        def write(self, text):
            self.attempts += 1
            raise OSError(5, "Input/output error")

    stream = Gone()
    watch(LiveProgress(stream))
    assert stream.attempts  # it was tried, and the search went on


def test_ended_without_a_start():
    terminal, pipe = Terminal(), io.StringIO()
    for display in (LiveProgress(terminal), LineProgress(pipe)):
        display.ended(None, 0, 0.0)
    assert "[Search][End] trials: 0/0" in pipe.getvalue()


@pytest.mark.parametrize("display", [LineProgress, LiveProgress])
def test_an_update_tells_the_error_of_a_run_that_predicts_numbers(display):
    config = {"Evaluator": {"name": "TrainEvaluator"}, "Data": {"name": "NextValue"}}
    stream = Terminal() if display is LiveProgress else io.StringIO()
    shown = display(stream)
    shown.started(RunInfo(folder=Path("runs/next"), config=config, max_trials=24, workers=2))
    shown.learned({"update": 1, "mean_accuracy": -1.344})
    shown.ended(None, 0, 1.0)
    assert "mean_mae: 1.344" in stream.getvalue()
    assert "accuracy" not in stream.getvalue()
