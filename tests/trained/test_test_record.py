"""The record of the one test is kept twice, and a lost file is written again."""

from __future__ import annotations

import json

import pytest

from autodl.errors import StoreError
from autodl.runs.folder import MANIFEST, TEST, read_manifest, update_manifest
from autodl.system.files import write_json
from autodl.trained import test_record as records

RESULT = {"accuracy": 0.5, "weights_sha256": "a"}


@pytest.fixture
def folder(tmp_path):
    write_json(tmp_path / MANIFEST, {"identity": {}, "starts": []})
    return tmp_path


def test_nothing_is_on_record_before_it_is_kept(folder):
    assert records.read_test(folder, "a") is None
    records.keep_test(folder, RESULT)
    assert records.read_test(folder, "a") == RESULT
    assert records.read_test(folder, "b") is None
    assert read_manifest(folder)["test"] == json.loads((folder / TEST).read_text()) == RESULT


def test_a_lost_file_is_written_again_and_a_lost_manifest_not_missed(folder):
    records.keep_test(folder, RESULT)
    (folder / TEST).unlink()
    assert records.read_test(folder, "a") == RESULT
    assert json.loads((folder / TEST).read_text()) == RESULT
    update_manifest(folder, test=None)  # of an earlier release
    assert records.read_test(folder, "a") == RESULT


def test_a_kill_between_the_two_leaves_the_newer_one(folder):
    records.keep_test(folder, {**RESULT, "weights_sha256": "old"})
    update_manifest(folder, test=RESULT)
    assert records.read_test(folder, "a") == RESULT


@pytest.mark.parametrize("text", ["{half", "[]", "{}", '{"accuracy": 1, "weights_sha256": "a"}'])
def test_a_damaged_file_is_refused(folder, text):
    records.keep_test(folder, RESULT)
    (folder / TEST).write_text(text)
    with pytest.raises(StoreError, match=r"test\.json"):
        records.read_test(folder, "a")


def test_a_damaged_manifest_is_refused(folder):
    update_manifest(folder, test=[1])
    with pytest.raises(StoreError, match=r"run\.json is damaged: test is no result"):
        records.read_test(folder, "a")
