"""A process's part of the work; several of them together: tools/test_train_launched."""

from __future__ import annotations

import os

import numpy as np
import paddle
import paddle.distributed as dist
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paddle.autograd import PyLayer

from autodl.errors import DeviceError
from autodl.training.parallel import ALONE, Share, join


@given(st.integers(0, 40), st.integers(1, 7))
def test_the_parts_in_turn_are_the_whole(count, size):
    whole = np.arange(count)
    parts = [Share(rank, size).part(whole) for rank in range(size)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    lengths = [len(part) for part in parts]
    assert max(lengths) - min(lengths) <= 1
    assert all(np.shares_memory(part, whole) for part in parts if len(part))


def test_alone_everything_is_as_it_was():
    value, whole = paddle.rand([3]), np.arange(5)
    assert ALONE.total(value) is value
    assert ALONE.mean(value) is value
    assert ALONE.gather(value).numpy().tolist() == [value.numpy().tolist()]
    assert ALONE.broadcast(b"state") == b"state"
    np.testing.assert_array_equal(ALONE.part(whole), whole)
    parameter = paddle.rand([3])
    parameter.stop_gradient = False
    ALONE.backward((2.0 * parameter).sum(), [parameter])
    assert parameter.grad.numpy().tolist() == [2.0] * 3


def test_the_first_process_leads():
    assert [Share(rank, 3).leads for rank in range(3)] == [True, False, False]
    assert ALONE.leads


def test_a_process_that_nobody_launched_is_alone(monkeypatch):
    monkeypatch.setattr(dist, "init_parallel_env", lambda: pytest.fail("there is no one to join"))
    assert join("cpu") is ALONE
    assert join("gpu:93") is ALONE  # the device is somebody else's business


def test_one_device_for_several_processes_is_refused(monkeypatch):
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    with pytest.raises(DeviceError, match="'gpu:0' is one device for 2 processes; use") as caught:
        join("gpu:0")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("gpus, backend", [(0, "gloo"), (2, "nccl")])
def test_joining_others(monkeypatch, gpus, backend):
    """Only the calls: GPUs are not here."""
    monkeypatch.setenv("PADDLE_DISTRI_BACKEND", "")
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "get_rank", lambda: 1)
    monkeypatch.setattr("autodl.training.device.gpu_count", lambda: gpus)
    monkeypatch.setattr(paddle, "set_device", lambda name: None)
    joined = []
    monkeypatch.setattr(
        dist, "init_parallel_env", lambda: joined.append(os.environ["PADDLE_DISTRI_BACKEND"])
    )
    assert join("auto") == Share(1, 2)
    assert joined == [backend]


def test_a_lost_process_is_one_line(monkeypatch):
    def broken(*_):
        raise RuntimeError("\n[/paddle/gloo/pair.cc:576] Read error\nConnection reset by peer\n")

    monkeypatch.setattr(dist, "all_reduce", broken)
    share, words = Share(0, 2), r"--resume goes on \(Connection reset by peer\)$"
    with pytest.raises(DeviceError, match=words) as lost:
        share.mean(paddle.ones([2]))
    assert "\n" not in str(lost.value)

    class Asking(PyLayer):
        """A layer that needs the others to go backward."""

        @staticmethod
        def forward(context, x):
            return x * 2.0

        @staticmethod
        def backward(context, gradient):
            return share.mean(gradient)

    parameter = paddle.ones([2])
    parameter.stop_gradient = False
    with pytest.raises(DeviceError, match=words) as lost:
        share.backward(Asking.apply(parameter).sum(), [parameter])
    assert str(lost.value).startswith("another process of this training")
    assert "\n" not in str(lost.value)


def test_gradients_become_means(monkeypatch):
    """The other process's gradients are three times these; a parameter may have none."""
    monkeypatch.setattr(dist, "all_reduce", lambda tensor: tensor.set_value(4.0 * tensor))
    first, second, unused = (paddle.rand(shape) for shape in ([2, 3], [4], [5]))
    for parameter in (first, second, unused):
        parameter.stop_gradient = False
    Share(1, 2).backward((first.sum() + 5.0 * second.sum()), [first, unused, second])
    np.testing.assert_array_equal(first.grad, np.full((2, 3), 2.0))
    np.testing.assert_array_equal(second.grad, np.full(4, 10.0))
    assert unused.grad is None
