"""Finished searches as a prior: what is read, refused, and what a run is identified by."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest
import yaml

from autodl.config.sections import NoOptions
from autodl.errors import ConfigError, StoreError
from autodl.jobs.search.history import history_identity, inform, read_history
from autodl.jobs.search.parts import load_search, make_space, register
from autodl.jobs.search.run import run_search
from autodl.runs.folder import TRIALS, read_manifest
from autodl.runs.store import Proposal, TrialStore
from autodl.spaces.chain.space import ChainSpace
from autodl.strategies.random_search import RandomSearch
from autodl.studies.simulate import simulated
from autodl.trial import Evaluation, Trial, TrialState


class Remembering(RandomSearch):
    """Random search that keeps what it learned from, in order."""

    def __init__(self, space, *, seed=0):
        super().__init__(space, seed=seed)
        self.heard = []
        made.append(self)

    def learn_from(self, history):
        self.heard += [("past", past.name, len(past.trials)) for past in history]

    def ask(self, rng):
        self.heard.append("asked")
        return super().ask(rng)

    def restore(self, state):
        self.heard.append("restored")


made: list[Remembering] = []


@pytest.fixture(scope="module", autouse=True)
def _registered():
    register("Strategy", "Remembering", NoOptions, Remembering)


@pytest.fixture
def write(tmp_path):
    made.clear()

    def write(name, **search):
        config = {
            "Search": {"max_trials": 12, "executor": "inline", **search},
            "Strategy": {"name": "Remembering"},
            "Space": {"name": "CellSpace", "nodes": 3},
            "Network": {"name": "CellNetwork"},
            "Evaluator": {"name": "TokenCount"},
        }
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(config))
        return tmp_path / f"{name}.yaml", tmp_path / "runs" / name

    return write


def run(file, folder, *overrides, resume=False):
    return run_search(load_search(file, overrides), folder, resume=resume)


def test_a_strategy_learns_before_it_is_asked_and_again_before_it_is_restored(write):
    run(*write("one"))
    run(*write("two"), "Global.seed=1")
    history = [str(write(name)[1]) for name in ("one", "two")]
    file, folder = write("three", history=history, snapshot_every=5)
    made.clear()
    run(file, folder)
    learned = [("past", name, 12) for name in history]
    assert made[0].heard[:3] == [*learned, "asked"]
    run(file, folder, "Search.max_trials=15", resume=True)
    assert made[1].heard[:4] == [*learned, "restored", "asked"]
    identity = read_manifest(folder)["identity"]["History"]
    assert len(identity) == len(set(identity)) == 2
    simulated(load_search(file))
    assert made[2].heard[:3] == [*learned, "asked"]


def test_a_run_has_one_history(write):
    run(*write("one"))
    file, folder = write("two", history=[str(write("one")[1])])
    run(file, folder)
    with pytest.raises(StoreError, match="History"):
        run(file, folder, "Search.history=[]", "Search.max_trials=15", resume=True)
    one, before = write("one"), read_manifest(folder)["identity"]["History"]
    config = load_search(file)
    assert history_identity(read_history(config, make_space(config))) == before
    run(*one, "Search.max_trials=13", resume=True)
    assert history_identity(read_history(config, make_space(config))) != before


def test_without_a_history_the_identity_is_what_it_was(write):
    file, folder = write("one")
    run(file, folder)
    assert "History" not in read_manifest(folder)["identity"]


def test_what_teaches_nothing_is_refused_at_the_start(write, tmp_path):
    first = write("first")
    run(*first)

    def refused(*history, strategy="Remembering", **space):
        file, folder = write("second", history=[str(path) for path in history])
        more = [f"Space.{key}={value}" for key, value in space.items()]
        with pytest.raises((ConfigError, StoreError)) as caught:
            run(file, folder, f"Strategy={{name: {strategy}}}", *more)
        assert "\n" not in str(caught.value)
        assert not folder.exists()
        return str(caught.value)

    assert "not of this space" in refused(first[1], nodes=4)
    assert "names" in refused(first[1], first[1])
    assert "Search.history" in refused(tmp_path / "nowhere")
    assert "RandomSearch lacks learn_from(history)" in refused(first[1], strategy="RandomSearch")


def stored(folder, rewards):
    """A run whose store is written by hand: None is a failed trial."""
    space = ChainSpace()
    folder.mkdir()
    with closing(TrialStore(folder / TRIALS)) as store:
        for number, reward in enumerate(rewards):
            chain = space.sample(np.random.default_rng(number))
            store.propose([Proposal(number, chain, 0, "", None)])
            store.start(number)
            if reward is None:
                store.finish(Trial(number, chain, TrialState.FAILED, reason="lost"))
            else:
                store.finish(Trial(number, chain, TrialState.COMPLETE, Evaluation(reward)))
    (folder / "config.yaml").write_text("Space: {name: ChainSpace}\n")
    (folder / "run.json").write_text('{"starts": [], "identity": {}}')
    return folder


@pytest.mark.parametrize(
    "rewards, message",
    [([None, None], "no trial of .* is complete"), ([0.5, None, 0.5], "the same reward, 0.5")],
)
def test_all_failed_and_all_equal(tmp_path, write, rewards, message):
    folder = stored(tmp_path / "past", rewards)
    config = load_search(write("next", history=[str(folder)])[0])
    with pytest.raises(ConfigError, match=message):
        read_history(config, ChainSpace())


def test_only_complete_trials_are_told(tmp_path, write):
    folder = stored(tmp_path / "past", [0.5, None, 0.75])
    config = load_search(write("next", history=[str(folder)])[0])
    (past,) = read_history(config, ChainSpace())
    assert [trial.reward for trial in past.trials] == [0.5, 0.75]
    inform(Remembering(ChainSpace()), "Remembering", [past])
    assert made[-1].heard == [("past", str(folder), 2)]
