"""Which batch-norm belongs to which convolution, in plans, sequences and any other code."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from autodl.networks.cell import build_network
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import Add, BatchNorm, Conv, Relu
from autodl.plans.plan import PlanBuilder
from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.pairs import conv_norm_pairs, told_readers
from autodl.reparam.repvgg import RepVGGBlock
from autodl.spaces.cell.architecture import Cell, CellPair


class Custom(nn.Layer):
    """Layers whose order of use stands in ``use`` alone."""

    def __init__(self, use):
        super().__init__()
        self.norm, self.conv, self.other = nn.BatchNorm2D(3), nn.Conv2D(3, 3, 3, 1, 1), nn.ReLU()
        self.use = use

    def forward(self, x):
        return self.use(self, x)


EXAMPLE = paddle.to_tensor(np.random.default_rng(0).normal(size=(2, 3, 6, 5)).astype("float32"))
USES = {
    "norm after conv": (lambda m, x: m.norm(m.conv(x)), True),
    "conv after norm": (lambda m, x: m.conv(m.norm(x)), False),
    "activation between": (lambda m, x: m.norm(F.relu(m.conv(x))), False),
    "read twice": (lambda m, x: (lambda y: m.norm(y) + y)(m.conv(x)), False),
    "read twice, far": (
        lambda m, x: (lambda y: F.relu(m.norm(y)) * F.sigmoid(y))(m.conv(x)),
        False,
    ),
    "conv used twice": (lambda m, x: m.norm(m.conv(x)) + m.conv(x + 1), False),
    "norm used twice": (lambda m, x: m.norm(m.conv(x)) + m.norm(x), False),
    "never reaches the output": (lambda m, x: (m.norm(m.conv(x)), x * 2)[1], False),
    "an output without gradient": (lambda m, x: m.norm(m.conv(x)).argmax(axis=1), False),
    "several outputs": (lambda m, x: {"a": [m.norm(m.conv(x)), x], "b": (x, "text")}, True),
    "written to in between": (
        lambda m, x: (lambda y: (F.relu_(y), m.norm(y))[1])(m.conv(x)),
        False,
    ),
    "the map is an output": (lambda m, x: (lambda y: (m.norm(y), y))(m.conv(x)), False),
}


@pytest.mark.parametrize("name", USES)
def test_an_example_shows_who_reads_what(name):
    """With fresh batch-norms too, where outputs would hardly tell: gradients do."""
    use, paired = USES[name]
    model = Custom(use)
    assert conv_norm_pairs(model) == {}  # nothing is believed of code
    assert conv_norm_pairs(model, EXAMPLE) == ({"conv": "norm"} if paired else {})


def test_looking_changes_nothing():
    model = nn.Sequential(Custom(USES["norm after conv"][0]), nn.Dropout(0.5))
    model[0].norm.eval()
    for parameter in model.parameters():
        parameter.stop_gradient = True
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    example = EXAMPLE.clone()
    with paddle.no_grad():
        assert conv_norm_pairs(model, example) == {"0.conv": "0.norm"}
    assert example.stop_gradient
    assert example.grad is None
    assert model.training
    assert not model[0].norm.training
    assert model[1].training
    assert all((value.numpy() == before[name]).all() for name, value in model.state_dict().items())
    assert not any(
        layer._forward_pre_hooks or layer._forward_post_hooks for layer in model.sublayers()
    )
    assert all(p.grad is None for p in model.parameters())


def test_a_failing_model_is_left_without_hooks():
    model = Custom(lambda m, x: m.norm(m.conv(x[:, :2])))
    with pytest.raises(ValueError, match="channel"):
        conv_norm_pairs(model, EXAMPLE)
    assert not model.conv._forward_post_hooks
    assert model.training


def test_a_model_without_output():
    with pytest.raises(ReparameterisationError, match="holds no tensor"):
        conv_norm_pairs(Custom(lambda m, x: "text"), EXAMPLE)


def test_sequences():
    conv, norm = nn.Conv2D(3, 3, 1), nn.BatchNorm2D(3)
    assert conv_norm_pairs(nn.Sequential(conv, norm, nn.ReLU())) == {"0": "1"}
    assert conv_norm_pairs(nn.Sequential(conv, nn.ReLU(), norm)) == {}
    nested = nn.Sequential(nn.Sequential(("conv", conv), ("norm", norm)), RepVGGBlock(3, 3))
    assert conv_norm_pairs(nested) == {"0.conv": "0.norm"}
    assert conv_norm_pairs(nn.LayerList([conv, norm])) == {}  # a list has no order of use

    class Backwards(nn.Sequential):
        def forward(self, x):
            return self[0](self[1](x))

    assert conv_norm_pairs(Backwards(conv, norm)) == {}


class Owner(nn.Layer):
    """Holds a sequence and does with it what ``use`` says."""

    def __init__(self, use):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2D(3, 3, 1), nn.BatchNorm2D(3))
        self.use = use

    def forward(self, x):
        return self.use(self.body, x)


@pytest.mark.parametrize(
    "use, paired",
    [
        (lambda body, x: body(x), True),
        (lambda body, x: body[0](x) + body(x), False),
        (lambda body, x: body[1](F.relu(body[0](x))), False),
    ],
)
def test_a_sequence_is_trusted_only_where_sequences_hold_it(use, paired):
    for model, prefix in ((Owner(use), ""), (nn.Sequential(Owner(use)), "0.")):
        pair = {f"{prefix}body.0": f"{prefix}body.1"}
        assert conv_norm_pairs(model) == {}
        assert conv_norm_pairs(model, EXAMPLE) == (pair if paired else {})


def test_what_is_told_of_readers():
    """An empty string says that no layer is the only reader."""
    builder = PlanBuilder((3, 8, 8))
    x = builder.add("conv", Conv(3, 3, (1, 1)), 0)
    y = builder.add("norm", BatchNorm(3), x)
    builder.add("sum", Add(), y, x)
    told = told_readers(nn.Sequential(PlanNetwork(builder.finish()), nn.ReLU()))
    expected = {"0": "1", "1": "", "0.input": "0.conv"}
    assert told == expected | {"0.conv": "", "0.norm": "", "0.sum": ""}


def test_batch_norms_that_keep_to_the_batch_are_no_pair():
    """Nor do their running statistics move while the model is looked at."""
    norm = nn.BatchNorm2D(3, use_global_stats=False)
    model = nn.Sequential(nn.Conv2D(3, 3, 1), norm)
    assert conv_norm_pairs(model) == {}
    assert conv_norm_pairs(model, EXAMPLE) == {}
    assert not norm._mean.numpy().any()
    norm._use_global_stats = True
    assert conv_norm_pairs(model) == {"0": "1"}


def peculiar_models():
    conv, norm = nn.Conv2D(3, 3, 1), nn.BatchNorm2D(3)
    yield "conv stands twice", nn.Sequential(conv, norm, nn.ReLU(), conv)
    conv, norm = nn.Conv2D(3, 3, 1), nn.BatchNorm2D(3)
    yield "norm stands twice", nn.Sequential(conv, norm, nn.ReLU(), norm)
    tied = nn.Conv2D(3, 3, 1)
    tied.weight = conv.weight
    yield "kernel is shared", nn.Sequential(conv, nn.BatchNorm2D(3), nn.ReLU(), tied)
    hooked = nn.Sequential(nn.Conv2D(3, 3, 1), nn.BatchNorm2D(3))
    hooked[0].register_forward_post_hook(lambda layer, inputs, output: output * 2)
    yield "hook on conv", hooked
    hooked = nn.Sequential(nn.Conv2D(3, 3, 1), nn.BatchNorm2D(3))
    hooked[1].register_forward_pre_hook(lambda layer, inputs: None)
    yield "hook on norm", hooked

    class Own(nn.BatchNorm2D):
        def forward(self, x):
            return F.relu(super().forward(x))

    yield "a norm of another kind", nn.Sequential(nn.Conv2D(3, 3, 1), Own(3))
    yield "other channels", nn.Sequential(nn.Conv2D(3, 3, 1), nn.BatchNorm2D(4))


@pytest.mark.parametrize("name, model", list(peculiar_models()))
def test_what_stays_as_it_is(name, model):
    assert conv_norm_pairs(model) == {}


def test_plans_know_their_readers():
    builder = PlanBuilder((3, 8, 8))
    x = builder.add("stem.conv", Conv(3, 4, (3, 3)), 0)
    x = builder.add("stem.norm", BatchNorm(4), x)
    y = builder.add("training", Conv(4, 4, (1, 1)), x)  # also the name of an attribute of layers
    z = builder.add("norm", BatchNorm(4), y)
    shared = builder.add("shared", Conv(4, 4, (1, 1)), x)
    w = builder.add("reader", BatchNorm(4), shared)
    builder.add("relu", Relu(), builder.add("sum", Add(), z, w, shared))
    network = PlanNetwork(builder.finish())
    expected = {"stem.conv": "stem.norm", "training": "norm"}
    assert conv_norm_pairs(network) == expected
    assert conv_norm_pairs(nn.Sequential(nn.Identity(), network)) == {
        f"1.{conv}": f"1.{norm}" for conv, norm in expected.items()
    }


def test_plan_and_gradients_agree_on_cell_networks():
    cells = CellPair(Cell((1, 0, 2, 3), (1, 1, 0, 0, 0, 1)), Cell((4, 1, 0, 1), (1, 0, 1, 0, 1, 0)))
    network = build_network(cells, width=4, image_size=8, cells_per_stage=1, stages=2, bottleneck=1)
    pairs = conv_norm_pairs(network)
    assert pairs
    example = paddle.randn([2, 3, 8, 8])
    # fresh biases are zero: a dead map has no gradient to follow, so give all of them one
    for layer in network.sublayers():
        if isinstance(layer, nn.BatchNorm2D):
            layer.bias.set_value(paddle.full_like(layer.bias, 2.0))
    assert conv_norm_pairs(network, example) == pairs
