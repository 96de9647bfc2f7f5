"""Kernels over parts of a batch: sizes of parts, and what oneDNN has no kernel for."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import paddle
import pytest

from autodl.networks import onednn
from autodl.networks.batch_kernel import BatchKernel, Operand, Role

pytestmark = pytest.mark.skipif(not onednn.available(), reason="no oneDNN in this Paddle")
_SQUARE = 0x23  # an algorithm of oneDNN's


def _squares(shape, asked, algorithm=_SQUARE):
    def describe(examples):
        asked.append(examples)
        rows = onednn.Layout((examples, *shape))
        zeros = ctypes.c_float(0), ctypes.c_float(0)
        return onednn.Description(
            "dnnl_eltwise_forward_primitive_desc_create",
            onednn.FORWARD,
            algorithm,
            rows.value,
            rows.value,
            *zeros,
        )

    x = Operand(onednn.SOURCE, shape, Role.INPUT)
    y = Operand(onednn.RESULT, shape, Role.OUTPUT)
    return BatchKernel(describe, (x, y))


def test_parts_of_a_batch_are_compiled_once():
    asked: list[int] = []
    kernel = _squares((3, 4), asked)
    x = np.random.default_rng(0).standard_normal((37, 3, 4), "float32")
    for batch in (37, 37, 5, 0):
        (y,) = kernel(paddle.to_tensor(x[:batch]))
        np.testing.assert_array_equal(y.numpy(), x[:batch] ** 2)
    assert sorted(set(asked)) == [5, 16]
    before = len(asked)
    kernel(paddle.to_tensor(x))
    assert len(asked) == before


def test_large_examples_go_one_at_a_time():
    asked: list[int] = []
    _squares((3, 700, 700), asked)
    assert set(asked) == {1}


def test_threads_share_a_kernel():
    """Each gets the squares of its own numbers."""
    kernel = _squares((3, 40), [])
    xs = [np.full((64, 3, 40), value, "float32") for value in range(4)]

    def wrong(x):
        tensor = paddle.to_tensor(x)
        return sum(int((kernel(tensor)[0].numpy() != x**2).sum()) for _ in range(50))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(wrong, xs)) == [0] * 4


def test_what_onednn_does_not_know():
    with pytest.raises(onednn.Unsupported, match="status"):
        _squares((3, 4), [], algorithm=0)


def test_a_rest_that_onednn_has_no_kernel_for_goes_with_zeros(monkeypatch):
    kernel = _squares((3, 4), [])
    monkeypatch.setattr(kernel, "_describe", _unsupported)
    x = np.random.default_rng(0).standard_normal((37, 3, 4), "float32")
    for batch in (37, 5):
        (y,) = kernel(paddle.to_tensor(x[:batch]))
        np.testing.assert_array_equal(y.numpy(), x[:batch] ** 2)


def _unsupported(examples):
    raise onednn.Unsupported(f"no kernel for {examples}")
