"""What holds for every kind of block: equal outputs, gradients, borders, linearity, deployment.

Bounds in float64: 1e-9 of the largest output is specified; found are 1e-14 to 1e-13.
"""

from __future__ import annotations

import copy
from itertools import product

import numpy as np
import paddle
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from paddle import nn
from paddle.nn import initializer

from autodl.reparam.asymmetric import AsymmetricConvBlock
from autodl.reparam.block import MultiBranchConv2D
from autodl.reparam.branches import IdentityConv2D, PaddedBatchNorm2D
from autodl.reparam.diverse import DiverseBranchBlock
from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.repvgg import RepVGGBlock

BOUND = 1e-9


def deployed(block):
    copied = copy.deepcopy(block)
    copied.re_parameterize()
    return copied


def test_both_forms_agree_in_float64(make, tell):
    block, x = tell.randomise(make()), tell.inputs(2, 4, 11, 14)
    expected = tell.run(block, x)
    assert tell.difference(tell.run(deployed(block), x), expected) < BOUND
    assert tell.difference(tell.run(block.as_convolution(), x), expected) < BOUND
    assert not block.is_repped


def test_both_forms_agree_in_float32(make, tell):
    """1e-5 is specified; float32 rounds to 6e-8, some hundred products are summed."""
    block, x = tell.randomise(make(), dtype="float32"), tell.inputs(2, 4, 11, 14, dtype="float32")
    found, expected = tell.run(deployed(block), x), tell.run(block, x)
    assert tell.difference(found, expected) < 1e-5
    np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))


@settings(max_examples=80)
@given(data=st.data())
def test_both_forms_agree_for_random_shapes(tell, data):
    """Channels, groups, rectangular kernels, strides, paddings, dilations and sizes at random."""
    draw = data.draw
    kind = draw(st.sampled_from([AsymmetricConvBlock, DiverseBranchBlock, RepVGGBlock]))
    groups, per_group, outs = (draw(st.integers(1, 3)) for _ in range(3))
    odd = st.sampled_from([3] if kind is RepVGGBlock else [1, 3, 5, 7])
    kernel, stride = (draw(odd), draw(odd)), (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    uneven = kind is AsymmetricConvBlock
    dilation = draw(st.integers(1, 1 if kind is DiverseBranchBlock else 2))
    reach = [dilation * (side - 1) // 2 for side in kernel]
    padding = [draw(st.integers(0, r + 2)) if uneven else r for r in reach for _ in range(2)]
    channels, out = groups * per_group, groups * outs
    if kind is DiverseBranchBlock and groups > 1 and outs == 1:
        channels = groups  # the block takes no fewer outputs than inputs here
    size = [
        draw(st.integers(max(1, 2 * r + 1 - sum(padding[2 * axis : 2 * axis + 2])), 12))
        for axis, r in enumerate(reach)
    ]
    assume(min(size) >= 1)
    block = kind(channels, out, kernel, stride, padding, dilation, groups)
    tell.randomise(block, seed=draw(st.integers(0, 9)))
    x = tell.inputs(2, channels, *size)
    expected = tell.run(block, x)
    found = tell.run(deployed(block), x)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < BOUND * max(1.0, np.abs(expected).max())


def frame(array):
    """The outermost pixels of a map ``[B, C, H, W]``, the only ones that see the padding."""
    sides = array[:, :, 0], array[:, :, -1], array[:, :, :, 0], array[:, :, :, -1]
    return np.concatenate([side.reshape(-1) for side in sides])


def test_the_border_agrees(make, tell):
    block, x = tell.randomise(make()), tell.inputs(2, 4, 7, 9)
    found, expected = frame(tell.run(deployed(block), x)), frame(tell.run(block, x))
    assert tell.difference(found, expected) < BOUND


@pytest.mark.parametrize("mistake", ["zeros", "exclusive"])
def test_the_frame_shows_a_wrong_border(mistake, tell):
    """The same comparison finds the two classic mistakes, and finds them at the border only."""
    block = DiverseBranchBlock(
        *((4, 4, 3, 1, 1, 1, 4) if mistake == "exclusive" else (4, 6, 3, 1, 1))
    )
    tell.randomise(block)
    x = tell.inputs(2, 4, 7, 9)
    fused = tell.run(deployed(block), x)
    for layer in block.sublayers():
        if mistake == "zeros" and isinstance(layer, PaddedBatchNorm2D):
            layer.forward = lambda x, layer=layer: nn.functional.pad(
                nn.BatchNorm2D.forward(layer, x), [1, 1, 1, 1]
            )
        elif isinstance(layer, nn.AvgPool2D):
            layer.exclusive = mistake == "exclusive"
    wrong = tell.run(block, x)
    inside = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    assert tell.difference(frame(fused), frame(wrong)) > 0.1
    assert tell.difference(fused[inside], wrong[inside]) < BOUND


def answer_to_constant(layer, values, groups):
    """What a layer makes of a constant picture away from the border, with ``values`` by channel."""
    if isinstance(layer, nn.Conv2D):
        weight = layer.kernel if isinstance(layer, IdentityConv2D) else layer.weight
        taps = weight.numpy().sum(axis=(2, 3))
        parts = zip(np.split(taps, groups), np.split(values, groups), strict=True)
        return np.concatenate([matrix @ part for matrix, part in parts])
    if isinstance(layer, nn.BatchNorm2D):
        sigma = np.sqrt(layer._variance.numpy() + float(np.float32(layer._epsilon)))
        scaled = (values - layer._mean.numpy()) / sigma
        return scaled * layer.weight.numpy() + layer.bias.numpy()
    return values  # an average or a margin


def test_a_constant_picture_in_closed_form(make, tell):
    """Vectors and matrices in NumPy, without any convolution."""
    block = tell.randomise(make())
    colour = np.array([1.0, -2.0, 0.5, 3.0])
    expected = 0.0
    for branch in block.children():
        values = colour
        for layer in branch.children() if isinstance(branch, nn.Sequential) else [branch]:
            values = answer_to_constant(layer, values, block.geometry.groups)
        expected = expected + values
    x = paddle.to_tensor(np.broadcast_to(colour[:, None, None], (1, 4, 17, 19)).copy())
    output = tell.run(deployed(block), x)
    middle = output[0, :, output.shape[2] // 2, output.shape[3] // 2]
    np.testing.assert_allclose(middle, expected, rtol=0, atol=BOUND)


def test_no_nonlinearity_in_either_form(make, tell):
    """f(x) + f(y) - f(0) = f(x + y)."""
    block = tell.randomise(make())
    x, y = tell.inputs(2, 4, 9, 8), tell.inputs(2, 4, 9, 8, seed=5)
    for form in (block, deployed(block)):
        parts = tell.run(form, x) + tell.run(form, y) - tell.run(form, x * 0)
        assert tell.difference(parts, tell.run(form, x + y)) < BOUND


def test_shifted_inputs_give_shifted_outputs(make, tell):
    """By the stride, away from the border: the outputs one row and one column further."""
    block = tell.randomise(make())
    rows, columns = block.geometry.stride
    x = tell.inputs(2, 4, 21, 23)
    shifted = paddle.roll(x, [rows, columns], axis=[2, 3])
    away = (slice(None), slice(None), slice(4, -4), slice(4, -4))
    back = (slice(None), slice(None), slice(3, -5), slice(3, -5))
    for form in (block, deployed(block)):
        assert tell.difference(tell.run(form, shifted)[away], tell.run(form, x)[back]) < BOUND


def test_equality_survives_training_and_ends_in_train_mode(make, tell):
    """25 steps of SGD with momentum: running statistics and weights with a history."""
    paddle.seed(1)
    block = make()
    block.to(dtype="float64")
    block.train()
    optimizer = paddle.optimizer.Momentum(0.05, parameters=block.parameters(), weight_decay=1e-3)
    start = tell.values(block)
    for step in range(25):
        x = tell.inputs(8, 4, 9, 8, seed=step) * 2 + 1
        (block(x) ** 2).mean().backward()
        optimizer.step()
        optimizer.clear_grad()
    changed = [name for name, value in tell.values(block).items() if (value != start[name]).any()]
    assert changed == list(start)  # nothing is left out of training
    x = tell.inputs(8, 4, 9, 8, seed=99) * 3
    fused = tell.run(deployed(block), x)
    assert tell.difference(fused, tell.run(copy.deepcopy(block), x)) > 1e-2  # batch statistics
    block.eval()
    assert tell.difference(fused, tell.run(block, x)) < BOUND


def loss_of(block, weights, bias_weights):
    kernel, bias = block.get_equivalent_kernel_bias()
    return (paddle.sin(kernel) * weights).sum() + (bias**2 * bias_weights).sum()


def test_gradients_of_the_equivalent_kernel(make, tell):
    """Every branch parameter against central differences of step 1e-5 along a random direction.

    Their error is about 1e-16 / 1e-5 from rounding and 1e-10 from the third derivative, both of
    losses around 10: far below 1e-6.
    """
    block = tell.randomise(make())
    kernel, bias = block.get_equivalent_kernel_bias()
    weights, bias_weights = tell.inputs(*kernel.shape, seed=7), tell.inputs(*bias.shape, seed=8)
    loss_of(block, weights, bias_weights).backward()
    checked = 0
    for name, parameter in block.named_parameters():
        if parameter.stop_gradient:
            continue
        direction, value = tell.inputs(*parameter.shape, seed=11), parameter.clone().detach()
        losses = []
        for sign in (1, -1):
            parameter.set_value(value + sign * 1e-5 * direction)
            losses.append(float(loss_of(block, weights, bias_weights)))
        parameter.set_value(value)
        found = float((parameter.grad * direction).sum())
        assert found == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-6, abs=1e-6), name
        assert found != 0, name
        checked += 1
    assert checked >= 5


@pytest.mark.parametrize("kind", [AsymmetricConvBlock, RepVGGBlock, DiverseBranchBlock])
def test_the_gradient_of_a_branch_is_a_scaled_crop(kind, tell):
    """d loss / d F_branch = t crop(d loss / d F'), for branches of one convolution."""
    block = tell.randomise(kind(4, 6, 3, 1, 1, 1, 2))
    kernel, _ = block.get_equivalent_kernel_bias()
    weights = tell.inputs(*kernel.shape, seed=7)
    (kernel * weights).sum().backward()  # so the gradient of the fused kernel is `weights`
    single = [b for _, b in block.named_children() if sum(isinstance(c, nn.Conv2D) for c in b) == 1]
    for branch in single if kind is not DiverseBranchBlock else [block.dense, block.point]:
        convolution, norm = (layer for layer in branch)
        height, width = convolution.weight.shape[2:]
        top, left = (3 - height) // 2, (3 - width) // 2
        crop = weights.numpy()[:, :, top : top + height, left : left + width]
        sigma = np.sqrt(norm._variance.numpy() + float(np.float32(norm._epsilon)))
        expected = crop * (norm.weight.numpy() / sigma)[:, None, None, None]
        np.testing.assert_allclose(convolution.weight.grad.numpy(), expected, rtol=1e-12)


def test_deploying_twice_is_deploying_once(make, tell):
    block = tell.randomise(make())
    block.re_parameterize()
    before = tell.values(block)
    block.re_parameterize()
    block.convert_to_deploy()
    after = tell.values(block)
    assert list(before) == list(after) == ["weight", "bias"]
    assert all((before[name] == after[name]).all() for name in before)
    assert block.is_repped
    assert not list(block.children())  # no branch is kept in memory
    kernel, _ = block.get_equivalent_kernel_bias()
    assert (kernel.numpy() == before["weight"]).all()


def test_a_deployed_block_takes_the_weights_of_another(make, tell):
    block, x = tell.randomise(make(), dtype="float32"), tell.inputs(2, 4, 9, 8, dtype="float32")
    fused, fresh = deployed(block), make(deploy=True)
    assert fresh.is_repped
    missing, unexpected = fresh.set_state_dict(fused.state_dict())
    assert not missing
    assert not unexpected
    assert (tell.run(fresh, x) == tell.run(fused, x)).all()
    convolution = block.as_convolution()
    missing, unexpected = convolution.set_state_dict(fused.state_dict())
    assert not missing
    assert not unexpected


def test_type_and_freezing_are_kept(make, tell):
    block = tell.randomise(make())
    for parameter in block.parameters():
        parameter.stop_gradient = True
    for form in (block.as_convolution(), deployed(block)):
        assert {str(p.dtype) for p in form.parameters()} == {"paddle.float64"}
        assert all(p.stop_gradient for p in form.parameters())


def test_nothing_is_drawn_from_the_random_generator(make):
    block = make()
    paddle.seed(5)
    expected = paddle.rand([3]).numpy()
    paddle.seed(5)
    block.as_convolution()
    block.re_parameterize()
    assert (paddle.rand([3]).numpy() == expected).all()


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision_blocks_are_folded_in_float32(half, make, tell):
    """Only the result is rounded: to 2^-11 (float16) or 2^-8 (bfloat16) of each number."""
    block = tell.randomise(make(), dtype="float32")
    block.to(dtype=half)
    wide = copy.deepcopy(block)
    wide.to(dtype="float32")
    found, expected = block.as_convolution(), wide.as_convolution()
    assert str(found.weight.dtype) == f"paddle.{half}"
    share = {"float16": 2**-11, "bfloat16": 2**-8}[half]
    for name in ("weight", "bias"):
        rounded = getattr(found, name).astype("float32").numpy()
        # 1e-6: below float16's smallest normal number steps stay at 6e-8
        np.testing.assert_allclose(rounded, getattr(expected, name).numpy(), rtol=share, atol=1e-6)


def test_constructors_take_the_arguments_of_conv2d():
    """All eleven by position, in Paddle's order; integers may be NumPy's."""
    whole = [np.int64(number) for number in (4, 8, 3, 2, 1, 1, 4)]
    arguments = [*whole, "zeros", initializer.Constant(0.25), False, "NCHW"]
    for kind in (AsymmetricConvBlock, DiverseBranchBlock, RepVGGBlock):
        groups = np.int32(2)
        block = kind(*arguments[:6], groups, *arguments[7:])
        convolution, norm = block.main_layers()
        assert convolution.weight.shape == [8, 2, 3, 3]
        assert (convolution.weight.numpy() == 0.25).all()
        assert convolution.bias is None
        assert norm._epsilon == 1e-5
        assert block(paddle.randn([1, 4, 9, 9])).shape == [1, 8, 5, 5]
        named = kind(
            in_channels=4, out_channels=8, kernel_size=3, stride=2, padding=1, groups=groups,
            weight_attr=paddle.ParamAttr(learning_rate=0.5), momentum=0.8, epsilon=1e-3,
        )  # fmt: skip
        norms = [layer for layer in named.sublayers() if isinstance(layer, nn.BatchNorm2D)]
        assert {(norm._momentum, norm._epsilon) for norm in norms} == {(0.8, 1e-3)}
        kernels = [layer.weight for layer in named.sublayers() if isinstance(layer, nn.Conv2D)]
        assert {kernel.optimize_attr["learning_rate"] for kernel in kernels} == {0.5}


@pytest.mark.parametrize("kind", [AsymmetricConvBlock, DiverseBranchBlock, RepVGGBlock])
@pytest.mark.parametrize(
    "arguments, options, message",
    [
        ((4, 6, 2, 1, 1), {}, r"kernel \[2, 2\] has an even side"),
        ((4, 6, (3, 4), 1, 1), {}, r"kernel \[3, 4\] has an even side"),
        ((4, 6, 3, 1, 1), {"padding_mode": "reflect"}, "'reflect'"),
        ((4, 6, 3, 1, 1), {"data_format": "NHWC"}, "'NHWC'"),
        ((4, 6, 3, 1, 1), {"bias_attr": paddle.ParamAttr()}, "bias_attr must be None or False"),
        ((4, 6, 3, 1, 1), {"weight_attr": paddle.ParamAttr(name="w")}, "has the name 'w'"),
        ((4, 6, 3, 2, "SAME"), {}, "depends on the input's size"),
        ((4, 6, 3, 1, 1, 1, 3), {}, "groups 3 must divide"),
        ((4, 6.0, 3, 1, 1), {}, "out_channels must be an integer, got 6.0"),
        ((4, 6, 3, True, 1), {}, "stride must be one integer or two, got True"),
    ],
)
def test_arguments_that_no_block_takes(kind, arguments, options, message):
    with pytest.raises(ReparameterisationError, match=message) as caught:
        kind(*arguments, **options)
    assert "\n" not in str(caught.value)


def test_a_forward_of_its_own_or_a_hook_is_refused(tell):
    class Activated(RepVGGBlock):
        def forward(self, x):
            return nn.functional.relu(super().forward(x))

    with pytest.raises(ReparameterisationError, match="Activated has a forward of its own"):
        Activated(4, 4).re_parameterize()
    block = RepVGGBlock(4, 4)
    block.register_forward_post_hook(lambda layer, inputs, output: output * 2)
    with pytest.raises(ReparameterisationError, match="hook"):
        block.re_parameterize()
    inner = RepVGGBlock(4, 4)
    inner.point.register_forward_pre_hook(lambda layer, inputs: None)
    with pytest.raises(ReparameterisationError, match=r"^point: a forward hook"):
        inner.re_parameterize()


def test_an_activation_in_a_branch_is_named_and_changes_nothing(make, tell):
    block = tell.randomise(make())
    name = list(block._sub_layers)[-1]
    block._sub_layers[name] = nn.Sequential(block._sub_layers[name], nn.Sequential(nn.ReLU()))
    before = list(block.state_dict())
    with pytest.raises(ReparameterisationError, match=f"^{name}.1.0: a ReLU") as caught:
        block.re_parameterize()
    assert caught.value.layer == f"{name}.1.0"
    assert list(block.state_dict()) == before
    assert not block.is_repped


def test_every_block_is_one_of_the_family():
    for kind, field in product(
        (AsymmetricConvBlock, DiverseBranchBlock, RepVGGBlock),
        ("re_parameterize", "is_repped", "convert_to_deploy", "get_equivalent_kernel_bias"),
    ):
        assert issubclass(kind, MultiBranchConv2D)
        assert hasattr(kind(2, 2, 3, 1, 1), field)
