"""The tool that measures layers and predicts networks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from autodl.networks.onednn import training_kernels
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import save_architecture
from autodl.training.device import computing_on

TINY = """
Global: {seed: 0, device: cpu}
Space: {name: CellSpace, nodes: 3, operations: [conv_1x1, max_pool_3x3, skip_connect]}
Network: {width: 4, cells_per_stage: 1, stages: 2, bottleneck: 1}
Data: {name: cifar10, image_size: 8}
"""


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def architecture(tmp_path):
    path = tmp_path / "best.json"
    space = CellSpace(3, ("conv_1x1", "max_pool_3x3", "skip_connect"))
    save_architecture(space.sample(np.random.default_rng(1)), path)
    return path


def test_measure_predict_check(call, refused, tiny, architecture, tmp_path) -> None:
    table, plot = tmp_path / "table.json", tmp_path / "check.svg"
    done = call("latency", "measure", "-c", tiny, "--out", table, "--repetitions", 2)
    assert done.code == 0, done.err
    assert f"wrote {table}" in done.out
    assert "layers and 10 networks, 2 rounds on cpu" in done.err

    given = ("latency", "predict", architecture, "-c", tiny, "--table", table)
    done = call(*given)
    assert (done.code, done.err) == (0, "")
    assert "ms, batch 1, " in done.out
    answer = json.loads(call(*given, "--json").out)
    assert answer["latency_ms"] > 0
    assert answer["batch_size"] == 1

    given = ("latency", "check", "-c", tiny, "--table", table, "--networks", 3)
    done = call(*given, "--out", plot)
    assert done.code == 0, done.err
    assert "3 random networks" in done.out
    assert plot.read_text().startswith("<?xml")
    assert json.loads(call(*given, "--json").out)["networks"] == 3

    _foreign(call, refused, table, tiny, architecture)


def _foreign(call, refused, table, tiny, architecture) -> None:
    """A table of another machine is refused, unless it is wanted."""
    content = json.loads(table.read_text())
    content["machine"]["device"] = "Telephone"
    table.write_text(json.dumps(content))
    given = ("predict", architecture, "-c", tiny, "--table", table)
    refused("was measured with another device: 'Telephone'", "latency", *given)
    refused("are for, give --allow-foreign", "latency", *given)
    assert "Telephone" in call("latency", *given, "--allow-foreign").out
    wanted = f"autodl latency measure -c CONFIG --out {table}"
    refused(wanted, "latency", "check", "-c", tiny, "--table", table)


TRAINING = """
Global: {seed: 0, device: cpu}
Data: {name: cifar10-mini, image_size: 8}
Train: {epochs: 1, batch_size: 100}
"""
STAGES = f"""{TRAINING}
Search: {{max_trials: 1, executor: inline}}
Strategy: {{name: RandomSearch}}
Space:
  {{name: StageSpace, stages: 1, reductions: [stride], convolutions: [1], kernels: [3],
   forms: [dense], residuals: [none], activations: [relu], stems: [whitened]}}
Network: {{name: StageNetwork, macs: 1.0e+5}}
Evaluator: {{name: TrainEvaluator}}
"""


def test_from_a_grid_to_a_network_that_is_tested(call, refused, tmp_path) -> None:
    """Its widths are solved for milliseconds; once the search has begun the file may go."""
    config, table = tmp_path / "stages.yaml", tmp_path / "steps.json"
    config.write_text(STAGES)
    given = ("latency", "measure", "--grid", "-c", config, "--out", table, "--repetitions", 1)
    done = call(*given)
    assert done.code == 0, done.err
    assert "7 kinds of layers in" in done.err
    assert "1 rounds on cpu" in done.err
    assert f"wrote {table}" in done.out

    budget = f"Network={{name: StageNetwork, picture_ms: 0.05, step_table: {table}}}"
    done = call("search", "-c", config, "--out", tmp_path / "run", "-o", budget)
    assert done.code == 0, done.err
    predict = ("latency", "predict", tmp_path / "run", "--table", table)
    answer = json.loads(call(*predict, "--json").out)
    assert answer["picture_ms"] > 0
    assert answer["batch_size"] == 100
    with computing_on("cpu"):
        kernels = training_kernels()
    said = f"ms a picture, forth and back, by the kernels of {kernels}, batch 100, "
    assert said in call(*predict).out
    check = ("latency", "check", "-c", config, "--table", table, "--networks", 2)
    assert "2 random networks" in call(*check).out

    training = tmp_path / "train.yaml"
    training.write_text(TRAINING)
    given = ("train", "-c", training, "--run", tmp_path / "run", "--out", tmp_path / "best")
    refused("cannot read the step table", *given, "-o", budget.replace("steps", "gone"))
    assert call(*given, "-o", budget).code == 0
    table.unlink()
    assert call("eval", tmp_path / "best" / "trial-0000").code == 0


def test_mistakes(refused, tiny, architecture, tmp_path) -> None:
    table = tmp_path / "table.json"
    given = ("latency", "predict", architecture, "--table", table)
    refused("cannot read the latency table", *given)
    table.write_text("{}")
    refused("is no latency table", *given)
    refused("--repetitions", "latency", "measure", "-c", tiny, "--out", table, "--repetitions", 0)
    refused("required", "latency", "measure", "-c", tiny)
    refused("required", "latency")
    refused("invalid choice", "latency", "guess")
    refused("Did you mean", "latency", "measure", "-c", "search/demmo.yaml", "--out", table)
