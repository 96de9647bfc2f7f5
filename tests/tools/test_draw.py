"""The tool that draws an architecture."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autodl.spaces.cell.architecture import CellPair
from autodl.spaces.codec import save_architecture
from autodl.system.resources import resource

TOOL = resource("tools") / "draw.py"


@pytest.fixture(scope="module")
def main():
    spec = importlib.util.spec_from_file_location("tool_draw", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture
def architecture(tmp_path):
    path = tmp_path / "best.json"
    save_architecture(CellPair.from_tokens([1, 5, 6, 8], [1, 0]), path)
    return path


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_draws(main, architecture, tmp_path, capsys, suffix):
    out = tmp_path / "new folder" / f"cell.{suffix}"
    assert main([str(architecture), "--out", str(out), "--title", "reward 0.41"]) == 0
    assert capsys.readouterr().out == f"drew {out}\n"
    start = out.read_bytes()[:8]
    assert start == (b"\x89PNG\r\n\x1a\n" if suffix == "png" else b"<?xml ve")
    assert suffix == "png" or "reward 0.41" in out.read_text()


def test_draws_a_gallery_under_the_names_of_the_folders(main, tmp_path, capsys):
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        save_architecture(
            CellPair.from_tokens([1, 5, 6, 8], [1, 0]), tmp_path / name / "architecture.json"
        )
    files = [str(tmp_path / name / "architecture.json") for name in ("one", "two", "three")]
    out = tmp_path / "gallery.svg"
    assert main([*files, "--out", str(out)]) == 0
    drawn = out.read_text()
    assert all(f">{name}<" in drawn for name in ("one", "two", "three"))
    with pytest.raises(SystemExit) as stopped:
        main([*files, "--out", str(out), "--title", "all"])
    assert stopped.value.code == 2
    assert "--title is for a single architecture" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "cannot read the architecture"),
        ("{", "not JSON"),
        ('{"kind": "cell_pear", "version": 1}', "Did you mean 'cell_pair'?"),
        ('{"kind": "cell_pair", "version": 9}', "version"),
    ],
)
def test_bad_files_give_one_line_and_code_2(main, tmp_path, capsys, content, message):
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_text(content)
    assert main([str(path), "--out", str(tmp_path / "cell.svg")]) == 2
    output = capsys.readouterr()
    assert output.err.startswith("error: ")
    assert output.err.count("\n") == 1
    assert message in output.err
    assert not (tmp_path / "cell.svg").exists()


def test_bad_suffix(main, architecture, tmp_path, capsys):
    assert main([str(architecture), "--out", str(tmp_path / "cell.pdf")]) == 2
    assert "must end in .svg or .png" in capsys.readouterr().err


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


def test_help_imports_nothing_heavy():
    program = (
        "import runpy, sys\n"
        "sys.argv = ['draw.py', '--help']\n"
        "try: runpy.run_path(sys.argv.pop(0) and TOOL, run_name='__main__')\n"
        "except SystemExit as stop: assert not stop.code\n"
        "assert not {'numpy', 'matplotlib', 'paddle'} & set(sys.modules)\n"
    ).replace("sys.argv.pop(0) and TOOL", repr(str(TOOL)))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "--title" in done.stdout
