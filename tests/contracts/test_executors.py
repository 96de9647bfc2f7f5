"""What every executor promises; see ``autodl/search/executors/processes.py``."""

from __future__ import annotations

import evaluators_for_tests as commands
import pytest
from executors_for_tests import HERE, MODULE, SCALE, SEED, processes, proposal, run

from autodl.errors import ConfigError
from autodl.runs.store import Proposal
from autodl.search.executors.inline import InlineExecutor
from autodl.search.executors.ray_executor import RayExecutor
from autodl.trial import Stage, TrialState


@pytest.fixture(params=["inline", "processes", "ray"])
def make(request, monkeypatch, tmp_path):
    """A function that makes an executor from the name of its evaluator's factory."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    opened = []

    def make(factory="make"):
        if request.param == "inline":
            executor = InlineExecutor(getattr(commands, factory)(SCALE), SEED)
        elif request.param == "ray":
            request.getfixturevalue("ray_here")
            name, logs = f"{MODULE}:{factory}", tmp_path / "logs"
            executor = RayExecutor(name, SCALE, SEED, workers=2, log_folder=logs)
        else:
            executor = processes(tmp_path, factory, workers=2)
        opened.append(executor)
        return executor

    yield make
    for executor in opened:
        executor.close()


def test_results_depend_on_the_trial_alone(make):
    proposals = [proposal(i, commands.FINE) for i in (4, 0, 7, 2)]
    results = run(make(), proposals)
    alone = commands.make(SCALE)
    expected = run(InlineExecutor(alone, SEED), reversed(proposals))
    assert {i: t.reward for i, t in results.items()} == {i: t.reward for i, t in expected.items()}
    for asked in proposals:
        trial = results[asked.id]
        assert trial.architecture == asked.architecture
        assert trial.state is TrialState.COMPLETE
        assert 0 < trial.reward < 2
        assert trial.seconds >= 0


def test_running_names_the_trials_in_order(make):
    executor = make()
    assert executor.running() == ()
    first = list(range(executor.workers))[::-1]
    for trial_id in first:
        executor.submit(proposal(trial_id, commands.FINE))
    assert executor.running() == tuple(sorted(first))
    done = executor.wait()
    assert executor.running() == tuple(sorted(set(first) - {done.id}))


def test_failures_are_results_and_the_next_trial_is_not_hurt(make):
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


def test_numpy_numbers_become_plain_ones(make):
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
def test_an_evaluator_that_cannot_be_made_stops_the_search(make, request, factory, message):
    inline = "inline" in request.node.callspec.id
    expected = RuntimeError if inline and factory == "break_down" else ConfigError
    with pytest.raises(expected) as caught:
        run(make(factory), [proposal(0, commands.FINE), proposal(1, commands.FINE)])
    assert message in " ".join(str(caught.value).split())


def test_closing_gives_running_trials_up(make):
    executor = make()
    executor.submit(proposal(0, commands.FINE))
    executor.close()
    assert executor.running() == ()
    executor.close()


def test_a_trial_that_had_not_begun_is_cut_without_a_result(make):
    executor = make()
    executor.submit(proposal(0, commands.FINE))
    assert executor.cut("no time") == []
    assert executor.running() == ()
    assert run(executor, [proposal(0, commands.FINE)])[0].state is TrialState.COMPLETE


def test_a_stage_goes_on_from_its_checkpoint(make):
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


def test_waiting_with_a_time_limit_ends_with_the_same_results(make):
    executor = make()
    executor.submit(proposal(3, commands.FINE))
    trial = None
    while trial is None:
        trial = executor.wait(0.01)
    assert trial.reward == run(executor, [proposal(3, commands.FINE)])[3].reward
