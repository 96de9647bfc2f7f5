"""What a search tries first: named runs and files, any strategy, kept, and refused."""

from __future__ import annotations

import json
import shutil
from contextlib import closing

import numpy as np
import pytest
import yaml

from autodl.errors import AutoDLError, ConfigError, StoreError
from autodl.jobs.search import run as run_module
from autodl.jobs.search.parts import load_search
from autodl.jobs.search.run import run_search
from autodl.jobs.search.source import find_start
from autodl.runs.folder import MANIFEST, START, TRIALS
from autodl.runs.store import TrialStore
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import save_architecture
from autodl.spaces.mobile.space import MobileSpace
from autodl.trial import TrialState

CONFIG = {
    "Search": {"max_trials": 8, "executor": "inline"},
    "Strategy": {"name": "Evolution", "population": 4, "tournament": 3},
    "Space": {"name": "MobileSpace"},
    "Network": {"name": "MobileNetwork"},
    "Evaluator": {"name": "TargetMatch"},
}
FIRST, SECOND = (MobileSpace().sample(np.random.default_rng(seed)) for seed in (70, 71))


@pytest.fixture
def config(tmp_path):
    """Makes a configuration; ``first.json`` and ``second.json`` are architectures in files."""
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    for name, architecture in (("first", FIRST), ("second", SECOND)):
        save_architecture(architecture, tmp_path / f"{name}.json")
    return lambda *overrides: load_search(path, list(overrides))


@pytest.fixture
def both(tmp_path):
    return f"Search.start=[{tmp_path / 'first.json'}, {tmp_path / 'second.json'}]"


def tried(folder):
    with closing(TrialStore(folder / TRIALS, read_only=True)) as store:
        return [(trial.architecture, trial.state, trial.reward) for trial in store.trials()]


@pytest.mark.parametrize(
    "strategy",
    [
        "{name: Evolution, population: 4, tournament: 3}",
        "{name: AutoDLAgent, hidden: 8, batch_size: 3}",
        "{name: LocalSearch}",
        "{name: Surrogate, initial: 3, model: ridge}",
    ],
)
def test_what_is_named_is_tried_first_and_learned_from(config, both, tmp_path, strategy):
    result = run_search(config(both, f"Strategy={strategy}"), tmp_path / "run")
    found = tried(result.folder)
    assert [architecture for architecture, _, _ in found[:2]] == [FIRST, SECOND]
    assert len(found) == len({architecture for architecture, _, _ in found}) == 8
    assert all(state is TrialState.COMPLETE for _, state, _ in found)


def test_evolution_breeds_from_what_was_named(config, both, tmp_path):
    """Its population of four has the two named ones in it: with them gone its children differ."""
    run_search(config(both), tmp_path / "named")
    run_search(config(), tmp_path / "alone")
    named, alone = tried(tmp_path / "named"), tried(tmp_path / "alone")
    # proposals 2 and 3 fill the population, and are those of the search without a start
    assert named[2:4] == alone[2:4]
    assert named[4:] != alone[4:]


def test_what_is_named_is_not_proposed_again_by_a_strategy_that_begins_with_it(config, tmp_path):
    """The source of a transfer is its own first proposal, too."""
    named = str(tmp_path / "first.json")
    strategy = "Strategy={name: ElasticTransfer, population: 3, tournament: 2}"
    transfer = config(strategy, f"Search.source={named}", f"Search.start=[{named}]")
    run_search(transfer, tmp_path / "run")
    found = [architecture for architecture, _, _ in tried(tmp_path / "run")]
    assert found[0] == FIRST
    assert found.count(FIRST) == 1


def test_a_strategy_goes_on_with_the_number_of_trials_that_it_began_with(
    config, tmp_path, monkeypatch
):
    """The agent makes its rate and batches of it: others in mid-run would be another search."""
    counts, plain = [], run_module.make_strategy

    def make(config, space, source, trials):
        counts.append(trials)
        return plain(config, space, source, trials)

    monkeypatch.setattr(run_module, "make_strategy", make)
    for trials in (2, 3, 4):
        run_search(config(f"Search.max_trials={trials}"), tmp_path / "run", resume=trials > 2)
    assert counts == [None, 2, 2]


def test_the_best_of_a_run_can_be_named_beside_a_file(config, tmp_path):
    earlier = run_search(config("Search.max_trials=3"), tmp_path / "earlier")
    named = f"Search.start=[{tmp_path / 'first.json'}, {tmp_path / 'earlier'}]"
    run_search(config(named, "Global.seed=9"), tmp_path / "run")
    assert tried(tmp_path / "run")[1][0] == earlier.best.architecture


def test_a_run_goes_on_without_the_files_that_it_began_with(config, both, tmp_path):
    run_search(config(both), tmp_path / "whole")
    run_search(config(both, "Search.max_trials=3"), tmp_path / "parts")
    (tmp_path / "first.json").unlink()
    shutil.rmtree(tmp_path / "parts" / "vdl")
    run_search(config(both, "Search.max_trials=5"), tmp_path / "parts", resume=True)
    run_search(config(), tmp_path / "parts", resume=True)
    assert tried(tmp_path / "parts") == tried(tmp_path / "whole")


def test_a_run_with_another_start_is_another_run(config, both, tmp_path):
    run_search(config(), tmp_path / "run")
    assert "Start" not in json.loads((tmp_path / "run" / MANIFEST).read_text())["identity"]
    with pytest.raises(StoreError, match="holds another run: Start"):
        run_search(config(both), tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    "start, more, message",
    [
        ("[nowhere.json]", (), "Search.start: .*is no run folder"),
        ("[first.json, second.json]", ("Search.max_trials=1",), "names 2 .*max_trials is 1"),
        ("[first.json, copy.json]", (), "first.json and .*copy.json are the same architecture"),
        ("[cell.json]", (), "Search.start: .*cell.json cannot be started from: .*CellPair"),
        ("[broken.json]", (), "Search.start|broken.json"),
        (
            "[first.json]",
            ("Evaluator={name: TrainEvaluator}", "Objectives.limits={parameters: 1000}"),
            "first.json is over Objectives.limits with parameters [0-9]",
        ),
    ],
)
def test_a_start_that_is_none_is_refused_in_one_line(
    config, tmp_path, monkeypatch, start, more, message
):
    monkeypatch.chdir(tmp_path)
    save_architecture(FIRST, tmp_path / "copy.json")
    save_architecture(CellSpace(nodes=3).sample(np.random.default_rng(0)), tmp_path / "cell.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(AutoDLError, match=message) as caught:
        run_search(config(f"Search.start={start}", *more), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_damaged_note_of_the_start_is_reported(config, both, tmp_path):
    run_search(config(both, "Search.max_trials=3"), tmp_path / "run")
    (tmp_path / "run" / START).write_text("[{}]")
    with pytest.raises(StoreError, match=r"cannot read .*start\.json"):
        run_search(config(both), tmp_path / "run", resume=True)


def test_a_space_without_rows_takes_no_start(config, both):
    with pytest.raises(ConfigError, match=r"Search\.start needs a space of rows .* object lacks"):
        find_start(config(both), object())
