"""Stages, verdicts and checkpoints, without a search; test_loop_stages.py has them in one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autodl.runs.store import Proposal, Report
from autodl.search.fidelity.halving import AsynchronousSuccessiveHalving
from autodl.search.fidelity.rule import Fate, Verdict
from autodl.search.staging import Staging
from autodl.spaces.cell.space import CellSpace
from autodl.system.state import encode_state
from autodl.trial import Evaluation, Stage, Trial, TrialState

ARCHITECTURE = CellSpace(nodes=3).sample(np.random.default_rng(0))
PAUSE, STOP, DONE = (Verdict(fate) for fate in (Fate.PAUSE, Fate.STOP, Fate.DONE))


class Scripted:
    """Gives the verdicts that stand in ``verdicts``; promotes and retires when it is told to."""

    def __init__(self, **verdicts):
        self.heard, self.to_promote, self.to_retire, self.forgotten = [], [], [], []
        self._verdicts = {tuple(map(int, key[1:].split("_"))): v for key, v in verdicts.items()}

    def first_stage(self):
        return 2

    def report(self, trial_id, epochs, values):
        self.heard.append(Report(trial_id, epochs, values))
        return self._verdicts[trial_id, epochs]

    def promote(self):
        return self.to_promote.pop(0) if self.to_promote else None

    def promoted(self, trial_id):
        return 4

    def forget(self, trial_id):
        self.forgotten.append(trial_id)

    def retired(self):
        found = [i for i in self.to_retire if i in {report.trial_id for report in self.heard}]
        self.to_retire = [i for i in self.to_retire if i not in found]
        return found


@pytest.fixture
def store(open_store):
    store = open_store()
    store.propose([Proposal(i, ARCHITECTURE, 0) for i in range(9)])
    return store


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


@pytest.fixture
def made(store, folder):
    def made(rule):
        staging = Staging(rule, store, folder, lambda evaluation: (evaluation.reward, 7.0))
        staging.recover()
        return staging

    return made


def checkpoint(text):
    return encode_state({"text": text})


def result(trial_id, reward=None, text="", seconds=1.0):
    """What an executor gives back: COMPLETE with a checkpoint, or without a reward FAILED."""
    if reward is None:
        return Trial(trial_id, ARCHITECTURE, TrialState.FAILED, reason="lost", seconds=seconds)
    evaluation = Evaluation(reward, fidelity=0.5, checkpoint=checkpoint(text) if text else b"")
    return Trial(trial_id, ARCHITECTURE, TrialState.COMPLETE, evaluation, seconds=seconds)


def ended(staging):
    return [(t.id, t.state.value) for t in iter(staging.ended, None)]


def kept(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_trial_from_its_first_stage_to_its_end(made, store, folder):
    rule = Scripted(t4_2=Verdict(Fate.CONTINUE, 5), t4_5=PAUSE, t4_8=DONE)
    staging = made(rule)
    assert staging.next() is None
    assert staging.first(Proposal(4, ARCHITECTURE, 0)) == Stage(2)

    staging.settle(result(4, 0.1, "two"))
    assert (store.trial(4).state, store.trial(4).reward) == (TrialState.PAUSED, 0.1)
    assert kept(folder) == ["trial-000004-epoch-0002.safetensors"]
    proposal, stage = staging.next()
    assert (proposal.id, proposal.architecture) == (4, ARCHITECTURE)
    assert stage == Stage(5, checkpoint("two"))
    assert staging.next() is None

    staging.settle(result(4, 0.2, "five", seconds=3.0))
    assert kept(folder) == ["trial-000004-epoch-0005.safetensors"]
    assert store.trial(4).seconds == 4.0
    assert (staging.next(), staging.ended()) == (None, None)
    rule.to_promote = [(4, 8)]
    assert staging.next()[1] == Stage(8, checkpoint("five"))

    staging.settle(result(4, 0.3, "eight", seconds=0.5))
    (trial,) = iter(staging.ended, None)
    assert (trial.state, trial.reward, trial.seconds) == (TrialState.COMPLETE, 0.3, 4.5)
    assert trial.evaluation.checkpoint == b""
    assert kept(folder) == []
    assert list(store.reports()) == rule.heard
    assert rule.heard == [Report(4, e, (value, 7.0)) for e, value in ((2, 0.1), (5, 0.2), (8, 0.3))]


def test_a_trial_that_goes_on_at_once_comes_before_promoted_ones(made):
    rule = Scripted(t0_2=PAUSE, t1_2=Verdict(Fate.CONTINUE, 4))
    staging = made(rule)
    for i in (0, 1):
        staging.first(Proposal(i, ARCHITECTURE, 0))
        staging.settle(result(i, 0.5))
    rule.to_promote = [(0, 6)]
    assert [staging.next()[0].id for _ in range(2)] == [1, 0]


def test_a_rule_stops_and_retires(made, store, folder):
    rule = Scripted(t0_2=PAUSE, t1_2=PAUSE, t2_2=STOP)
    staging = made(rule)
    for i in range(3):
        staging.first(Proposal(i, ARCHITECTURE, 0))
        rule.to_retire = [0, 1] if i == 2 else []
        staging.settle(result(i, 0.5 + i, "x"))
    assert ended(staging) == [(2, "PRUNED"), (0, "PRUNED"), (1, "PRUNED")]
    assert kept(folder) == []
    rule.to_promote, rule.to_retire = [(0, 4), (7, 4)], [1]  # of trials that have ended
    assert staging.next() is None


def test_a_failure_ends_a_trial_and_its_checkpoint(made, store, folder):
    rule = Scripted(t0_2=Verdict(Fate.CONTINUE, 4))
    staging = made(rule)
    staging.first(Proposal(0, ARCHITECTURE, 0))
    staging.settle(result(0, 0.5, "x"))
    staging.next()
    staging.settle(result(0, seconds=2.5))
    (trial,) = iter(staging.ended, None)
    assert (trial.state, trial.reason, trial.seconds) == (TrialState.FAILED, "lost", 3.5)
    assert kept(folder) == []
    assert len(rule.heard) == 1  # rules hear of results only
    assert rule.forgotten == [0]


def broken_off(trial_id, reason="its worker died"):
    return replace(result(trial_id), reason=reason, broken_off=True)


@pytest.mark.parametrize("verdict", [PAUSE, Verdict(Fate.CONTINUE, 4)])
def test_a_stage_that_is_broken_off_costs_the_trial_nothing_it_had(made, store, folder, verdict):
    rule = Scripted(t0_2=verdict, t0_4=DONE)
    rule.to_promote = [(0, 4)] if verdict == PAUSE else []
    staging = made(rule)
    staging.first(Proposal(0, ARCHITECTURE, 0))
    staging.settle(result(0, 0.5, "two"))
    again = Stage(4, checkpoint("two"))
    assert staging.next()[1] == again
    store.start(0)
    staging.settle(broken_off(0))
    trial = store.trial(0)
    assert (trial.state, trial.reward, trial.reason) == (TrialState.PAUSED, 0.5, "its worker died")
    assert not trial.reused
    assert staging.next()[1] == again  # at once, from where it was
    store.start(0)
    staging.settle(broken_off(0, "time is over"), cut=True)  # however often it was before
    assert (ended(staging), rule.forgotten) == ([], [])
    assert store.trial(0).reason == "time is over"

    later = made(Scripted(t0_2=verdict, t0_4=DONE))  # without being promoted again
    assert later.next()[1] == again
    later.settle(result(0, 0.7))
    assert store.trial(0).reason == ""
    assert ended(later) == [(0, "COMPLETE")]


def test_a_stage_that_kills_its_worker_twice_prunes_the_trial(made, store, folder):
    staging = made(Scripted(t0_2=Verdict(Fate.CONTINUE, 4), t0_4=Verdict(Fate.CONTINUE, 6)))
    staging.first(Proposal(0, ARCHITECTURE, 0))
    staging.settle(result(0, 0.5, "two"))
    for reward in (None, 0.6, None, None):  # once in one stage, and twice in the next
        assert staging.ended() is None
        staging.next()
        staging.settle(broken_off(0) if reward is None else result(0, reward, "four"))
    (trial,) = iter(staging.ended, None)
    assert (trial.state, trial.reward) == (TrialState.PRUNED, 0.6)
    assert (trial.traceback, trial.reused, trial.seconds) == ("its worker died", False, 5.0)
    assert kept(folder) == []


def test_a_first_stage_that_is_broken_off_leaves_nothing_to_go_on_from(made):
    staging = made(Scripted())
    staging.first(Proposal(0, ARCHITECTURE, 0))
    staging.settle(broken_off(0))
    assert ended(staging) == [(0, "FAILED")]


def test_giving_up_prunes_what_is_paused(made, store, folder):
    staging = made(Scripted(t0_2=PAUSE, t1_2=PAUSE))
    for i in (1, 0):
        staging.first(Proposal(i, ARCHITECTURE, 0))
        staging.settle(result(i, 0.5 + i, "x"))
    staging.give_up()
    assert ended(staging) == [(0, "PRUNED"), (1, "PRUNED")]
    assert kept(folder) == []


# --- recovery -----------------------------------------------------------------------------------

VERDICTS = {"t0_2": PAUSE, "t1_2": Verdict(Fate.CONTINUE, 5), "t2_2": STOP, "t3_2": DONE}


@pytest.fixture
def killed(made, store, folder):
    """Trials 0 to 3 have reported; the process was killed before anything came of it."""
    staging = made(Scripted(**VERDICTS))
    for i in (3, 1, 0, 2):
        staging.first(Proposal(i, ARCHITECTURE, 0))
        staging.settle(result(i, i / 10, f"of {i}"))
    assert [trial.id for trial in store.paused()] == [0, 1, 2, 3]
    return staging


def test_a_fresh_rule_hears_the_reports_and_its_last_verdicts_count(killed, made, store, folder):
    rule = Scripted(**VERDICTS)
    staging = made(rule)
    assert rule.heard == [Report(i, 2, (i / 10, 7.0)) for i in (3, 1, 0, 2)]
    assert ended(staging) == [(2, "PRUNED"), (3, "COMPLETE")]
    assert staging.next()[1] == Stage(5, checkpoint("of 1"))
    assert staging.next() is None
    rule.to_promote = [(0, 4)]
    assert staging.next()[1] == Stage(4, checkpoint("of 0"))


def test_what_was_retired_before_a_kill_is_retired_again(killed, made):
    rule = Scripted(**VERDICTS)
    rule.to_retire = [0]
    assert ended(made(rule)) == [(0, "PRUNED"), (2, "PRUNED"), (3, "COMPLETE")]


def test_files_of_no_paused_trial_are_removed_and_others_left_alone(killed, made, folder):
    for name in ("trial-000000-epoch-0009", "trial-000007-epoch-0002"):
        (folder / f"{name}.safetensors").write_bytes(b"left by a kill")
    (folder / "notes.txt").write_text("mine")
    made(Scripted(**VERDICTS))
    # those of trials 2 and 3 are not needed any more
    names = [f"trial-00000{i}-epoch-0002.safetensors" for i in (0, 1)]
    assert kept(folder) == ["notes.txt", *names]


def test_a_result_that_was_not_reported_leaves_the_checkpoint_before_it(
    killed, made, store, folder
):
    staging = made(Scripted(**VERDICTS))
    staging.next()

    def break_down(*_):
        raise RuntimeError

    store.report, report = break_down, store.report
    with pytest.raises(RuntimeError):
        staging.settle(result(1, 0.9, "later"))
    store.report = report
    assert "trial-000001-epoch-0005.safetensors" in kept(folder)
    again = made(Scripted(**VERDICTS))
    assert "trial-000001-epoch-0005.safetensors" not in kept(folder)
    assert again.next()[1] == Stage(5, checkpoint("of 1"))


def test_a_checkpoint_that_was_not_given_or_is_damaged_is_no_checkpoint(made, folder):
    staging = made(Scripted(**{f"t{i}_2": Verdict(Fate.CONTINUE, 4) for i in range(3)}))
    for i in range(3):
        staging.first(Proposal(i, ARCHITECTURE, 0))
        staging.settle(result(i, 0.5, "x" if i else ""))
    paths = sorted(folder.iterdir())
    assert len(paths) == 2
    paths[0].write_bytes(b"damaged")
    paths[1].unlink()
    assert [staging.next()[1] for _ in range(3)] == [Stage(4)] * 3


def test_a_trial_that_was_running_when_others_passed_it_is_not_retired(store, folder):
    """Trial 0 is promoted; while it trains three better ones fill the places of its rung.

    The order of the reports does not say that it had been promoted by then; its next one does.
    """

    def halving():
        rule = AsynchronousSuccessiveHalving(epochs=9, max_trials=9)
        return Staging(rule, store, folder, lambda evaluation: (evaluation.reward,))

    def run(trial_id, reward):
        staging.first(Proposal(trial_id, ARCHITECTURE, 0))
        staging.settle(result(trial_id, reward))

    staging = halving()
    for trial_id, reward in enumerate((0.5, 0.2, 0.1)):
        run(trial_id, reward)
    assert staging.next()[0].id == 0
    for trial_id, reward in enumerate((0.6, 0.7, 0.8), start=3):
        run(trial_id, reward)
    staging.settle(result(0, 0.9))
    for trial in iter(staging.ended, None):
        store.finish(trial)
    assert store.trial(0).state is TrialState.PAUSED
    again = halving()
    again.recover()
    assert ended(again) == []
    assert store.trial(0).state is TrialState.PAUSED


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("objectives", [1, 2])
def test_a_kill_at_any_time_ends_nothing_and_forgets_no_promotion(
    open_store, folder, objectives, seed
):
    store, draw, count = open_store("kills"), np.random.default_rng(seed), 24
    store.propose([Proposal(i, ARCHITECTURE, 0) for i in range(count)])
    values = {}

    def begin():
        rule = AsynchronousSuccessiveHalving(epochs=9, max_trials=count, reduction=2)
        made = Staging(rule, store, folder, lambda evaluation: values[evaluation.reward])
        store.reset_running()
        made.recover()
        assert ended(made) == []
        return made

    def finish():
        for trial in iter(staging.ended, None):
            assert trial.id not in running, "it was given up while it ran"
            store.finish(trial)

    running, kills, promoted_then = [], 0, 0
    staging, fresh = begin(), list(range(count))
    while True:
        if len(running) < 3 and ((going_on := staging.next()) is not None or fresh):
            if going_on is None:
                trial_id = fresh.pop(0)
                staging.first(Proposal(trial_id, ARCHITECTURE, 0))
            else:
                trial_id = going_on[0].id
            store.start(trial_id)
            running.append(trial_id)
        elif running:
            trial_id = running.pop(int(draw.integers(len(running))))
            reward = float(len(values))
            values[reward] = tuple((draw.normal(size=objectives) + len(values) / 20).tolist())
            staging.settle(result(trial_id, None if draw.random() < 0.05 else reward))
            finish()
        else:
            break
        if draw.random() < 0.2:
            reported = {report.trial_id for report in store.reports()}
            later = sorted(i for i in running if i in reported)
            fresh = sorted(set(running) - reported) + fresh
            kills, promoted_then = kills + 1, promoted_then + len(later)
            staging = begin()
            begun = [staging.next()[0].id for _ in later]
            assert begun == later
            running = later
    assert kills > 5
    assert promoted_then > 3
    staging.give_up()
    finish()
    assert store.count_finished() == count
