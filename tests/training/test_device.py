"""Choosing a device, and what is said when it is not there."""

from __future__ import annotations

import time

import paddle
import pytest

from autodl.errors import DeviceError
from autodl.training.device import compute_clock, resolve_device, select_device


@pytest.fixture(autouse=True)
def keep_device():
    before = paddle.get_device()
    yield
    paddle.set_device(before)


def fake(monkeypatch, gpus, compiled=True):
    monkeypatch.setattr(paddle.device, "is_compiled_with_cuda", lambda: compiled)
    monkeypatch.setattr(paddle.device.cuda, "device_count", lambda: gpus)
    chosen = []
    monkeypatch.setattr(paddle, "set_device", chosen.append)
    return chosen


def test_the_clock_of_a_gpu_is_on_the_wall(monkeypatch):
    assert compute_clock() is time.process_time
    monkeypatch.setattr(paddle, "get_device", lambda: "gpu:1")
    assert compute_clock() is time.perf_counter


def test_cpu():
    assert select_device("cpu") == "cpu"
    assert paddle.get_device() == "cpu"


@pytest.mark.parametrize(
    "name, gpus, expected",
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "gpu:0"),
        ("gpu", 2, "gpu:0"),
        ("gpu:1", 2, "gpu:1"),
        ("cpu", 2, "cpu"),
    ],
)
def test_names(monkeypatch, name, gpus, expected):
    chosen = fake(monkeypatch, gpus)
    assert resolve_device(name) == expected
    assert not chosen
    assert select_device(name) == expected
    assert chosen == [expected]


@pytest.mark.parametrize(
    "name, expected", [("auto", "gpu:1"), ("gpu", "gpu:1"), ("gpu:0", "gpu:0")]
)
def test_the_gpu_of_a_launched_process(monkeypatch, name, expected):
    fake(monkeypatch, 2)
    monkeypatch.setenv("FLAGS_selected_gpus", "1")
    assert resolve_device(name) == expected


@pytest.mark.parametrize("name", ["tpu", "GPU", "gpu:", "gpu:x", "gpu:-1", "cpu:0", "", "gpu:0 "])
def test_unknown_names(name):
    with pytest.raises(DeviceError, match=r"is auto, cpu, gpu or gpu:N, got '"):
        select_device(name)


@pytest.mark.parametrize(
    "name, gpus, compiled, hint",
    [
        ("gpu", 0, False, "Global.device=cpu, or install paddlepaddle-gpu$"),
        ("gpu:0", 0, True, "Global.device=cpu, or check its driver$"),
        ("gpu:2", 2, True, "sees 2 GPUs"),
    ],
)
def test_a_missing_gpu(monkeypatch, name, gpus, compiled, hint):
    chosen = fake(monkeypatch, gpus, compiled)
    with pytest.raises(DeviceError, match=hint) as caught:
        select_device(name)
    assert "\n" not in str(caught.value)
    assert repr(name) in str(caught.value)
    assert not chosen
