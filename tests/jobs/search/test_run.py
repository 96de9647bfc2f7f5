"""A whole search in this process and in processes that are killed."""

from __future__ import annotations

import json
import random
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from forking_driver import kill_and_resume

from autodl.errors import ConfigError, StoreError
from autodl.jobs.search import parts as assemble
from autodl.jobs.search.parts import load_search
from autodl.jobs.search.run import run_search
from autodl.runs.folder import BEST, CHECKPOINTS, CONFIG, MANIFEST, PARENT_WEIGHTS, TRIALS
from autodl.runs.store import TrialStore
from autodl.spaces.codec import load_architecture
from autodl.trial import TrialState

HERE = Path(__file__).resolve().parents[2]
PLUGIN = HERE / "search" / "plugin_for_tests.py"
LEARNER = {
    "Global": {"seed": 3, "plugins": [str(PLUGIN)]},
    "Search": {"max_trials": 48, "executor": "inline", "snapshot_every": 7},
    "Strategy": {"name": "BatchLearner", "batch_size": 10},
    "Space": {"name": "CellSpace", "nodes": 3},
    "Evaluator": {"name": "SlowCount"},
}
TWO_PROCESSES = ["Search.executor=processes", "Search.workers=2"]

pytestmark = pytest.mark.usefixtures("own_tables")


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "learner.yaml"
    path.write_text(yaml.safe_dump(LEARNER))
    return path


def trials(folder):
    """What has to be the same whatever happened to the processes; not the seconds."""
    with closing(TrialStore(folder / TRIALS, read_only=True)) as store:
        return [
            (trial.id, trial.state, trial.architecture, trial.reward, trial.reason)
            for trial in store.trials()
        ]


def manifest(folder):
    return json.loads((folder / MANIFEST).read_text())


def test_a_search_leaves_a_complete_folder(config_file, tmp_path):
    result = run_search(load_search(config_file), tmp_path / "run")
    found = trials(tmp_path / "run")
    assert [trial[0] for trial in found] == list(range(48))
    assert {trial[1] for trial in found} == {TrialState.COMPLETE, TrialState.FAILED}
    rewards = [trial[3] for trial in found if trial[3] is not None]
    assert result.best is not None
    assert result.best.reward == max(rewards)
    assert (result.finished, result.stopped) == (48, "")
    assert load_architecture(tmp_path / "run" / BEST) == result.best.architecture
    assert manifest(tmp_path / "run")["best"] == result.best.to_json()
    assert manifest(tmp_path / "run")["ended"] == "complete"
    assert not list((tmp_path / "run").glob(f"{TRIALS}-*"))  # no log of SQLite stays
    # the learner learns, or the comparisons below would prove nothing
    assert sum(rewards[-10:]) > sum(rewards[:10])


def test_the_stored_config_is_a_config_of_the_same_run(config_file, tmp_path):
    config = load_search(config_file)
    run_search(config, tmp_path / "run")
    assert load_search(tmp_path / "run" / CONFIG) == config


def test_more_trials_later_are_the_trials_of_asking_for_all_at_once(config_file, tmp_path):
    # 24 ends in the middle of a batch of 10
    run_search(load_search(config_file), tmp_path / "whole")
    for trials_wanted in (24, 24, 31, 48):
        overrides = [f"Search.max_trials={trials_wanted}"]
        done = run_search(load_search(config_file, overrides), tmp_path / "parts", resume=True)
        assert done.finished == trials_wanted
    assert trials(tmp_path / "parts") == trials(tmp_path / "whole")


def test_fewer_trials_later_add_none(config_file, tmp_path):
    run_search(load_search(config_file, ["Search.max_trials=15"]), tmp_path / "run")
    before = trials(tmp_path / "run")
    run_search(load_search(config_file, ["Search.max_trials=4"]), tmp_path / "run", resume=True)
    assert trials(tmp_path / "run") == before


def test_budget_and_workers_may_change_and_every_start_is_recorded(config_file, tmp_path):
    first = load_search(config_file, ["Search.max_trials=3", "Global.device=cpu"])
    run_search(first, tmp_path / "run")
    second = load_search(
        config_file, ["Search.max_trials=12", "Search.executor=processes", "Search.workers=1"]
    )
    run_search(second, tmp_path / "run", resume=True)
    run_search(load_search(config_file, ["Search.max_trials=12"]), tmp_path / "whole")
    assert trials(tmp_path / "run") == trials(tmp_path / "whole")
    starts = [
        (start["max_trials"], start["executor"], start["workers"], start["device"])
        for start in manifest(tmp_path / "run")["starts"]
    ]
    assert starts == [(3, "inline", 1, "cpu"), (12, "processes", 1, "cpu")]


@pytest.mark.parametrize(
    "override, key",
    [
        ("Global.seed=4", "Global.seed was 3, now it is 4"),
        ("Strategy.batch_size=4", "Strategy.batch_size was 10, now it is 4"),
        ("Space.nodes=4", "Space.nodes was 3, now it is 4"),
        ("Evaluator={name: TokenCount}", "Evaluator.name was 'SlowCount', now it is 'TokenCount'"),
        ("Train.epochs=1", "Train.epochs was 20, now it is 1"),
        ("Network.width=8", "Network.width was 64, now it is 8"),
    ],
)
def test_a_run_is_not_resumed_with_another_config(config_file, tmp_path, override, key):
    run_search(load_search(config_file, ["Search.max_trials=2"]), tmp_path / "run")
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file()}
    with pytest.raises(StoreError) as caught:
        run_search(load_search(config_file, [override]), tmp_path / "run", resume=True)
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)
    after = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file()}
    assert after == before


class Recorder:
    """An observer that writes down what it is told; Ctrl-C comes after ``interrupt_at`` trials."""

    def __init__(self, interrupt_at=None):
        self.calls = []
        self._interrupt_at = interrupt_at

    def started(self, run):
        self.calls.append(("started", run.finished, run.best and run.best.id, run.max_trials))

    def running(self, trial_ids):
        self.calls.append(("running", trial_ids))

    def finished(self, trial, best, done):
        self.calls.append(("finished", trial.id, best and best.id, done))
        if done == self._interrupt_at:
            raise KeyboardInterrupt

    def reached(self, trial):
        """Nothing to count."""

    def learned(self, diagnostics):
        self.calls.append(("learned", diagnostics["update"]))

    def ended(self, best, done, seconds):
        self.calls.append(("ended", best and best.id, done))


def test_ctrl_c_keeps_what_is_finished(config_file, tmp_path):
    config = load_search(config_file)
    first, second = Recorder(interrupt_at=17), Recorder()
    stopped = run_search(config, tmp_path / "run", observers=[first])
    assert (stopped.stopped, stopped.finished, stopped.at_once) == ("interrupted", 17, True)
    left = [state for _, state, *_ in trials(tmp_path / "run") if not state.finished]
    assert set(left) == {TrialState.PROPOSED}  # nothing is shown as running
    assert manifest(tmp_path / "run")["ended"] == "interrupted"
    assert load_architecture(tmp_path / "run" / BEST) == stopped.best.architecture
    assert first.calls[-1] == ("ended", stopped.best.id, 17)
    run_search(config, tmp_path / "run", resume=True, observers=[second])
    assert second.calls[0] == ("started", 17, stopped.best.id, 48)
    run_search(config, tmp_path / "whole")
    assert trials(tmp_path / "run") == trials(tmp_path / "whole")


def test_observers_hear_of_every_trial_and_of_the_best_so_far(config_file, tmp_path):
    recorder = Recorder()
    run_search(load_search(config_file), tmp_path / "run", observers=[recorder])
    told = [call for call in recorder.calls if call[0] == "finished"]
    rewards = {trial[0]: trial[3] for trial in trials(tmp_path / "run")}
    best = None
    for done, (_, trial_id, best_id, count) in enumerate(told, 1):
        if rewards[trial_id] is not None and (best is None or rewards[trial_id] > rewards[best]):
            best = trial_id
        assert (count, best_id) == (done, best)
    assert len(told) == 48


def test_an_evaluator_that_cannot_be_made_leaves_no_folder(config_file, tmp_path, monkeypatch):
    def refuse(*_):
        raise ConfigError("no evaluator today; come back tomorrow")

    monkeypatch.setattr(assemble, "make_evaluator", refuse)
    with pytest.raises(ConfigError, match="no evaluator today"):
        run_search(load_search(config_file), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# --- killed by SIGKILL -------------------------------------------------------------------------


def run_killed(config_file, folder, targets, overrides=(), pause_seconds=0.02):
    """Kill a search at random moments after so many trials, resume it until it is done."""
    config = load_search(config_file, overrides)
    kill_and_resume(
        lambda in_peace: run_search(config, folder, resume=True),
        *(folder / TRIALS, random.Random(17), targets, pause_seconds),
    )
    # where the kill before went past the target, this one comes while the search starts
    assert 3 <= len(manifest(folder)["starts"]) <= len(targets) + 1


@pytest.mark.parametrize(
    "executor, targets",
    [(["Search.executor=inline"], [0, 9, 10, 27]), (TWO_PROCESSES, [3, 33])],
    ids=["inline", "processes"],
)
def test_a_batch_strategy_that_is_killed_gives_the_trials_of_an_unbroken_run(
    config_file, tmp_path, executor, targets
):
    run_search(load_search(config_file), tmp_path / "whole")
    overrides = [*executor, "Evaluator.seconds=0.02"]
    # the seconds belong to the run's identity, not to its results
    run_killed(config_file, tmp_path / "run", targets, overrides)
    assert trials(tmp_path / "run") == trials(tmp_path / "whole")


def test_random_search_that_is_killed_gives_the_trials_of_an_unbroken_run(config_file, tmp_path):
    control = ["Strategy={name: RandomSearch}"]
    run_search(load_search(config_file, control), tmp_path / "whole")
    run_killed(config_file, tmp_path / "run", [2, 30], [*control, "Evaluator.seconds=0.02"])
    assert trials(tmp_path / "run") == trials(tmp_path / "whole")


def test_the_agent_that_is_killed_gives_the_trials_of_an_unbroken_run(config_file, tmp_path):
    agent = ["Strategy={name: AutoDLAgent, batch_size: 6, hidden: 8, learning_rate: 0.1}"]
    run_search(load_search(config_file, agent), tmp_path / "whole")
    run_killed(config_file, tmp_path / "run", [4, 27], [*agent, "Evaluator.seconds=0.02"])
    whole = trials(tmp_path / "whole")
    assert trials(tmp_path / "run") == whole
    rewards = [trial[3] for trial in whole if trial[3] is not None]
    assert sum(rewards[-12:]) > sum(rewards[:12])  # it learnt, so its state mattered


TRAINING = {
    "Global": {"seed": 3, "device": "cpu"},
    "Search": {"max_trials": 7, "executor": "inline"},
    "Strategy": {"name": "RandomSearch"},
    "Space": {"nodes": 2, "operations": ["conv_3x3", "max_pool_3x3"]},
    "Network": {"width": 4, "cells_per_stage": 1, "stages": 2, "bottleneck": 1, "dropout": 0.2},
    "Data": {"name": "cifar10-mini", "image_size": 8, "train": 100, "held_out": 50},
    "Train": {"epochs": 3, "batch_size": 20, "learning_rate": 0.05, "cutout": 2},
    "Fidelity": {"name": "AsynchronousSuccessiveHalving"},
}


def test_trainings_in_stages_that_are_killed_give_the_trials_of_an_unbroken_run(tmp_path):
    path = tmp_path / "training.yaml"
    path.write_text(yaml.safe_dump(TRAINING))
    run_search(load_search(path), tmp_path / "whole")
    run_killed(path, tmp_path / "run", [0, 2, 4], pause_seconds=0.5)
    whole = trials(tmp_path / "whole")
    assert trials(tmp_path / "run") == whole
    assert {trial[1] for trial in whole} == {TrialState.COMPLETE, TrialState.PRUNED}
    assert list((tmp_path / "run" / CHECKPOINTS).iterdir()) == []


# --- inheritance --------------------------------------------------------------------------------

HEIRS = {
    "Search": {"max_trials": 7, "executor": "inline", "snapshot_every": 2},
    "Strategy": {"name": "Evolution", "population": 3, "tournament": 2},
    "Space": {"name": "MobileSpace"},
    "Network": {
        "name": "MobileNetwork",
        "base_widths": [2, 2, 2, 2, 2, 2, 2],
        "stem_width": 2,
        "head_width": 4,
        "strides": [2, 2, 2, 1, 1, 1, 1, 1],
    },
    "Data": {"name": "cifar10-mini", "classes": 2, "image_size": 8, "train": 32, "held_out": 20},
    "Train": {"epochs": 1, "batch_size": 16, "inherit": True},
}


@pytest.fixture
def heirs_file(tmp_path):
    path = tmp_path / "heirs.yaml"
    path.write_text(yaml.safe_dump(HEIRS))
    return path


def test_children_inherit_from_their_parents_also_when_a_run_goes_on_elsewhere(
    heirs_file, tmp_path
):
    """In this process, then in worker processes: the same trials as in one go."""
    run, whole = tmp_path / "run", tmp_path / "whole"
    run_search(load_search(heirs_file, ["Search.max_trials=5"]), run)
    elsewhere = ["Search.executor=processes", "Search.workers=1"]
    run_search(load_search(heirs_file, elsewhere), run, resume=True)
    run_search(load_search(heirs_file), whole)
    assert trials(run) == trials(whole)
    with closing(TrialStore(run / TRIALS)) as store:
        parents = dict(store._read("SELECT id, parent FROM trials"))
        metrics = {trial.id: trial.evaluation.metrics for trial in store.trials()}
    assert [parent is None for parent in parents.values()] == [True] * 3 + [False] * 4
    for trial_id, parent in parents.items():
        before = metrics[parent]["effective_epochs"] if parent is not None else 0
        assert metrics[trial_id]["effective_epochs"] == before + 1
        assert (metrics[trial_id]["inherited_fraction"] > 0) == (parent is not None)
    assert len(list((run / PARENT_WEIGHTS).iterdir())) == 3
    assert not (tmp_path / "whole" / CHECKPOINTS).exists()


@pytest.mark.parametrize(
    "override, message",
    [
        ("Strategy={name: RandomSearch}", "no proposal of RandomSearch descends from a trial"),
        ("Evaluator={name: TargetMatch}", "TargetMatch gives no weights to inherit"),
        ("Search.cache=[runs/a]", "Search.cache takes over results without weights"),
        ("Train={resize_kernels: true}", "resize_kernels is for inherited kernels"),
    ],
)
def test_inheritance_that_could_have_no_effect_is_refused(heirs_file, tmp_path, override, message):
    with pytest.raises(ConfigError, match=message):
        run_search(load_search(heirs_file, [override]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_that_does_not_inherit_has_the_identity_of_older_ones(heirs_file):
    plain = load_search(heirs_file, ["Train={epochs: 1, batch_size: 16}"]).identity()
    assert not {"inherit", "resize_kernels"} & plain["Train"].keys()
    assert load_search(heirs_file).identity()["Train"]["inherit"] is True
