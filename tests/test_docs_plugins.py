"""The page on plugins, followed to the letter by somebody who has only the page."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
FILES = re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = re.findall(r"^    autodl (.+(?:\n {8}.+)*)", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, forked):
    """The folder after all commands of the page, in their order."""
    folder = tmp_path_factory.mktemp("page")
    for name, text in FILES:
        (folder / name).write_text(text)
    for line in COMMANDS:
        done = forked(*shlex.split(line.replace("\\\n", " ")), cwd=folder)
        assert done.code == 0, f"{line}\n{done.err}{done.out}"
    return folder


def test_the_page_has_files_and_commands():
    names = ["my_space.py", "my_evaluator.py", "my_strategy.py", "my_drawing.py", "my_search.yaml"]
    assert [name for name, _ in FILES] == [*names, "my_task.py", "my_goal.py", "my_operations.py"]
    assert len(COMMANDS) == 7


def test_the_space_is_about_twenty_lines():
    text = dict(FILES)["my_space.py"]
    body = text[text.index("class WidthsSpace") : text.index("register(")]
    assert len([line for line in body.splitlines() if line.strip()]) <= 20


def test_every_search_finds_something_and_is_drawn(folder):
    for run in ("mine", "random", "seven"):
        assert (folder / "runs" / run / "best.json").is_file()
        assert (folder / "runs" / run / "best.svg").is_file()
    svg = (folder / "runs" / "mine" / "best.svg").read_text()
    assert "channels" in svg
    assert "second" in svg


def test_the_task_is_learned_by_its_own_goal_as_well(folder):
    """The same examples and network, another loss: other weights, and the goal is on record."""
    found = {}
    for run in ("tones", "robust"):
        trained = folder / "runs" / run / "SequenceResNet"
        found[run] = (trained / "weights.safetensors").read_bytes()
        plugins = json.loads((trained / "run.json").read_text())["plugins"]
        added = [name for names in plugins.values() for name in names]
        assert ("Goal robust" in added) == (run == "robust")
    assert found["tones"] != found["robust"]


def test_the_html_report_shows_the_drawing_and_no_text_form(folder):
    page = (folder / "mine.html").read_text()
    assert "second" in page
    best = page[page.index("Best architectures") : page.index("Settings and manifest")]
    assert "three_widths" not in best  # the YAML of an architecture has its kind


def test_the_strategy_beats_chance_on_the_pages_own_problem(folder):
    """After the first twenty trials most proposals are near the best; of random ones few are."""
    means = {}
    for run in ("mine", "random"):
        with closing(sqlite3.connect(folder / "runs" / run / "trials.sqlite")) as store:
            rows = store.execute(
                "SELECT reward FROM trials WHERE id >= 20 AND reward IS NOT NULL"
            ).fetchall()
        means[run] = sum(reward for (reward,) in rows) / len(rows)
    assert means["mine"] > means["random"]
