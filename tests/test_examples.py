"""The notebooks in examples/ run from top to bottom."""

from __future__ import annotations

import json
import os
import runpy
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import matplotlib
import pytest

from autodl.release.overview import overview

# The first pictures do; what the notebook says of all is saved in it.
FEWER = """
from dataclasses import replace
from autodl.data import sample
whole = sample.load_sample()
train, test = whole.train, whole.test
fewer = replace(
    whole,
    train=replace(train, images=train.images[:30], labels=train.labels[:30]),
    test=replace(test, images=test.images[:16], labels=test.labels[:16]),
)
sample.load_sample = lambda: fewer
"""
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.mark.parametrize("name", ["released_networks"])
def test_runs(name, tmp_path):
    path = EXAMPLES / f"{name}.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert all(cell["outputs"] for cell in cells), "a cell without an output: run it and save it"
    script = tmp_path / "notebook.py"
    sources = [FEWER, *("".join(cell["source"]) for cell in cells)]
    script.write_text("\n\n".join(sources), encoding="utf-8")
    child = os.fork()  # importing takes longer than much of it
    if not child:
        _run(script, tmp_path / "out")
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    out = (tmp_path / "out").read_text()
    assert code == 0, out
    assert "right" in out


def _run(script, out):
    """End this process by a script that runs where it stands."""
    code = 1
    with open(out, "w") as file, redirect_stdout(file), redirect_stderr(file):
        try:
            matplotlib.use("agg")
            os.chdir(script.parent)
            runpy.run_path(str(script), run_name="__main__")
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            file.flush()
            os._exit(code)


def test_the_saved_table_is_that_of_the_networks_that_ship():
    notebook = json.loads((EXAMPLES / "released_networks.ipynb").read_text(encoding="utf-8"))
    first = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    assert "".join(first["outputs"][0]["text"]).strip() == overview().strip(), "run it and save it"
