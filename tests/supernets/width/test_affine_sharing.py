"""Layers with projected kernels, in float64 where a claim is exact."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from autodl.errors import ConfigError
from autodl.plans.layers import BatchNorm, Conv
from autodl.supernets.width.affine_sharing import (
    AffineConv,
    AffineLinear,
    ChannelAxis,
    PairNorm,
    PrivateConv,
    Sharing,
)
from autodl.supernets.width.projections import columns

WIDTHS = (2, 3, 4)
AXIS = ChannelAxis(WIDTHS, 9)
RGB = ChannelAxis((3,), 3, fixed=True)
KIND = Conv(1, 1, (3, 3), padding=(1, 1, 1, 1), bias=False)
PAIRS = [(a, b) for a in range(3) for b in range(3)]


def conv(sharing, *, output=AXIS, inner=AXIS, kind=KIND, seed=0):
    return AffineConv(kind, output, inner, sharing, np.random.default_rng(seed), "float64")


def p_of(layer, a, b=0):
    return layer.output(a, b).numpy()


def q_of(layer, b, a=0):
    return layer.inner(b, a).numpy()


@pytest.mark.parametrize("per_pair", [False, True])
def test_ordinal_kernels_are_corners_and_independent_ones_disjoint_slices(per_pair):
    ordinal = conv(Sharing(1.0, 0.0, per_pair))
    meta = ordinal.weight.numpy()
    for a, b in PAIRS:
        assert (ordinal.kernel((a, b)).numpy() == meta[: WIDTHS[a], : WIDTHS[b]]).all()
    apart = conv(Sharing(0.0, 0.0, per_pair))
    meta = apart.weight.numpy()
    parts = columns(WIDTHS)
    for a, b in PAIRS:
        assert (apart.kernel((a, b)).numpy() == meta[parts[a], parts[b]]).all()


def test_the_stem_has_no_projection_of_its_input():
    stem = conv(Sharing(1.0, 0.0), inner=RGB)
    assert stem.inner is None
    assert (stem.kernel((1, 0)).numpy() == stem.weight.numpy()[:3]).all()


@pytest.mark.parametrize("per_pair", [False, True])
def test_kernels_are_two_mode_products(per_pair):
    """By the definition's sum; 1e-12 for float64 sums of 81 products."""
    layer = conv(Sharing(1.0, 0.3, per_pair))
    assert layer.output.matrix.shape[0] == (3 if per_pair else 1)
    for a, b in PAIRS:
        expected = np.einsum(
            "ix,jy,ijhw->xyhw", p_of(layer, a, b), q_of(layer, b, a), layer.weight.numpy()
        )
        np.testing.assert_allclose(layer.kernel((a, b)).numpy(), expected, atol=1e-12)
    own = {p_of(layer, 1, b).tobytes() for b in range(3)}
    assert len(own) == (3 if per_pair else 1)


def test_one_convolution_with_the_projected_kernel():
    kind = Conv(1, 1, (3, 3), (2, 2), (0, 1, 0, 1), bias=False)
    layer = conv(Sharing(1.0, 0.3), kind=kind)
    x = paddle.randn([2, 3, 8, 8]).astype("float64")
    padded = F.pad(x, [0, 1, 0, 1])
    expected = F.conv2d(padded, layer.kernel((2, 1)), stride=2)
    np.testing.assert_allclose(layer(x, (2, 1)).numpy(), expected.numpy(), atol=1e-12)


def test_depthwise_kernels_are_projected_on_their_only_axis():
    kind = Conv(9, 9, (3, 3), padding=(1, 1, 1, 1), groups=9, bias=False)
    layer = conv(Sharing(1.0, 0.3), kind=kind)
    assert layer.inner is None
    expected = np.einsum("ix,ijhw->xjhw", p_of(layer, 1), layer.weight.numpy())
    np.testing.assert_allclose(layer.kernel((1, 1)).numpy(), expected, atol=1e-12)
    assert layer(paddle.ones([1, 3, 4, 4], "float64"), (1, 1)).shape == [1, 3, 4, 4]


def test_biases_are_projected():
    layer = conv(Sharing(1.0, 0.3), kind=Conv(1, 1, (1, 1)))
    expected = p_of(layer, 2).T @ layer.bias.numpy()
    np.testing.assert_allclose(layer.shift((2, 0)).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("per_pair", [False, True])
def test_gradients_reach_the_meta_weight_alone(per_pair):
    """dL/dW = P_a G Q_b^T for L = <G, W_ab>; float64 against the closed form."""
    layer = conv(Sharing(1.0, 0.3, per_pair))
    g = np.random.default_rng(1).normal(size=(3, 4, 3, 3))
    (layer.kernel((1, 2)) * paddle.to_tensor(g)).sum().backward()
    expected = np.einsum("ix,jy,xyhw->ijhw", p_of(layer, 1, 2), q_of(layer, 2, 1), g)
    np.testing.assert_allclose(layer.weight.grad.numpy(), expected, atol=1e-12)
    assert layer.output.matrix.grad is None
    assert layer.inner.matrix.grad is None


@pytest.mark.parametrize("other", PAIRS)
def test_update_leak_identity(other):
    """A step on one candidate moves another by -eta (P_a'^T P_a) G (Q_b^T Q_b'), to 1e-12."""
    layer, (a, b), (c, d) = conv(Sharing(1.0, 0.3)), (1, 2), other
    g, eta = np.random.default_rng(2).normal(size=(3, 4, 3, 3)), 0.1
    before = layer.kernel((c, d)).numpy()
    optimizer = paddle.optimizer.SGD(eta, parameters=[layer.weight])
    (layer.kernel((a, b)) * paddle.to_tensor(g)).sum().backward()
    optimizer.step()
    overlap_p = p_of(layer, c).T @ p_of(layer, a)
    overlap_q = q_of(layer, b).T @ q_of(layer, d)
    expected = -eta * np.einsum("zx,xyhw,yv->zvhw", overlap_p, g, overlap_q)
    np.testing.assert_allclose(layer.kernel((c, d)).numpy() - before, expected, atol=1e-12)


def test_nothing_leaks_between_independent_candidates():
    layer = conv(Sharing(0.0, 0.0))
    kernels = {pair: layer.kernel(pair).numpy() for pair in PAIRS}
    optimizer = paddle.optimizer.SGD(0.1, parameters=[layer.weight])
    layer.kernel((1, 2)).square().sum().backward()
    optimizer.step()
    changed = {pair for pair in PAIRS if (layer.kernel(pair).numpy() != kernels[pair]).any()}
    assert changed == {(1, 2)}


def test_the_switch_lets_gradients_into_the_projections():
    layer = conv(Sharing(1.0, 0.3))
    layer.output.matrix.stop_gradient = False
    layer.kernel((1, 2)).sum().backward()
    gradient = layer.output.matrix.grad.numpy()[0]
    assert np.abs(gradient[:, columns(WIDTHS)[1]]).max() > 0
    assert not gradient[:, columns(WIDTHS)[2]].any()


def test_the_classifier_is_the_meta_matrix_times_q():
    rng = np.random.default_rng(0)
    layer = AffineLinear(5, ChannelAxis((4,), 4), Sharing(1.0, 0.0), rng, "float64")
    assert (layer.matrix(0).numpy() == layer.weight.numpy()).all()
    x = paddle.randn([2, 4]).astype("float64")
    np.testing.assert_allclose(
        layer(x, 0).numpy(), x.numpy() @ layer.weight.numpy() + layer.bias.numpy(), atol=1e-12
    )


def test_shortcuts_have_kernels_of_their_own():
    layer = PrivateConv(
        Conv(1, 1, (1, 1), (2, 2), bias=False), AXIS, AXIS, np.random.default_rng(0)
    )
    assert len(layer.parameters()) == 9
    layer(paddle.ones([1, 3, 4, 4]), (2, 1)).sum().backward()
    assert [pair for pair in PAIRS if layer.kernel(pair).grad is not None] == [(2, 1)]
    assert layer.kernel((2, 1)).shape == [4, 3, 1, 1]


def test_norms_have_no_scale_and_statistics_for_each_pair():
    norm = PairNorm(BatchNorm(1, momentum=0.9), {pair: WIDTHS[pair[0]] for pair in PAIRS})
    assert norm.parameters() == []
    x = paddle.randn([8, 3, 4, 4]) * 3 + 1
    y = norm(x, (1, 0)).numpy()
    # batch statistics to float32 rounding; epsilon 1e-3 against a variance of 9
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=(0, 2, 3)), 1, atol=1e-3)
    moved = [pair for pair in PAIRS if norm.statistics(pair)[0].numpy().any()]
    assert moved == [(1, 0)]
    mean = norm.statistics((1, 0))[0].numpy()
    np.testing.assert_allclose(mean, 0.1 * x.numpy().mean(axis=(0, 2, 3)), rtol=1e-4)


def test_modes_of_norms():
    norm = PairNorm(BatchNorm(1), {(0, 0): 2})
    x = paddle.randn([8, 2, 4, 4])
    trained = norm(x, (0, 0)).numpy()
    kept = norm.statistics((0, 0))[0].numpy()
    norm.mode = "batch"
    assert (norm(x, (0, 0)).numpy() == trained).all()
    assert (norm.statistics((0, 0))[0].numpy() == kept).all()
    norm.mode = "eval"
    mean, variance = (value.numpy()[:, None, None] for value in norm.statistics((0, 0)))
    expected = (x.numpy() - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(norm(x, (0, 0)).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_a_meta_width_below_a_candidate():
    with pytest.raises(ConfigError, match="meta width of 3 is below the candidate 4"):
        ChannelAxis(WIDTHS, 3)
