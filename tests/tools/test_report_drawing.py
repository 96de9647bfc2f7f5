"""Architectures as drawings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autodl.spaces.cell.architecture import CellPair
from autodl.spaces.codec import save_architecture
from autodl.spaces.fixed import FixedArchitecture
from autodl.system.resources import resource

TOOL = resource("tools") / "report.py"


@pytest.fixture(autouse=True)
def plain_pictures():
    """None is left out: here they are looked at."""


@pytest.fixture
def architecture(tmp_path):
    path = tmp_path / "best.json"
    save_architecture(CellPair.from_tokens([1, 5, 6, 8], [1, 0]), path)
    return path


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_draws(call, architecture, tmp_path, suffix):
    out = tmp_path / "new folder" / f"cell.{suffix}"
    done = call("report", architecture, "--out", out, "--title", "reward 0.41")
    assert (done.code, done.out) == (0, f"drew {out}\n")
    start = out.read_bytes()[:8]
    assert start == (b"\x89PNG\r\n\x1a\n" if suffix == "png" else b"<?xml ve")
    assert suffix == "png" or "reward 0.41" in out.read_text()


def test_draws_a_gallery_under_the_names_of_the_folders(call, tmp_path):
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        save_architecture(
            CellPair.from_tokens([1, 5, 6, 8], [1, 0]), tmp_path / name / "architecture.json"
        )
    files = [str(tmp_path / name / "architecture.json") for name in ("one", "two", "three")]
    out = tmp_path / "gallery.svg"
    assert call("report", *files, "--out", out).code == 0
    drawn = out.read_text()
    assert all(f">{name}<" in drawn for name in ("one", "two", "three"))
    (tmp_path / "own").mkdir()
    save_architecture(FixedArchitecture(), tmp_path / "own" / "architecture.json")
    done = call("report", *files, tmp_path / "own" / "architecture.json", "--out", out)
    assert (done.code, out.read_text()) == (0, drawn)
    assert "left out, since they have no architecture of their own: own\n" in done.out
    done = call("report", *files, "--out", out, "--title", "all")
    assert done.code == 2
    assert "--title is for a single architecture" in done.err
    assert "give one RUN, or --out FILE" in call("report", *files).err


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "cannot read the architecture"),
        ("{", "not JSON"),
        ('{"kind": "cell_pear", "version": 1}', "Did you mean 'cell_pair'?"),
        ('{"kind": "cell_pair", "version": 9}', "version"),
    ],
)
def test_bad_files_give_one_line_and_code_2(refused, tmp_path, content, message):
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_text(content)
    refused(message, "report", path, "--out", tmp_path / "cell.svg")
    assert not (tmp_path / "cell.svg").exists()


def test_bad_suffix(refused, architecture, tmp_path):
    out = tmp_path / "cell.pdf"
    refused("must end in .svg or .png", "report", architecture, "--out", out)


def test_runs_from_any_folder_without_display_or_installation(architecture, tmp_path):
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "PYTHONPATH")}
    done = subprocess.run(
        [sys.executable, str(Path(TOOL).resolve()), "best.json", "--out", "cell.svg"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "cell.svg").is_file()
