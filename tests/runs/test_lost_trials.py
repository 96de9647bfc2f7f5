"""A store that lacks trials of its run is refused before anything is overwritten."""

from __future__ import annotations

import shutil
from contextlib import closing

import pytest

from autodl.config.reading import RawConfig
from autodl.errors import StoreError
from autodl.jobs.search.run import run_search
from autodl.jobs.train.run import best_of_run
from autodl.reports.run import read_run
from autodl.runs.folder import MANIFEST, read_manifest, update_manifest
from autodl.runs.lost_trials import check_trials
from autodl.runs.salvage import salvage_run
from autodl.runs.store import TrialStore
from autodl.search.config import resolve_search
from autodl.system.files import write_json

CONFIG = resolve_search(
    RawConfig(
        {
            "Search": {"max_trials": 12, "executor": "inline"},
            "Strategy": {"name": "RandomSearch"},
            "Space": {"name": "CellSpace", "nodes": 3},
            "Evaluator": {"name": "TokenCount"},
        }
    )
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search") / "run"
    run_search(CONFIG, folder)
    return folder


@pytest.fixture
def run(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("damage", ["empty", "missing", "another"])
def test_trials_that_are_missing_are_counted_and_nothing_is_overwritten(run, damage):
    path = run / "trials.sqlite"
    path.unlink()
    if damage == "empty":
        path.touch()
    elif damage == "another":
        TrialStore(path).close()
    before = contents(run)
    message = r"has 0 finished trials, but run\.json knows of 12: .*back-up.*--salvage"
    with pytest.raises(StoreError, match=message):
        run_search(CONFIG, run, resume=True)
    for read in (read_run, lambda folder: best_of_run(folder, 1)):
        with pytest.raises(StoreError, match=message):
            read(run)
    assert contents(run) == before


def test_a_run_that_never_came_to_its_end_is_known_by_its_best(run):
    manifest = read_manifest(run)
    del manifest["finished_trials"]
    write_json(run / MANIFEST, manifest)
    (run / "trials.sqlite").write_bytes(b"")
    with pytest.raises(StoreError, match=r"has 0 finished trials, but best\.json knows of 1"):
        check_trials(run)
    (run / "best.json").unlink()
    check_trials(run)


def test_after_salvaging_only_what_was_saved_is_expected(run):
    with closing(TrialStore(run / "trials.sqlite")) as store:
        store._db.execute("UPDATE trials SET evaluation = '{' WHERE id = 5")
    kept, lost, _ = salvage_run(run)
    assert (kept, lost) == (11, 1)
    check_trials(run)
    assert run_search(CONFIG, run, resume=True).finished == 12


def test_nothing_is_missing_where_nothing_is(tmp_path, run):
    check_trials(tmp_path / "nowhere")
    check_trials(tmp_path)
    check_trials(run)
    update_manifest(run, finished_trials=11)  # killed in a later start
    check_trials(run)
