"""Where elastic transfer starts: what is read of the earlier run, kept, and refused."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
import yaml

from autodl.errors import AutoDLError, ConfigError, EncodingError, StoreError
from autodl.evaluation.synthetic import TargetMatch
from autodl.jobs.search.parts import load_search, make_space
from autodl.jobs.search.run import run_search
from autodl.jobs.search.source import find_source
from autodl.runs.folder import MANIFEST, SOURCE, TRIALS
from autodl.runs.store import Proposal, TrialStore
from autodl.search.asking import Limits
from autodl.search.executors.inline import InlineExecutor
from autodl.search.loop import search
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import load_architecture, save_architecture
from autodl.spaces.mobile.space import MobileSpace
from autodl.strategies.elastic_transfer import ElasticTransfer
from autodl.strategies.options import ElasticTransferOptions
from autodl.system.resources import resource
from autodl.trial import Evaluation, Trial, TrialState

FIRST = {
    "Search": {"max_trials": 30, "executor": "inline"},
    "Strategy": {"name": "Evolution", "population": 8, "tournament": 3},
    "Space": {"name": "MobileSpace"},
    "Network": {"name": "MobileNetwork"},
    "Evaluator": {"name": "TargetMatch"},
}
SECOND = {
    **FIRST,
    "Strategy": {"name": "ElasticTransfer", "population": 8, "tournament": 3},
    "Evaluator": {"name": "TargetMatch", "moved": 4},
}


@pytest.fixture
def configs(tmp_path):
    """The files of both stages, and the finished run of the first one."""
    paths = {}
    for name, config in (("first", FIRST), ("second", SECOND)):
        paths[name] = tmp_path / f"{name}.yaml"
        paths[name].write_text(yaml.safe_dump(config))
    paths["run"] = tmp_path / "runs" / "first"
    return paths


@pytest.fixture
def first(configs):
    return run_search(load_search(configs["first"]), configs["run"])


def second(configs, *overrides):
    return load_search(configs["second"], list(overrides))


def trials(folder):
    with closing(TrialStore(folder / TRIALS, read_only=True)) as store:
        return [(t.id, t.state, t.architecture, t.reward) for t in store.trials()]


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_second_stage_starts_from_the_best_of_the_first(configs, first, tmp_path):
    config = second(configs, f"Search.source={configs['run']}")
    result = run_search(config, tmp_path / "runs" / "second")
    found = trials(result.folder)
    assert len(found) == 30
    assert found[0][2] == first.best.architecture
    kept = json.loads((result.folder / SOURCE).read_text())
    assert kept == {
        "run": str(configs["run"]),
        "trial": first.best.id,
        "architecture": first.best.architecture.to_json(),
    }
    identity = json.loads((result.folder / MANIFEST).read_text())["identity"]
    assert identity["Source"] == kept["architecture"]
    assert "source" not in identity.get("Search", {})


@pytest.mark.parametrize("named", [True, False])
def test_resuming_needs_the_first_run_no_more(configs, first, tmp_path, named):
    source = f"Search.source={configs['run']}"
    run_search(second(configs, source), tmp_path / "whole")
    run_search(second(configs, source, "Search.max_trials=12"), tmp_path / "parts")
    shutil.rmtree(configs["run"])
    more = [source] if named else []
    run_search(second(configs, *more), tmp_path / "parts", resume=True)
    assert trials(tmp_path / "parts") == trials(tmp_path / "whole")


def test_a_run_goes_on_from_what_it_started_from_when_the_first_run_has_found_better(
    configs, first, tmp_path
):
    source = f"Search.source={configs['run']}"
    before = run_search(second(configs, source, "Search.max_trials=12"), tmp_path / "run")
    run_search(
        load_search(configs["first"], ["Search.max_trials=200"]), configs["run"], resume=True
    )
    after = run_search(second(configs, source), tmp_path / "run", resume=True)
    assert trials(after.folder)[: before.finished] == trials(before.folder)[: before.finished]
    kept = json.loads((tmp_path / "run" / SOURCE).read_text())
    assert kept["architecture"] == first.best.architecture.to_json()


def test_another_source_is_another_run(configs, first, tmp_path):
    run_search(second(configs, f"Search.source={configs['run']}"), tmp_path / "run")
    other = tmp_path / "other"
    run_search(load_search(configs["first"], ["Global.seed=1"]), other)
    with pytest.raises(StoreError, match="holds another run: Source"):
        run_search(second(configs, f"Search.source={other}"), tmp_path / "run", resume=True)


def test_a_retrained_network_can_be_the_source(configs, tmp_path):
    architecture = MobileSpace().sample(np.random.default_rng(5))
    save_architecture(architecture, tmp_path / "trial-0003" / "architecture.json")
    config = second(configs, f"Search.source={tmp_path / 'trial-0003'}")
    found = find_source(config, make_space(config))
    assert (found.trial, found.architecture) == (None, architecture)


def test_an_architecture_in_a_file_can_be_the_source(configs, tmp_path, monkeypatch):
    """A file of one's own, or a shipped one by its name, unless a file of that name is there."""
    monkeypatch.chdir(tmp_path)
    own = MobileSpace().sample(np.random.default_rng(5))
    save_architecture(own, tmp_path / "own.json")
    config = second(configs, "Search.source=own.json")
    found = find_source(config, make_space(config))
    assert (found.run, found.trial, found.architecture) == ("own.json", None, own)
    stages = ["Space={name: StageSpace}", "Network={name: StageNetwork}"]
    named = second(configs, *stages, "Search.source=resnet9.json")
    shipped = load_architecture(resource("configs", "architectures", "resnet9.json"))
    assert find_source(named, make_space(named)).architecture == shipped
    save_architecture(own, tmp_path / "resnet9.json")
    with pytest.raises(ConfigError, match=r"resnet9.json cannot be started from"):
        find_source(named, make_space(named))


def test_a_size_that_no_network_meets_is_refused(configs, first, tmp_path, monkeypatch):
    """Before any training; the smallest network of the space has some 400,000 parameters."""
    monkeypatch.setattr("autodl.search.asking._ATTEMPTS", 100)  # counting costs takes milliseconds
    config = second(
        configs,
        f"Search.source={configs['run']}",
        "Objectives.limits={parameters: 1000}",
        "Evaluator={name: TrainEvaluator}",
    )
    with pytest.raises(
        ConfigError, match=r"none of 200 .* parameters <= 1000 \(smallest"
    ) as caught:
        run_search(config, tmp_path / "run")
    one_line(caught)


def test_where_the_first_population_is_over_a_limit_other_perturbations_take_its_place(tmp_path):
    """The first eight are refused one by one; whatever is drawn after them is within the limit."""
    space = MobileSpace()
    source = space.sample(np.random.default_rng(3))
    strategy = ElasticTransfer(
        space, ElasticTransferOptions(population=8, tournament=3), seed=0, source=source
    )
    first = set(strategy.initial())
    limits = Limits(lambda architecture: {"size": float(architecture in first)}, {"size": 0.5})
    with closing(TrialStore(tmp_path / "trials.sqlite")) as store:
        executor = InlineExecutor(TargetMatch(), 0)
        found = list(search(strategy, executor, store, max_trials=3, seed=0, limits=limits))
    assert len(found) == 3
    assert not first & {trial.architecture for trial in found}


def test_a_strategy_that_starts_from_nothing_takes_no_source(configs, tmp_path):
    config = load_search(configs["first"], [f"Search.source={tmp_path}"])
    with pytest.raises(ConfigError, match=r"Search\.source=.* Evolution does not; set Strategy"):
        run_search(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_elastic_transfer_needs_a_source(configs, tmp_path):
    with pytest.raises(ConfigError, match=r"set Search\.source"):
        run_search(second(configs), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def wrong_source(kind, configs, tmp_path):
    """A folder that cannot be started from, and what is said of it."""
    folder = configs["run"]
    if kind == "no run":
        return tmp_path / "nowhere", "is no run folder"
    run_search(load_search(configs["first"], ["Search.max_trials=1"]), folder)
    with closing(TrialStore(folder / TRIALS)) as store:
        if kind == "no complete trial":
            store._db.execute("UPDATE trials SET state = 'FAILED'")
            return folder, "no complete trial to go on from"
        if kind == "another space":
            cell = CellSpace(nodes=3).sample(np.random.default_rng(0))
            store.propose([Proposal(1, cell, 0)])
            store.finish(Trial(1, cell, TrialState.COMPLETE, Evaluation(1.0)))
            return folder, "holds mobile networks, got a CellPair"
    with closing(sqlite3.connect(folder / TRIALS)) as db:
        change = ('"depth":', '"depth":9') if kind == "a code outside" else ("{", "no JSON")
        for text in range(1, 5):
            old = f"{change[0]}{text}" if kind == "a code outside" else change[0]
            db.execute(
                "UPDATE trials SET architecture = replace(architecture, ?, ?)", (old, change[1])
            )
        db.commit()
    return folder, "depth is one of 1, 2, 3, 4; got 9" if kind == "a code outside" else "trial 0"


@pytest.mark.parametrize(
    "kind", ["no run", "no complete trial", "another space", "a code outside", "damaged"]
)
def test_a_source_that_is_none_is_refused_in_one_line(kind, configs, tmp_path):
    folder, message = wrong_source(kind, configs, tmp_path)
    with pytest.raises(AutoDLError) as caught:
        run_search(second(configs, f"Search.source={folder}"), tmp_path / "run")
    assert isinstance(caught.value, ConfigError | StoreError | EncodingError)
    assert "Search.source" in one_line(caught)
    assert message in one_line(caught)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "text, message",
    [("{", r"cannot read .*source\.json"), ("[]", r"source\.json has 0 architectures")],
)
def test_a_damaged_note_of_the_source_is_reported(configs, first, tmp_path, text, message):
    run_search(second(configs, f"Search.source={configs['run']}"), tmp_path / "run")
    (tmp_path / "run" / SOURCE).write_text(text)
    with pytest.raises(StoreError, match=message):
        run_search(second(configs), tmp_path / "run", resume=True)
