"""The tool that measures on the test set."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def trained(small_training, tmp_path):
    return Path(shutil.copytree(small_training.folder, tmp_path / "trained"))


def test_a_second_call_repeats_the_record(call, trained):
    first, second = call("eval", trained), call("eval", trained)
    assert (first.code, first.err, second.code) == (0, "", 0)
    line, official, per_class = first.out.splitlines()
    record = json.loads((trained / "test.json").read_text())
    low, high = record["interval"]
    assert line == (
        f"{trained}: test accuracy {record['accuracy']:.4f} (95 %: {low:.4f} to {high:.4f}),"
        f" loss {record['loss']:.4f}, 200 pictures of cifar10-mini = CIFAR-10 (JPEG)"
    )
    assert official == "  the files are not the official ones: say so with the result"
    assert per_class.startswith("  per class: ")
    shares = [
        float(part.split()[-1]) for part in per_class.removeprefix("  per class: ").split(",")
    ]
    assert shares == sorted(shares)
    assert len(shares) == 10
    known = f"  measured on {record['time']}; the test set was not read again"
    assert second.out.splitlines() == [line, official, known, per_class]


def test_several_folders_as_json(call, trained, tmp_path):
    other = shutil.copytree(trained, tmp_path / "other")
    done = call("eval", trained, other, "--json", "-o", "Global.device=cpu")
    first, second = map(json.loads, done.out.splitlines())
    assert [first["folder"], second["folder"]] == [str(trained), str(other)]
    assert first["accuracy"] == second["accuracy"]
    assert not first["on_record"]


@pytest.mark.parametrize(
    "words",
    [
        ["-o", "Global.device=cpu", "Data.nothing=1"],  # several after one -o, as other tools
        ["-o", "Global.device=cpu", "-o", "Data.nothing=1"],
    ],
)
def test_every_override_is_looked_at(refused, trained, words):
    refused("-o Data.nothing=1: a test may change Data.path", "eval", trained, *words)
    assert not (trained / "test.json").exists()


def test_mistakes(refused, call, trained, tmp_path):
    refused("holds no finished training", "eval", tmp_path)
    refused("reads no Data.path", "eval", trained, "-o", f"Data.path={tmp_path}")
    refused("gpu:93", "eval", trained, "-o", "Global.device=gpu:93")
    assert not (trained / "test.json").exists()
    done = call("eval")
    assert done.code == 2
    assert "FOLDER" in done.err
