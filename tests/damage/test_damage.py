"""A sample of what ``damage.py`` tries in full: damaged runs are read right or refused."""

from __future__ import annotations

import random

import pytest
from damage import CONTENTS, DAMAGES, VERBS, Damaged, damage

CASES = 20


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    return Damaged(tmp_path_factory.mktemp("damaged"))


def test_a_sample(damaged):
    rng = random.Random(5)
    cases = [case for case in damaged.cases(VERBS) if case[3] not in ("train --run", "train")]
    found = {case: damaged.outcome(*case) for case in rng.sample(cases, CASES)}
    assert {"right", "refused"} == set(found.values()), [
        (case, what) for case, what in found.items() if what not in ("right", "refused")
    ]


@pytest.mark.parametrize("how", ["empty", "deleted"])
def test_a_search_without_its_trials_is_not_begun_anew(damaged, how):
    assert damaged.outcome("search", "trials.sqlite", how, "--resume") == "refused"


def test_what_was_altered_is_found_out(damaged, monkeypatch):
    """The check itself: a verb that overwrites an intact file is a fault."""
    eraser = "report {root}/search --csv {root}/search/best.json"
    monkeypatch.setitem(VERBS["search"], "eraser", eraser)
    damaged._expected["search", "eraser"] = damaged._run("search", "report")
    assert damaged.outcome("search", "config.yaml", "empty", "eraser") != "right"


@pytest.mark.parametrize("how", DAMAGES)
def test_damages_damage(tmp_path, how):
    path = tmp_path / "file"
    path.write_bytes(b"something")
    damage(path, how, random.Random(0))
    assert not path.is_file() or path.read_bytes() != b"something"
    assert path.is_dir() == (how == "a folder")
    assert path.exists() == (how in CONTENTS or path.is_dir())
