"""The layers that only branches have, and branches that are no kernel."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from autodl.reparam.branches import (
    IdentityConv2D,
    Margin,
    PaddedBatchNorm2D,
    batch_norm_terms,
    fold,
)
from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.geometry import ConvGeometry

GEOMETRY = ConvGeometry.read(4, 4, 3, 1, 1)


def branch(*layers):
    return [(str(position), layer) for position, layer in enumerate(layers)]


@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (1, 2, 3, 0), (-1, 0, -2, -1), (-2, 1, 3, -4)])
def test_margin_is_a_signed_padding(padding):
    """(-2, 1, 3, -4) leaves out more columns than the map has: some of the zeros too."""
    x = paddle.arange(1.0, 7.0).reshape([1, 1, 2, 3])
    top, bottom, left, right = (max(side, 0) for side in padding)
    wide = np.pad(x.numpy()[0, 0], [(top, bottom), (left, right)])
    height, width = 2 + padding[0] + padding[1], 3 + padding[2] + padding[3]
    rows, columns = max(-padding[0], 0), max(-padding[2], 0)
    expected = wide[rows : rows + height, columns : columns + width]
    np.testing.assert_array_equal(Margin(padding)(x).numpy()[0, 0], expected)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_identity_convolution_starts_as_the_identity(groups):
    zero = paddle.nn.initializer.Constant(0.0)
    layer = IdentityConv2D(4, groups, zero)
    x = paddle.randn([2, 4, 3, 5])
    np.testing.assert_array_equal(layer(x).numpy(), x.numpy())
    assert list(layer.state_dict()) == ["weight"]  # the identity is not stored
    layer.to(dtype="float64")
    assert layer.kernel.dtype == layer.identity.dtype == paddle.float64
    layer.weight.set_value(paddle.full_like(layer.weight, 0.5))
    assert float(layer.kernel.sum()) == 4 + 0.5 * 4 * 4 / groups


def test_epsilon_is_rounded_as_paddle_rounds_it():
    """At variance 0 epsilon is all there is: 1e-5 and its float32 differ by 2.5e-8 of it, half
    of that in the root. 1e-14: a few roundings of float64."""
    norm = nn.BatchNorm2D(1)
    norm.to(dtype="float64")
    norm._variance.set_value(paddle.zeros_like(norm._variance))
    norm.eval()
    gamma, _, _, variance, epsilon = batch_norm_terms(norm)
    expected = norm(paddle.ones([1, 1, 1, 1], "float64"))
    np.testing.assert_allclose(
        (gamma / paddle.sqrt(variance + epsilon)).numpy(), expected.numpy().reshape(-1), rtol=1e-14
    )


def test_padded_batch_norm_answers_to_zeros(tell):
    """The border is what a zero becomes; inside it is a batch-norm. Equal to 1e-14: the same
    formula, computed in another order."""
    layer = tell.randomise(PaddedBatchNorm2D(4, (1, 2, 3, 0), epsilon=1e-3))
    x = tell.inputs(2, 4, 5, 6)
    found = tell.run(layer, x)
    plain = nn.BatchNorm2D(4, epsilon=1e-3)
    plain.to(dtype="float64")
    plain.set_state_dict(layer.state_dict())
    plain.eval()
    expected = tell.run(plain, F.pad(x, [3, 0, 1, 2]))
    assert tell.difference(found, expected) < 1e-14


def test_the_border_has_no_gradient_and_follows_the_running_statistics(tell):
    layer = tell.randomise(PaddedBatchNorm2D(1, (1, 0, 0, 0)))
    layer.train()
    output = layer(tell.inputs(8, 1, 3, 3))
    output[:, :, 0].sum().backward()  # the border only
    assert layer.bias.grad is None or not layer.bias.grad.any()
    answer = layer.bias - layer._mean * layer.weight / paddle.sqrt(
        layer._variance + float(np.float32(layer._epsilon))
    )
    np.testing.assert_allclose(output[0, 0, 0].numpy(), np.repeat(answer.item(), 3), rtol=1e-14)


@pytest.mark.parametrize(
    "layers, path, message",
    [
        ([nn.Conv2D(4, 4, 1), nn.ReLU()], "1", "a ReLU in a branch"),
        ([nn.Dropout(0.5), nn.Conv2D(4, 4, 1)], "0", "a Dropout in a branch"),
        ([nn.MaxPool2D(3, 1, 1)], "0", "a MaxPool2D in a branch"),
        ([nn.Conv2D(4, 4, 1, padding=1)], "0", r"padding \(0, 0, 0, 0\)"),
        ([nn.Conv2D(4, 4, 1, stride=2)], "0", r"stride \(1, 1\)"),
        ([nn.Conv2D(4, 6, 1)], "0", "gives 6 channels"),
        ([nn.Conv2D(4, 4, 2)], "0", "2x2 window"),
        ([nn.Conv2D(4, 4, 3, padding=2, dilation=2)], "0", "dilation"),
        ([nn.Conv2D(4, 4, 1, groups=2)], "0", "2 groups are not"),
        ([nn.Conv2D(4, 4, 3, padding=1, padding_mode="reflect")], "0", "'reflect'"),
        ([nn.Conv2D(4, 4, 3)], "0", "'full'"),
        ([nn.AvgPool2D(3, 1, 1)], "0", "use exclusive=False"),
        ([nn.AvgPool2D(3, 1, 1, ceil_mode=True, exclusive=False)], "0", "rounds its size up"),
        (
            [nn.Conv2D(4, 4, 1), nn.BatchNorm2D(4, use_global_stats=False)],
            "1",
            "normalises by the batch in evaluation mode too",
        ),
        ([nn.BatchNorm2D(6)], "0", "normalises 6 channels, but gets 4"),
        (
            [nn.Conv2D(4, 4, 1), nn.BatchNorm2D(4), nn.Conv2D(4, 4, 3, padding=1)],
            "2",
            "wrong at the border",
        ),
        ([nn.Conv2D(4, 4, 3), PaddedBatchNorm2D(4, (1, 1, 1, 1))], "1", "must follow a 1x1"),
        ([nn.Conv2D(4, 4, 1, stride=2), nn.Conv2D(4, 4, 3)], "1", "skips rows"),
        ([nn.Conv2D(4, 4, 3, padding=1), nn.Conv2D(4, 4, 3)], "1", "must be 1x1"),
        ([Margin((-1, 0, 0, 0)), nn.Conv2D(4, 4, 3, padding=1)], "1", "a margin has"),
        ([], "", "the branch is empty"),
    ],
)
def test_what_is_no_kernel_is_named_by_its_path(layers, path, message):
    if message == "'full'":
        layers[0]._padding = "full"  # Paddle itself refuses to build it
    with pytest.raises(ReparameterisationError, match=message) as caught:
        fold(branch(*layers), GEOMETRY)
    assert caught.value.layer == path
    assert "\n" not in str(caught.value)


def test_hooks_are_refused():
    layer = nn.Conv2D(4, 4, 1)
    handle = layer.register_forward_post_hook(lambda layer, inputs, output: F.relu(output))
    with pytest.raises(ReparameterisationError, match="hook"):
        fold(branch(layer), GEOMETRY)
    handle.remove()
    fold(branch(layer), GEOMETRY)
