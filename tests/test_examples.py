"""The notebooks in examples/ run from top to bottom."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

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
    train=replace(train, images=train.images[:60], labels=train.labels[:60]),
    test=replace(test, images=test.images[:20], labels=test.labels[:20]),
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
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "right" in done.stdout


def test_the_saved_table_is_that_of_the_networks_that_ship():
    notebook = json.loads((EXAMPLES / "released_networks.ipynb").read_text(encoding="utf-8"))
    first = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    assert "".join(first["outputs"][0]["text"]).strip() == overview().strip(), "run it and save it"
