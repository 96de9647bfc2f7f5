"""A plugin that lacks something is told so in one line, before a trial is evaluated."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from autodl.errors import PluginError
from autodl.jobs.search.parts import load_search
from autodl.jobs.search.run import run_search

ROOT = Path(__file__).resolve().parents[3]
WHOLE = """
from dataclasses import dataclass

from autodl.assemble import register
from autodl.spaces.codec import register_architecture
from autodl.trial import Evaluation


@dataclass(frozen=True)
class Row:
    bits: tuple

    def to_json(self):
        return {"kind": "bits", "version": 1, "bits": list(self.bits)}


class Bits:
    kind = "bits"
    sizes = (2, 2, 2, 2)

    def sample(self, rng):
        return Row(tuple(rng.integers(2, size=4).tolist()))

    def check(self, architecture):
        return architecture

    def encode(self, architecture):
        return np.array(architecture.bits)

    def decode(self, row):
        return Row(tuple(int(bit) for bit in row))


class Guess:
    batch_size = None

    def __init__(self, space, *, seed):
        self.space = space

    def ask(self, rng):
        return self.space.sample(rng)

    def tell(self, trial):
        pass

    def state(self):
        return {}

    def restore(self, state):
        pass


class Ones:
    def __call__(self, architecture, rng):
        return Evaluation(float(sum(architecture.bits)))


import numpy as np

register("Space", "Bits", None, Bits)
register("Strategy", "Guess", None, Guess)
register("Evaluator", "Ones", None, Ones)
register_architecture("bits", lambda value: Row(tuple(value["bits"])))
"""
CONFIG = """
Global: {plugins: [PLUGIN]}
Search: {max_trials: 5, executor: inline}
Space: {name: Bits}
Strategy: {name: Guess}
Evaluator: {name: Ones}
"""
SAMPLE = "return Row(tuple(rng.integers(2, size=4).tolist()))"
TO_JSON = 'return {"kind": "bits", "version": 1, "bits": list(self.bits)}'
BROKEN = [  # what is changed in the plugin, to what, and what the message says
    (
        "    def sample(self, rng):",
        "    def draw(self, rng):",
        "its Bits lacks sample(rng) and arch",
    ),
    ("    def sample(self, rng):", "    def sample(self):", "lacks sample(rng)"),
    (SAMPLE, "return None", "Space Bits: its architecture of type NoneType cannot be stored"),
    (SAMPLE, "return [0, 1]", "type list cannot be stored"),
    (SAMPLE, "return Row(rng.integers(2, size=4))", "changes when it is stored|cannot be stored"),
    (SAMPLE, "raise KeyError('no row')", "KeyError.*no row"),
    ("    def to_json(self):", "    def as_json(self):", "type Row cannot be stored"),
    ("    def to_json(self):", "    def to_json(self, deep):", "type Row cannot be stored"),
    (TO_JSON, "return list(self.bits)", "an object with a 'kind'"),
    (TO_JSON, 'return {"bits": list(self.bits)}', "an object with a 'kind'"),
    (TO_JSON, 'return {"kind": "bits", "bits": self}', "gives plain values"),
    (TO_JSON, 'return {"kind": "bits"}', "lacks 'bits'"),
    ("frozen=True", "frozen=False", "unhashable"),
    (
        'register_architecture("bits", ',
        '(lambda *given: 0)("bits", ',
        "has to call register_arch",
    ),
    ('Row(tuple(value["bits"]))', "None", "cannot be stored and read again"),
    ('Row(tuple(value["bits"]))', "Row((0, 0, 0, 0))", "changes when it is stored"),
    ("return np.array(architecture.bits)", "return [1, 0], [1]", "encode gives a row of 4|inhomog"),
    (
        "return np.array(architecture.bits)",
        "return np.zeros(4)",
        "encode gives a row of 4 int",
    ),
    ("    sizes = (2,", "    steps = 5\n    sizes = (2,", "steps has each of the 4 decisions once"),
    ("    sizes = (2,", "    choices = 'ab'\n    sizes = (2,", "choices, repeated, is sizes"),
    ("    sizes = (2,", "    choices = (3,)\n    sizes = (2,", "choices, repeated, is sizes"),
    ("int(bit) for bit in row", "1 - int(bit) for bit in row", "gives another row"),
    ("    batch_size = None", "    pass", "Strategy Guess: its Guess lacks batch_size"),
    ("    batch_size = None", "    batch_size = 0", "batch_size is None or a whole number"),
    (
        "    batch_size = None",
        "    batch_size = True",
        "batch_size is None or a whole number",
    ),
    ("    def ask(self, rng):", "    def ask(self):", "Strategy Guess: its Guess lacks ask(rng)"),
    ("    def tell(self, trial):", "    def told(self, trial):", "lacks tell(trial)"),
    ("    def restore(self, state):", "    def restore(self):", "lacks restore(state)"),
    ("return {}", "return {1: 2}", "state cannot be stored"),
    ("return {}", "return None", "state cannot be stored"),
    ("space, *, seed", "space", "its factory is called with 1 values by place and seed by name"),
    ("return self.space.sample(rng)", "return 7", "an architecture has a method to_json"),
    ("return self.space.sample(rng)", "return self.room", "has no attribute 'room'"),
    (
        "    def tell(self, trial):",
        "    def tell(self, trial):\n        raise ValueError('x')",
        "x",
    ),
    ("    def __call__(self, architecture, rng):", "    def score(self, a, r):", "lacks __call__"),
    ("    def __call__(self, architecture, rng):", "    def __call__(self, a):", "lacks __call__"),
    ('"Space", "Bits", None, Bits', '"Space", "Bits", None, None', "is a class or a function"),
    ('"Space", "Bits", None, Bits', '"Space", "Bits", dict, Bits', "a subclass of Section"),
    ('"Space", "Bits", None, Bits', '"Space", "Bits", "json:loads", Bits', "are no Section"),
    ('"Space", "Bits", None, Bits', '"Space", "Bits", None, "lost:Bits"', "cannot be imported"),
    ('"Space", "Bits", None, Bits', '"Space", "Bits", None, lambda size: Bits()', "'size'"),
    ('"Space", "Bits", None, Bits', '"Space", "Bits", None, dict', "lacks sample(rng)"),
    ('"Strategy", "Guess", None, Guess', '"Strategy", "Guess", None, lambda s, seed: 3', "lacks"),
]


@pytest.fixture
def kinds(monkeypatch, own_tables):
    """Kinds of architectures that plugins may add to, without a trace in other tests."""
    from autodl.spaces import codec

    monkeypatch.setattr(codec, "_DECODERS", dict(codec._DECODERS))


def search(tmp_path, source, *overrides):
    (tmp_path / "mine.py").write_text(source)
    (tmp_path / "config.yaml").write_text(CONFIG.replace("PLUGIN", str(tmp_path / "mine.py")))
    return run_search(load_search(tmp_path / "config.yaml", overrides), tmp_path / "run")


def test_the_whole_plugin_runs(tmp_path, kinds):
    assert search(tmp_path, WHOLE).finished == 5


@pytest.mark.parametrize("old, new, wanted", BROKEN)
def test_what_is_missing_is_named(tmp_path, kinds, capsys, old, new, wanted):
    """Through the tool, which prints what a plugin raises in one line as well."""
    from autodl.system.console import run_tool

    assert old in WHOLE
    assert run_tool(lambda: search(tmp_path, WHOLE.replace(old, new)).finished) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert re.search(wanted.replace("(", r"\(").replace(")", r"\)"), line), line


def test_a_space_without_a_list_is_none_for_exhaustive_search(tmp_path, kinds):
    from autodl.errors import ConfigError

    with pytest.raises(ConfigError, match=r"ExhaustiveSearch needs .*architectures"):
        search(tmp_path, WHOLE.replace("sizes", "widths"), "Strategy.name=ExhaustiveSearch")


def test_numbers_of_an_update_are_counted(tmp_path, kinds):
    extra = "    def diagnostics(self):\n        return {'loss': 1.0}\n\n    def tell("
    with pytest.raises(PluginError, match="no 'update'"):
        search(tmp_path, WHOLE.replace("    def tell(", extra))


@pytest.mark.parametrize("value", ["7.0", "None", "raise ValueError('no score')"])
def test_an_evaluator_that_never_gives_a_result_ends_the_search_early(tmp_path, kinds, value):
    result = value if value.startswith("raise") else f"return {value}"
    source = WHOLE.replace("return Evaluation(float(sum(architecture.bits)))", result)
    often = ("Search.max_trials=100", "Search.reuse=false", "Search.repeat=allowed")
    found = search(tmp_path, source, *often)  # the space has 16 architectures
    assert (found.best, found.finished) == (None, 20)
    assert found.stopped.startswith("the first 20 trials failed, all like this: ")
    assert ("no score" if "raise" in value else "an evaluator returns an Evaluation") in (
        found.stopped
    )


def test_a_plugins_error_names_its_file_and_line_in_a_process_of_its_own(tmp_path):
    source = WHOLE.replace("return self.space.sample(rng)", "return self.room")
    line = source.splitlines().index("        return self.room") + 1
    (tmp_path / "mine.py").write_text(source)
    (tmp_path / "config.yaml").write_text(CONFIG.replace("PLUGIN", str(tmp_path / "mine.py")))
    command = ["-c", str(tmp_path / "config.yaml"), "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "search.py", *command], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: the plugin mine.py, line {line}, in ask: AttributeError")
