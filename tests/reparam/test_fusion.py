"""Whole networks: equal outputs, exact costs, nothing else touched, one form in the end."""

from __future__ import annotations

import copy
from itertools import pairwise

import paddle
import pytest
from paddle import nn
from paddle.vision.models.resnet import BasicBlock

from autodl.errors import CheckpointError
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import BatchNorm, Conv, GlobalAvgPool, Linear, Relu
from autodl.plans.plan import PlanBuilder
from autodl.reparam.diverse import DiverseBranchBlock
from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.fusion import fuse, fuse_in_place, load_fused, with_batch_norm
from autodl.reparam.replacement import BLOCKS, replace_convolutions
from autodl.reparam.repvgg import RepVGGBlock


def conv_norm(channels, out, kernel, stride=1, groups=1):
    yield nn.Conv2D(channels, out, kernel, stride, kernel // 2, groups=groups, bias_attr=False)
    yield nn.BatchNorm2D(out)


def cifar_quick():
    return nn.Sequential(
        *conv_norm(3, 32, 5), nn.MaxPool2D(3, 2), nn.ReLU(),
        *conv_norm(32, 32, 5), nn.ReLU(), nn.AvgPool2D(3, 2),
        *conv_norm(32, 64, 5), nn.ReLU(), nn.AvgPool2D(3, 2),
        nn.Flatten(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def small_plan():
    """Strides, groups, an uneven padding, a bare convolution, three batch-norms."""
    builder, x = PlanBuilder((3, 15, 12)), 0
    for index, (out, stride, groups, padding) in enumerate(
        [(8, (1, 1), 1, (1,) * 4), (8, (1, 1), 2, (1,) * 4), (12, (2, 2), 4, (1, 1, 0, 1))]
    ):
        conv = Conv(builder.shape(x)[0], out, (3, 3), stride, padding, groups=groups, bias=False)
        x = builder.add(f"stage.{index}.conv", conv, x)
        x = builder.add(f"stage.{index}.norm", BatchNorm(out), x)
        x = builder.add(f"stage.{index}.relu", Relu(), x)
    x = builder.add("last", Conv(12, 12, (3, 3), padding=(1,) * 4), x)
    builder.add("head.fc", Linear(12, 5), builder.add("head.pool", GlobalAvgPool(), x))
    return builder.finish()


def training_form(block):
    network = PlanNetwork(small_plan(), seed=1)
    if block != "plain":
        replace_convolutions(network, block)
    return network


FORMS = ["plain", *BLOCKS]


@pytest.mark.parametrize("block", FORMS)
def test_whole_networks_agree(block, tell):
    """Specified: 1e-9 in float64, 1e-5 in float32, the same class for every picture."""
    for dtype, bound in (("float64", 1e-9), ("float32", 1e-5)):
        network = tell.randomise(training_form(block), dtype=dtype)
        x = tell.inputs(64, 3, 15, 12, dtype=dtype)
        found, expected = tell.run(fuse(network), x), tell.run(network, x)
        assert tell.difference(found, expected) < bound
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


def test_twenty_two_blocks_in_a_row(tell):
    """The depth of RepVGG-A0, narrower; 1e-5 is specified, 1e-6 is what others measured."""
    widths = [3, *[8] * 22]
    network = nn.Sequential(
        *(layer for a, b in pairwise(widths) for layer in (RepVGGBlock(a, b), nn.ReLU()))
    )
    tell.randomise(network, dtype="float32")
    x = tell.inputs(4, 3, 12, 11, dtype="float32")
    assert tell.difference(tell.run(fuse(network), x), tell.run(network, x)) < 1e-5


@pytest.mark.parametrize("block", [None, "dbb"])
def test_code_of_others_is_fused_by_an_example(block, tell):
    """Blocks of Paddle's ResNets, which are neither plans nor sequences: 6 batch-norms go."""
    shortcut = nn.Sequential(nn.Conv2D(8, 16, 1, 2, bias_attr=False), nn.BatchNorm2D(16))
    network = nn.Sequential(
        *conv_norm(3, 8, 3), nn.ReLU(), BasicBlock(8, 8), BasicBlock(8, 16, 2, shortcut)
    )
    x = tell.inputs(2, 3, 11, 14, dtype="float32")
    if block:
        report = replace_convolutions(network, block, example=x)
        assert len(report.replaced) == 5  # all 3x3
        assert list(report.kept) == ["4.downsample.0"]
    tell.randomise(network, dtype="float32")
    deployed = fuse(network, x[:1])
    assert not any(isinstance(layer, nn.BatchNorm2D) for layer in deployed.sublayers())
    assert tell.difference(tell.run(deployed, x), tell.run(network, x)) < 1e-5


@pytest.mark.parametrize("block", FORMS)
def test_the_model_is_not_touched(block, tell):
    network = tell.randomise(training_form(block), dtype="float32")
    network.train()
    x = tell.inputs(2, 3, 15, 12, dtype="float32")
    (network(x) ** 2).sum().backward()
    before, plan = tell.values(network), network.plan
    gradients = {
        n: p.grad.numpy().copy() for n, p in network.named_parameters() if p.grad is not None
    }
    layers = {name: id(layer) for name, layer in network.named_sublayers()}
    deployed = fuse(network)
    after = tell.values(network)
    assert list(before) == list(after)
    assert all((before[name] == after[name]).all() for name in before)
    assert gradients
    assert all(
        (dict(network.named_parameters())[n].grad.numpy() == g).all() for n, g in gradients.items()
    )
    assert {name: id(layer) for name, layer in network.named_sublayers()} == layers
    assert network.plan is plan
    assert network.training
    assert not deployed.training
    own = {p.data_ptr() for p in network.parameters()}
    assert own.isdisjoint(p.data_ptr() for p in deployed.parameters())  # no memory in common


@pytest.mark.parametrize("block", FORMS)
def test_fusing_twice_is_fusing_once(block, tell):
    once = fuse(tell.randomise(training_form(block)))
    twice = fuse(once)
    assert twice is not once
    first, second = tell.values(once), tell.values(twice)
    assert list(first) == list(second)
    assert all((first[name] == second[name]).all() for name in first)
    assert twice.plan == once.plan


@pytest.mark.parametrize("block", FORMS)
def test_in_place_gives_the_same(block, tell):
    network = tell.randomise(training_form(block))
    copied = tell.values(fuse(network))
    fuse_in_place(network)
    own = tell.values(network)
    assert list(own) == list(copied)
    assert all((own[name] == copied[name]).all() for name in own)


def test_a_block_by_itself(make, tell):
    block, x = tell.randomise(make()), tell.inputs(2, 4, 9, 8)
    expected = tell.run(block, x)
    convolution = fuse(block)
    assert type(convolution) is nn.Conv2D
    assert not block.is_repped
    assert tell.difference(tell.run(convolution, x), expected) < 1e-9
    fuse_in_place(block)
    assert block.is_repped
    assert (tell.run(block, x) == tell.run(convolution, x)).all()
    assert (tell.run(fuse(block), x) == tell.run(convolution, x)).all()


@pytest.mark.parametrize("block", FORMS)
def test_weights_go_into_a_network_of_the_fused_plan(block, tell):
    """The keys are those of plain convolutions: no branch, no batch-norm."""
    network = tell.randomise(training_form(block), dtype="float32")
    deployed = fuse(network)
    names = [f"stage.{i}.conv" for i in range(3)] + ["last", "head.fc"]
    assert list(deployed.state_dict()) == [f"{n}.{p}" for n in names for p in ("weight", "bias")]
    fresh = PlanNetwork(deployed.plan, seed=9)
    load_fused(fresh, deployed.state_dict())
    x = tell.inputs(2, 3, 15, 12, dtype="float32")
    fresh.eval()
    assert (tell.run(fresh, x) == tell.run(deployed, x)).all()
    again = fuse(training_form(block))
    load_fused(again, tell.values(deployed))
    assert (tell.run(again, x) == tell.run(deployed, x)).all()


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda state: state.pop("last.bias"), "lack 'last.bias'"),
        (lambda state: state.update(extra=state["last.bias"]), "has no 'extra'"),
        (lambda state: state.update({"last.bias": state["last.bias"][:3]}), "has shape"),
        (lambda state: state.update({"last.bias": state["last.bias"].astype("f8")}), "float64"),
    ],
)
def test_other_weights_are_refused_whole(spoil, message, tell):
    deployed = fuse(tell.randomise(training_form("acb"), dtype="float32"))
    before = tell.values(deployed)
    state = {name: value + 1 for name, value in before.items()}
    spoil(state)
    with pytest.raises(CheckpointError, match=message):
        load_fused(deployed, state)
    assert all((value == before[name]).all() for name, value in tell.values(deployed).items())
    with pytest.raises(CheckpointError, match="takes the weights of a fused one"):
        load_fused(deployed, training_form("acb").state_dict())


def structure(network):
    """Every layer's kind and arguments, as it prints."""
    leaves = [layer for layer in network.sublayers() if not list(layer.children())]
    # ours, which adds a bias in a faster way in training, stands for Paddle's
    return [repr(layer).replace("Convolution(", "Conv2D(") for layer in leaves]


@pytest.mark.parametrize("block", FORMS)
def test_costs_are_those_of_the_plain_network(block, tell):
    """Parameters, MACs and the layers themselves; the deployed graph has nothing else to time."""
    plain, deployed = training_form("plain"), fuse(training_form(block))
    biases = 8 + 8 + 12  # in exchange for two numbers per channel of the batch-norms
    assert tell.trainable_count(deployed) == tell.trainable_count(plain) - biases
    assert deployed.plan.macs == plain.plan.macs
    assert deployed.plan.parameters == tell.trainable_count(deployed)
    built = PlanNetwork(deployed.plan)
    layers = [line for line in structure(deployed) if line != "Identity()"]
    assert layers == structure(built)


def test_published_counts(tell):
    """Exact numbers of ACNet's and DBB's network, training forms and deployed."""
    assert tell.trainable_count(fuse(cifar_quick())) == 116_906
    for block, expected in {"acb": 149_226, "dbb": 205_785}.items():
        network = cifar_quick()
        replace_convolutions(network, block)
        assert tell.trainable_count(network) == expected
        fuse_in_place(network)
        assert tell.trainable_count(network) == 116_906
        assert {type(layer) for layer in network.sublayers()} == {
            nn.Conv2D, nn.Identity, nn.ReLU, nn.MaxPool2D, nn.AvgPool2D, nn.Flatten, nn.Linear,
        }  # fmt: skip


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision_of_the_deployed_network(half, tell, record_property):
    """Fused in float32, then rounded; computed in float32, as a CPU has no other convolution.

    1e-2 is specified; found 4e-4 (float16) and 1e-3 (bfloat16), recorded in the report.
    """
    network = tell.randomise(training_form("dbb"), dtype="float32")
    deployed = fuse(network)
    rounded = copy.deepcopy(deployed)
    rounded.to(dtype=half)
    rounded.to(dtype="float32")
    x = tell.inputs(16, 3, 15, 12, dtype="float32")
    error = tell.difference(tell.run(rounded, x), tell.run(deployed, x))
    record_property("relative_error", float(error))
    assert 0 < error < 1e-2


@pytest.mark.parametrize("bias", [True, False])
def test_inserting_a_batch_norm_changes_nothing(bias, tell):
    """Statistics measured on the outputs before the bias; 1e-12 is rounding in float64."""
    block = tell.randomise(RepVGGBlock(4, 4))
    convolution = fuse(block)
    if not bias:
        convolution.bias = None
    x = tell.inputs(16, 4, 9, 8)
    bare = nn.functional.conv2d(x, convolution.weight, padding=1)
    mean, variance = bare.mean(axis=[0, 2, 3]), bare.var(axis=[0, 2, 3], unbiased=False)
    expected, kernel = tell.run(convolution, x), convolution.weight.numpy()
    pair = with_batch_norm(convolution, mean, variance, epsilon=1e-3)
    pair.eval()
    assert pair[0].bias is None
    assert tell.difference(tell.run(pair, x), expected) < 1e-12
    pair.train()  # the batch is the one that was measured
    assert tell.difference(tell.run(pair, x), expected) < 1e-12
    pair.eval()
    assert tell.difference(tell.run(fuse(pair), x), expected) < 1e-2  # statistics moved a little
    assert (convolution.weight.numpy() == kernel).all()


def test_plain_convolutions_with_bias_and_bare_batch_norms(tell):
    """T-I with a bias, a batch-norm without scale and shift, and one that cannot be fused."""
    network = nn.Sequential(
        nn.Conv2D(3, 4, 3, 2, padding_mode="reflect", padding=1),
        nn.BatchNorm2D(4, weight_attr=False, bias_attr=False),
        nn.ReLU(),
        nn.BatchNorm2D(4),
    )
    tell.randomise(network)
    deployed, x = fuse(network), tell.inputs(2, 3, 9, 8)
    assert tell.difference(tell.run(deployed, x), tell.run(network, x)) < 1e-9
    assert [type(layer) for layer in deployed][1:] == [nn.Identity, nn.ReLU, nn.BatchNorm2D]


@pytest.mark.parametrize("bias", [None, False])
def test_freezing_is_kept(bias):
    network = nn.Sequential(nn.Conv2D(3, 4, 1, bias_attr=bias), nn.BatchNorm2D(4))
    for frozen in (False, True):
        for parameter in network[0].parameters():
            parameter.stop_gradient = frozen
        fused = fuse(network)[0]
        assert [fused.weight.stop_gradient, fused.bias.stop_gradient] == [frozen, frozen]


def test_a_block_in_two_places_stays_one(tell):
    block = RepVGGBlock(4, 4)
    network = tell.randomise(nn.Sequential(block, nn.ReLU(), block))
    deployed, x = fuse(network), tell.inputs(2, 4, 9, 8)
    assert deployed[0] is deployed[2]
    assert tell.difference(tell.run(deployed, x), tell.run(network, x)) < 1e-9


def test_deployed_blocks_become_plain_convolutions(tell):
    network = tell.randomise(nn.Sequential(DiverseBranchBlock(4, 4, 3, 1, 1), nn.ReLU()))
    x = tell.inputs(2, 4, 9, 8)
    for layer in network.sublayers():
        if hasattr(layer, "re_parameterize") and not layer.is_repped:  # as PaddleClas exports
            layer.re_parameterize()
    deployed = fuse(network)
    assert type(deployed[0]) is nn.Conv2D
    assert (tell.run(deployed, x) == tell.run(network, x)).all()
    assert list(deployed.state_dict()) == list(network.state_dict())


def test_a_branch_that_is_no_kernel_is_named_by_its_path(make, tell):
    network = nn.Sequential(("stem", nn.Sequential(nn.ReLU(), make())), ("last", make()))
    branch = next(iter(network.stem[1]._sub_layers))
    network.stem[1]._sub_layers[branch].add_sublayer("act", nn.ReLU())
    before = list(network.state_dict())
    for call in (fuse, fuse_in_place):
        with pytest.raises(
            ReparameterisationError, match=f"^stem.1.{branch}.act: a ReLU"
        ) as caught:
            call(network)
        assert caught.value.layer == f"stem.1.{branch}.act"
        assert "\n" not in str(caught.value)
    assert list(network.state_dict()) == before


def test_nothing_to_fuse():
    with pytest.raises(ReparameterisationError, match="nothing to fuse: the model has no"):
        fuse(nn.Sequential(nn.Conv2D(3, 4, 1), nn.ReLU()))
    with pytest.raises(
        ReparameterisationError, match=r"'1\.0' is the first of 2 batch-norms; give fuse an example"
    ):
        fuse(nn.Sequential(nn.ReLU(), nn.Sequential(nn.BatchNorm2D(3)), nn.BatchNorm2D(3)))
    with pytest.raises(ReparameterisationError, match=r"'0' is the first of 1 batch-norms$"):
        fuse(nn.Sequential(nn.BatchNorm2D(3)), paddle.randn([1, 3, 2, 2]))


def test_fused_networks_are_exported(tmp_path, tell):
    """Saved for inference and loaded again; 1e-5: float32, another order of sums."""
    network = tell.randomise(training_form("dbb"), dtype="float32")
    deployed = fuse(network)
    spec = [paddle.static.InputSpec([None, 3, 15, 12], "float32")]
    paddle.jit.save(deployed, str(tmp_path / "inference"), input_spec=spec)
    x = tell.inputs(2, 3, 15, 12, dtype="float32")
    found = tell.run(paddle.jit.load(str(tmp_path / "inference")), x)
    assert tell.difference(found, tell.run(network, x)) < 1e-5
    text = (tmp_path / "inference.json").read_text()
    assert "batch_norm" not in text
    assert text.count('conv2d"') == 4
