"""What a run has come to is not taken for what it was when it was damaged since."""

from __future__ import annotations

import re
import shutil

import pytest
from safetensors.numpy import load, save

from autodl.errors import AutoDLError, StoreError
from autodl.jobs.train.final_test import measure_once
from autodl.runs.folder import MANIFEST, SEALS, check_seals, read_manifest, update_manifest
from autodl.trained.folder import load_trained
from autodl.trained.network import best_trained, load_trained_network


@pytest.fixture
def run(small_training, tmp_path):
    return shutil.copytree(small_training.folder, tmp_path / "run")


def test_a_whole_run_is_accepted(run, tmp_path):
    assert set(read_manifest(run)[SEALS]) == {
        "config.yaml",
        "architecture.json",
        "weights.safetensors",
        "metrics.json",
    }
    check_seals(run)
    check_seals(tmp_path)  # no run
    (run / "metrics.json").unlink()
    update_manifest(run, **{SEALS: {}})  # as earlier releases left it
    check_seals(run)


def flip_a_weight(path):
    arrays = dict(load(path.read_bytes()))
    next(iter(arrays.values())).flat[0] += 1e-3
    path.write_bytes(save(arrays))


def change_a_digit(path):
    text = path.read_text()
    path.write_text(re.sub(r"0\.\d", lambda found: found[0][:-1] + "9", text, count=1))


@pytest.mark.parametrize(
    "name, change, reads",
    [
        ("weights.safetensors", flip_a_weight, (load_trained_network, measure_once)),
        ("metrics.json", change_a_digit, (load_trained, measure_once)),
    ],
)
def test_damage_that_reads_well_is_refused(run, name, change, reads):
    change(run / name)
    for read in reads:
        with pytest.raises(StoreError, match=rf"{name} is not what the run wrote: its SHA-256 is"):
            read(run)
    assert not (run / "test.json").exists()


def test_the_best_is_not_chosen_by_damaged_metrics(run):
    change_a_digit(run / "metrics.json")
    with pytest.raises(StoreError, match=r"metrics\.json is not what the run wrote"):
        best_trained(run.parent)


def test_a_file_that_is_gone_is_missed(run):
    (run / "weights.safetensors").unlink()
    with pytest.raises(AutoDLError, match="SHA-256 is none, it was"):
        check_seals(run)


def test_a_damaged_table_of_checksums(run):
    update_manifest(run, **{SEALS: [1]})
    with pytest.raises(StoreError, match=rf"{MANIFEST} is damaged: sha256 is no table"):
        check_seals(run)
