"""Mixed precision on a CPU: what convolutions multiply is rounded to bfloat16, and nothing else."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.networks import convolution, onednn
from autodl.networks.layers import make_layer
from autodl.networks.precision import mixed_precision, reduced_products
from autodl.plans import layers as kinds

_KIND = kinds.Conv(10, 12, (3, 3), (1, 1), (1, 1, 1, 1))
needs_instructions = pytest.mark.skipif(
    not onednn.multiplies_bfloat16(), reason="this processor does not multiply bfloat16"
)


def _rounded(array):
    return paddle.assign(array).astype("bfloat16").astype("float32")


def _trained(layer, x, of_y):
    x = paddle.assign(x)
    x.stop_gradient = False
    y = layer(x)
    return [y, *paddle.grad([y], [x, layer.weight, layer.bias], [paddle.assign(of_y)])]


@needs_instructions
@pytest.mark.parametrize("batch", [16, 19])
def test_products_are_of_bfloat16_and_sums_of_float32(batch):
    """Each of the three convolutions is Paddle's of rounded factors, to float32 rounding."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, 10, 8, 7), "float32")
    of_y = rng.standard_normal((batch, 12, 8, 7), "float32")
    layer, plain = make_layer(_KIND), make_layer(_KIND)
    plain.set_state_dict(layer.state_dict())
    plain.weight.set_value(_rounded(layer.weight))
    plain.eval()
    with mixed_precision(True):
        found = _trained(layer, x, of_y)
    y, *_ = _trained(plain, _rounded(x), of_y)
    _, by_x, by_weight, _ = _trained(plain, _rounded(x), _rounded(of_y))
    by_bias = of_y.sum((0, 2, 3))  # a sum, not a product
    for ours, expected in zip(found, (y, by_x, by_weight, by_bias), strict=True):
        expected = np.asarray(expected)
        # sums of up to 1064 products in another order
        bound = 5e-6 * np.abs(expected).max()
        np.testing.assert_allclose(ours.numpy(), expected, rtol=0, atol=bound)
        assert ours.dtype == paddle.float32


def test_without_instructions_for_it_nothing_changes(monkeypatch):
    monkeypatch.setattr(onednn, "multiplies_bfloat16", lambda: False)
    layer, x = make_layer(_KIND), paddle.randn([3, 10, 6, 6])
    with mixed_precision(True):
        reduced = layer(x)
    np.testing.assert_array_equal(reduced.numpy(), layer(x).numpy())


@pytest.mark.skipif(not onednn.available(), reason="no oneDNN in this Paddle")
def test_where_there_is_no_kernel_of_bfloat16_that_of_float32_computes(monkeypatch):
    """As for shapes that AMX declines."""
    monkeypatch.setattr(onednn, "multiplies_bfloat16", lambda: True)
    asked = []

    class Kernels(convolution._Kernels):
        def __init__(self, geometry, reduced):
            asked.append(reduced)
            if reduced:
                raise onednn.Unsupported
            super().__init__(geometry, reduced)

    monkeypatch.setattr(convolution, "_Kernels", Kernels)
    convolution._kernels.cache_clear()
    layer, x = make_layer(_KIND), paddle.randn([3, 10, 6, 6])
    plain = layer(x)
    with mixed_precision(True):
        np.testing.assert_array_equal(layer(x).numpy(), plain.numpy())
    assert asked == [False, True]
    convolution._kernels.cache_clear()


def test_it_ends_with_its_block():
    with mixed_precision(True):
        assert reduced_products()
        with mixed_precision(False):
            assert not reduced_products()
        assert reduced_products()
    with pytest.raises(ValueError, match="ends early"), mixed_precision(True):
        raise ValueError("ends early")
    assert not reduced_products()


@needs_instructions
def test_it_is_for_training_alone():
    layer, x = make_layer(_KIND), paddle.randn([3, 10, 6, 6])
    plain = layer(x).numpy()
    with mixed_precision(True):
        reduced = layer(x).numpy()
        with mixed_precision(False):
            np.testing.assert_array_equal(layer(x).numpy(), plain)
        layer.eval()
        evaluated = layer(x).numpy()
    np.testing.assert_array_equal(layer(x).numpy(), evaluated)
    # 90 products of factors with 8 bits: far from float32, near the truth
    assert 1e-4 < np.abs(reduced - plain).max() < 3e-2


@needs_instructions
def test_gradients_are_of_the_kernels_of_the_forward_pass():
    """As with ``paddle.amp`` the block is of the forward pass; gradients may be taken outside."""
    layer, x = make_layer(_KIND), paddle.randn([16, 10, 6, 6])
    found = []
    for inside in (True, False):
        with mixed_precision(True):
            loss = (layer(x) ** 2).sum()
            if inside:
                loss.backward()
        if not inside:
            loss.backward()
        found.append(layer.weight.grad.numpy())
        layer.clear_gradients()
    np.testing.assert_array_equal(*found)
