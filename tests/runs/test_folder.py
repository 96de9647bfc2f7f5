"""The run folder: one writer, one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from autodl.errors import ConfigError, StoreError
from autodl.runs.folder import (
    CONFIG,
    MANIFEST,
    read_manifest,
    run_config,
    run_folder,
    update_manifest,
)

IDENTITY = {"Global": {"seed": 0}, "Space": {"name": "CellSpace", "operations": ("a", "b")}}
VALUES = {"Global": {"seed": 0}, "Search": {"max_trials": 3}}


def enter(folder, *, resume=False, identity=IDENTITY, **start):
    return run_folder(folder, VALUES, identity, start, resume=resume)


def begin(folder, **options):
    with enter(folder, **options):
        pass


def content(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_a_start_is_recorded(tmp_path):
    folder = tmp_path / "runs" / "first"
    with enter(folder, workers=2) as given:
        assert given == folder
    assert yaml.safe_load((folder / CONFIG).read_text()) == VALUES
    manifest = read_manifest(folder)
    (start,) = manifest["starts"]
    assert (start["workers"], start["command"]) == (2, sys.argv)
    assert manifest["identity"] == json.loads(json.dumps(IDENTITY))
    assert {"autodl", "python", "numpy", "paddlepaddle"} <= set(start["versions"])
    assert {"created", "starts", "identity"} <= set(manifest)
    assert "git" in start


def test_an_empty_folder_is_as_good_as_none_and_may_be_resumed(tmp_path):
    begin(tmp_path, resume=True)
    begin(tmp_path, resume=True)
    assert len(read_manifest(tmp_path)["starts"]) == 2


def test_what_a_run_ended_with_is_gone_when_it_goes_on(tmp_path):
    begin(tmp_path)
    update_manifest(tmp_path, ended="complete", best={"id": 3})
    assert read_manifest(tmp_path)["ended"] == "complete"
    begin(tmp_path, resume=True)
    assert "ended" not in read_manifest(tmp_path)


def test_a_run_is_not_started_over(tmp_path):
    begin(tmp_path)
    before = content(tmp_path)
    with pytest.raises(StoreError, match="is not empty: go on with it by --resume, or choose"):
        begin(tmp_path)
    assert content(tmp_path) == before


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_something_else_is_left_alone(tmp_path, resume):
    (tmp_path / CONFIG).write_text("of another project")
    with pytest.raises(StoreError, match="is not empty and holds no run"):
        begin(tmp_path, resume=resume)
    assert content(tmp_path) == {CONFIG: b"of another project"}


@pytest.mark.parametrize("names", [[".lock"], [".lock", ".run.json.0f3a.json"]])
def test_what_a_kill_leaves_before_the_manifest_is_no_run(tmp_path, names):
    for name in names:
        (tmp_path / name).touch()
    begin(tmp_path)
    assert len(read_manifest(tmp_path)["starts"]) == 1


def test_a_kill_between_manifest_and_config_can_be_resumed(tmp_path):
    begin(tmp_path)
    (tmp_path / CONFIG).unlink()
    begin(tmp_path, resume=True)
    assert yaml.safe_load((tmp_path / CONFIG).read_text()) == VALUES


@pytest.mark.parametrize(
    "identity, message",
    [
        ({**IDENTITY, "Global": {"seed": 1}}, "Global.seed was 0, now it is 1"),
        ({**IDENTITY, "Data": {"name": "x"}}, "Data was the default, now it is {'name': 'x'}"),
        ({"Global": {"seed": 0}}, "Space was {"),
        (
            {**IDENTITY, "Space": {"name": "CellSpace", "operations": ("a",)}},
            "Space.operations was ['a', 'b'], now it is ['a']",
        ),
    ],
)
def test_another_run_is_refused_and_the_key_is_named(tmp_path, identity, message):
    begin(tmp_path)
    before = content(tmp_path)
    with pytest.raises(StoreError) as error:
        begin(tmp_path, resume=True, identity=identity)
    assert message in str(error.value)
    assert "choose another --out folder" in str(error.value)
    assert content(tmp_path) == before


def test_a_second_start_is_refused_while_the_first_one_runs(tmp_path):
    with enter(tmp_path):
        with pytest.raises(StoreError, match="another process is writing to"):
            begin(tmp_path, resume=True)
        assert len(read_manifest(tmp_path)["starts"]) == 1
    begin(tmp_path, resume=True)


def test_a_second_process_is_refused_until_the_first_one_is_gone_however_it_ended(tmp_path):
    code = (
        "import sys; from pathlib import Path; from autodl.runs.folder import run_folder\n"
        "with run_folder(Path(sys.argv[1]), {}, {}, {}, resume=False):\n"
        "    print('open', flush=True); sys.stdin.read()"
    )
    folder = tmp_path / "run"
    root = str(Path(__file__).resolve().parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", code, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": root},
    ) as other:
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(StoreError, match="another process is writing to"):
            begin(folder, resume=True, identity={})
        other.kill()
        other.wait()
        begin(folder, resume=True, identity={})


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '"text"', "{}", '{"starts": 3}', '{"starts": []}', "\ud800"]
)
def test_a_damaged_manifest_is_refused(tmp_path, text):
    begin(tmp_path)
    (tmp_path / MANIFEST).write_text(text, encoding="utf-8", errors="surrogatepass")
    before = content(tmp_path)
    with pytest.raises(StoreError) as error:
        begin(tmp_path, resume=True)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)
    assert content(tmp_path) == before


def test_a_folder_without_a_manifest_is_no_run(tmp_path):
    with pytest.raises(StoreError, match=r"is no run folder: it has no run\.json"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", ["a file", "a file/below", "/proc/no/such"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path, name):
    (tmp_path / "a file").write_text("text")
    with pytest.raises(StoreError) as error:
        begin(tmp_path / name)
    text = str(error.value)
    assert text.startswith(f"cannot write to {tmp_path / name}: ")
    assert text.endswith("; choose another --out folder")
    assert (tmp_path / "a file").read_text() == "text"


def test_a_run_that_fails_says_so(tmp_path):
    with pytest.raises(ValueError, match="no more"), enter(tmp_path / "a"):
        raise ValueError("no more")
    assert read_manifest(tmp_path / "a")["ended"] == "failed: ValueError: no more"


def test_a_config_that_was_lost_is_not_taken_for_an_early_kill(tmp_path):
    begin(tmp_path / "run")
    (tmp_path / "run" / CONFIG).unlink()
    assert run_config(tmp_path / "run").values == {}
    (tmp_path / "run" / "trials.sqlite").touch()
    with pytest.raises(ConfigError, match=r"config\.yaml is missing, though trials\.sqlite was"):
        run_config(tmp_path / "run")
