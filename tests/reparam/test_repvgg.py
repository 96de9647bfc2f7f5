"""The RepVGG block: its centre tap, its identity, and the weight decay of its recipe."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.repvgg import RepVGGBlock, custom_l2


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_branches_add_to_the_centre_tap_only(groups, tell):
    block = tell.randomise(RepVGGBlock(4, 4, groups=groups))
    whole, _ = block.get_equivalent_kernel_bias()
    del block.point, block.identity
    dense, _ = block.get_equivalent_kernel_bias()
    added = (whole - dense).numpy() != 0
    centre = np.zeros((3, 3), dtype=bool)
    centre[1, 1] = True
    np.testing.assert_array_equal(added, np.broadcast_to(centre, added.shape))


def test_silent_branches_leave_convolution_and_batch_norm(tell):
    """Adding exact zeros changes nothing, so the training form is equal to the last bit."""
    block = tell.randomise(RepVGGBlock(4, 4))
    for norm in (block.point[1], block.identity):
        norm.weight.set_value(paddle.zeros_like(norm.weight))
        norm.bias.set_value(paddle.zeros_like(norm.bias))
    x = tell.inputs(2, 4, 9, 8)
    expected = tell.run(block.dense, x)
    np.testing.assert_array_equal(tell.run(block, x), expected)
    assert tell.difference(tell.run(block.as_convolution(), x), expected) < 1e-9


def test_the_identity_needs_an_unchanged_shape():
    assert "identity" in RepVGGBlock(4, 4)._sub_layers
    assert "identity" not in RepVGGBlock(4, 4, 3, 2)._sub_layers
    assert "identity" not in RepVGGBlock(4, 4, 3, (1, 2))._sub_layers
    assert "identity" not in RepVGGBlock(4, 6)._sub_layers


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_identity_branch_reproduces_its_input(groups, tell):
    """Batch-norm made the identity: scale sqrt(variance + epsilon), shift mean.

    1e-14: one division, one product and one sum in float64.
    """
    block = tell.randomise(RepVGGBlock(4, 4, groups=groups))
    del block.dense, block.point
    norm = block.identity
    epsilon = float(np.float32(norm._epsilon))
    norm.weight.set_value(paddle.sqrt(norm._variance + epsilon))
    norm.bias.set_value(norm._mean)
    x = tell.inputs(2, 4, 9, 8)
    assert tell.difference(tell.run(block.as_convolution(), x), x.numpy()) < 1e-14


def test_dilation_with_padding_to_match(tell):
    block, x = tell.randomise(RepVGGBlock(4, 4, 3, 1, 2, 2)), tell.inputs(2, 4, 9, 8)
    assert tell.difference(tell.run(block.as_convolution(), x), tell.run(block, x)) < 1e-9


def step_without_gradient(block, weight_decay=0.5):
    """Ratio of every parameter after one step to before, all gradients being zero."""
    for parameter in block.parameters():
        if not parameter.stop_gradient:
            parameter.set_value(paddle.full_like(parameter, 2.0))
    optimizer = paddle.optimizer.Momentum(
        0.1, 0.9, parameters=block.parameters(), weight_decay=weight_decay
    )
    sum((p * 0).sum() for p in block.parameters() if not p.stop_gradient).backward()
    optimizer.step()
    return {
        name: float(p.numpy().mean()) / 2
        for name, p in block.named_parameters()
        if not p.stop_gradient
    }


@pytest.mark.parametrize("special", [False, True])
def test_weight_decay_of_the_recipe(special, tell):
    """Kernels and the identity's scale decay by 1 - 0.1 x 0.5, nothing else; with the custom L2
    the kernels do not either. float32."""
    ratios = step_without_gradient(RepVGGBlock(4, 4, custom_l2=special))
    assert len(ratios) == 8
    for name, ratio in ratios.items():
        kernel = name in ("dense.0.weight", "point.0.weight")
        decays = name == "identity.weight" or (kernel and not special)
        assert ratio == pytest.approx(0.95 if decays else 1.0, rel=1e-6), name


def test_the_recipe_survives_a_copy():
    import copy

    ratios = step_without_gradient(copy.deepcopy(RepVGGBlock(4, 6)))
    assert {name for name, ratio in ratios.items() if ratio < 0.99} == {
        "dense.0.weight",
        "point.0.weight",
    }


def test_custom_l2_in_closed_form(tell):
    """Against NumPy; 1e-12: sums of some hundred float64 squares."""
    network = nn.Sequential(
        RepVGGBlock(4, 4, groups=2, custom_l2=True), nn.ReLU(), RepVGGBlock(4, 6, custom_l2=True)
    )
    tell.randomise(network)
    expected = 0.0
    for block in (network[0], network[2]):
        t3, t1 = (
            (norm.weight / paddle.sqrt(norm._variance + float(np.float32(1e-5)))).numpy()
            for norm in (block.dense[1], block.point[1])
        )
        k3, k1 = block.dense[0].weight.numpy(), block.point[0].weight.numpy()[:, :, 0, 0]
        centre = k3[:, :, 1, 1]
        fused = centre * t3[:, None] + k1 * t1[:, None]
        expected += (k3**2).sum() - (centre**2).sum()
        expected += (fused**2 / (t3**2 + t1**2)[:, None]).sum()
    loss = custom_l2(network)
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    loss.backward()
    assert network[0].dense[1].weight.grad is None  # the factors are constants
    assert network[0].dense[0].weight.grad.numpy().all()


def test_custom_l2_of_silent_branches_is_a_number(tell):
    block = tell.randomise(RepVGGBlock(4, 4, custom_l2=True))
    for norm in (block.dense[1], block.point[1]):
        norm.weight.set_value(paddle.zeros_like(norm.weight))
    loss = custom_l2(block)
    loss.backward()
    kernel = block.dense[0].weight.numpy()
    kernel[:, :, 1, 1] = 0
    assert loss.item() == pytest.approx((kernel**2).sum(), rel=1e-12)
    assert np.isfinite(block.point[0].weight.grad.numpy()).all()


def test_custom_l2_needs_blocks_made_for_it():
    with pytest.raises(ReparameterisationError, match="no RepVGGBlock with custom_l2=True"):
        custom_l2(nn.Sequential(RepVGGBlock(4, 4)))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((4, 4, 5, 1, 2), r"a RepVGG block has a 3x3 kernel, got \[5, 5\]"),
        ((4, 4, 3, 1, 0), r"padding \[0, 0, 0, 0\]"),
        ((4, 4, 3, 2, [0, 1, 0, 1]), "does not match"),
    ],
)
def test_what_the_block_does_not_take(arguments, message):
    with pytest.raises(ReparameterisationError, match=message):
        RepVGGBlock(*arguments)
