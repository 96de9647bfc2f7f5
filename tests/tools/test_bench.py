"""The tool that measures how fast the parts are."""

from __future__ import annotations

import json

import pytest

from autodl.jobs.bench import parts as benchmarks


@pytest.fixture
def known(monkeypatch):
    table = {"one": lambda: {"step_ms": 1.5}, "two": lambda: {"rate_per_second": 3, "seeds": [1]}}
    monkeypatch.setattr(benchmarks, "BENCHMARKS", table)


def test_a_real_one(call):
    done = call("bench", "augment", "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["batch_128_pictures_per_second"] > 0


@pytest.mark.usefixtures("known")
def test_as_json(call):
    assert json.loads(call("bench", "one", "--json").out) == {"step_ms": 1.5}
    assert json.loads(call("bench", "all", "--json").out) == {
        "one": {"step_ms": 1.5},
        "two": {"rate_per_second": 3, "seeds": [1]},
    }


@pytest.mark.usefixtures("known")
def test_as_text(call):
    assert call("bench", "one").out == "one\n  step_ms: 1.5\n"
    done = call("bench", "all")
    assert done.out == "one\n  step_ms: 1.5\ntwo\n  rate_per_second: 3\n  seeds: [1]\n"


def test_an_unknown_name(refused):
    refused("unknown benchmark 'augmen'. Did you mean 'augment'?", "bench", "augmen")
