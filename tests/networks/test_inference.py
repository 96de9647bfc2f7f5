"""Paddle's inference format and engine give what the network gives."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.networks.inference import (
    InferenceEngine,
    Latency,
    eager,
    save_inference,
    threads,
    time_runners,
)
from autodl.networks.network import PlanNetwork
from autodl.spaces.classic.cifar_quick import cifar_quick_plan
from autodl.spaces.classic.repvgg import repvgg_plan

PLANS = {
    "cifar_quick": cifar_quick_plan(image_size=15, classes=4),
    "squeeze": repvgg_plan(
        variant="D2se", layers=(1, 1, 1, 1), width=0.1, image_size=16, classes=3
    ),
}


def pictures(plan, count):
    return np.random.default_rng(0).normal(size=(count, *plan.input_shape)).astype("float32")


@pytest.mark.parametrize("name", PLANS)
def test_the_engine_gives_the_outputs_of_the_network(name, tmp_path):
    """1e-5 of the largest output: float32 sums of up to 1,000 terms in another order."""
    plan = PLANS[name]
    network = PlanNetwork(plan, seed=0)
    network.eval()
    expected = {count: eager(network)(pictures(plan, count)) for count in (1, 3)}
    program, weights = save_inference(network, tmp_path / "inference", plan.input_shape)
    assert {path.name for path in tmp_path.iterdir()} == {program, weights}
    assert (program, weights) == ("inference.json", "inference.pdiparams")
    engine = InferenceEngine(tmp_path, program, weights, plan.input_shape)
    for count in (3, 1, 3):  # batches of changing size
        found = engine(pictures(plan, count))
        assert found.shape == (count, *plan.output_shape)
        largest = np.abs(expected[count]).max()
        np.testing.assert_allclose(found, expected[count], rtol=0, atol=1e-5 * largest)
    again = eager(network)(pictures(plan, 3))
    np.testing.assert_array_equal(again, expected[3])  # saving has not changed the network


def test_the_engine_says_nothing(tmp_path, capfd):
    """Paddle 3.3 prints remarks of its own at the first run; `--json` must stay readable."""
    plan = PLANS["squeeze"]
    network = PlanNetwork(plan, seed=0)
    network.eval()
    files = save_inference(network, tmp_path / "inference", plan.input_shape)
    capfd.readouterr()
    InferenceEngine(tmp_path, *files, plan.input_shape)(pictures(plan, 2))
    assert capfd.readouterr().out == ""


def test_eager_is_in_evaluation_mode_without_gradients():
    network = paddle.nn.Sequential(paddle.nn.Dropout(0.5), paddle.nn.BatchNorm2D(3))
    images = np.ones((2, 3, 2, 2), np.float32)
    np.testing.assert_allclose(eager(network)(images), images, rtol=1e-5)  # epsilon of 1e-5
    assert not network.training


@pytest.mark.parametrize("value, expected", [("3", 3), ("", 1), ("0", 1), ("many", 1)])
def test_threads(monkeypatch, value, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads() == expected


def test_every_runner_is_timed_at_every_batch_size():
    shapes = {"a": [], "b": []}
    runners = {name: (lambda x, name=name: shapes[name].append(x.shape)) for name in shapes}
    found = time_runners(runners, (3, 4, 4), batch_sizes=(1, 5), repetitions=4)
    assert {name: list(row) for name, row in found.items()} == {"a": [1, 5], "b": [1, 5]}
    for row in found.values():
        for latency in row.values():
            assert 0 < latency.low <= latency.median <= latency.high
    for seen in shapes.values():
        assert set(seen) == {(1, 3, 4, 4), (5, 3, 4, 4)}
        assert len(seen) >= 2 * 4


def test_latency_for_people():
    assert str(Latency(1.2345, 1.2, 123.4)) == "1.23 (1.2 to 123)"
