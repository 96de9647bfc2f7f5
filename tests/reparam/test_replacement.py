"""Blocks in the place of convolutions: where, what they start as, and what stays."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.errors import UnknownNameError
from autodl.networks.network import PlanNetwork
from autodl.reparam.asymmetric import AsymmetricConvBlock
from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.fusion import fuse
from autodl.reparam.replacement import BLOCKS, replace_convolutions
from autodl.spaces.cell.plan import cell_plan
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.operations import operation_names


def small():
    return nn.Sequential(
        nn.Conv2D(3, 4, 3, padding=1, bias_attr=False),
        nn.BatchNorm2D(4, momentum=0.8, epsilon=1e-3),
        nn.ReLU(),
        nn.Conv2D(4, 4, 5, padding=2, groups=4),
        nn.ReLU(),
        nn.Conv2D(4, 4, 1),
        nn.Conv2D(4, 4, 2),
        nn.Conv2D(4, 4, 7, padding=3),
        nn.Conv2D(4, 8, 3, padding=1, groups=4),
        nn.Conv2D(8, 8, (1, 3), padding=(0, 1)),
        nn.Conv2D(8, 8, 3),
        nn.Conv2D(8, 8, 3, padding=1, padding_mode="reflect"),
    )


@pytest.mark.parametrize(
    "block, replaced",
    [("acb", {"0", "3", "8", "10"}), ("dbb", {"0", "3", "8"}), ("repvgg", {"0", "8"})],
)
def test_eligible_convolutions_are_replaced_and_others_told(block, replaced):
    network = small()
    report = replace_convolutions(network, block)
    assert set(report.replaced) == replaced
    assert set(report.kept) == {"0", "3", "5", "6", "7", "8", "9", "10", "11"} - replaced
    for path in replaced:
        assert type(network[int(path)]) is BLOCKS[block]
    for path in report.kept:
        assert type(network[int(path)]) is nn.Conv2D
    assert type(network[1]) is nn.Identity
    assert "even side" in report.kept["6"]
    assert "reflect" in report.kept["11"]
    assert "[1, 1]" in report.kept["5"]
    if block == "dbb":
        assert "does not match" in report.kept["10"]


@pytest.mark.parametrize("block", BLOCKS)
def test_the_main_branch_starts_as_what_it_replaces(block, tell):
    """In evaluation mode and float64, with a bias before the batch-norm; 1e-12 is rounding."""
    plain = nn.Sequential(nn.Conv2D(3, 4, 3, padding=1), nn.BatchNorm2D(4), nn.ReLU())
    tell.randomise(plain)
    x = tell.inputs(2, 3, 7, 8)
    expected = tell.run(plain[:2], x)
    kernel = plain[0].weight.numpy()
    replace_convolutions(plain, block)
    main = plain[0]._sub_layers[plain[0].main_branch]
    assert not plain[0].training
    assert tell.difference(tell.run(main, x), expected) < 1e-12
    assert (main[0].weight.numpy() == kernel).all()


def test_a_convolution_without_batch_norm_keeps_its_bias(tell):
    """Up to epsilon: a fresh batch-norm divides by sqrt(1 + 1e-5)."""
    plain = tell.randomise(nn.Sequential(nn.Conv2D(3, 4, 3, padding=1), nn.ReLU()))
    x, expected = tell.inputs(2, 3, 7, 8), None
    expected = tell.run(plain[0], x)
    replace_convolutions(plain, "acb")
    assert tell.difference(tell.run(plain[0].square, x), expected) < 1e-5


def test_options_go_to_the_blocks_and_the_rest_comes_from_the_batch_norm():
    network = small()
    replace_convolutions(network, AsymmetricConvBlock, initial_scale=0.5)
    norms = [layer for layer in network[0].sublayers() if isinstance(layer, nn.BatchNorm2D)]
    assert {(norm._momentum, norm._epsilon) for norm in norms} == {(0.8, 1e-3)}
    assert all((norm.weight.numpy() == 0.5).all() for norm in norms)
    network = small()
    replace_convolutions(network, "dbb", momentum=0.7, single_init=True)
    norms = [layer for layer in network[0].sublayers() if isinstance(layer, nn.BatchNorm2D)]
    assert {(norm._momentum, norm._epsilon) for norm in norms} == {(0.7, 1e-3)}
    assert not network[0].point[1].weight.numpy().any()


def test_the_seed_decides_the_branches():
    def weights(seed):
        paddle.seed(seed)
        network = small()
        replace_convolutions(network, "dbb")
        return network[0].point[0].weight.numpy()

    assert (weights(1) == weights(1)).all()
    assert (weights(1) != weights(2)).any()


def test_only_some():
    network = small()
    report = replace_convolutions(network, "acb", only=["3", "7"])
    assert report.replaced == ("3", "7")  # 7x7 as well, when asked for by name
    assert report.kept["0"] == "it was not asked for"
    assert type(network[1]) is nn.BatchNorm2D


@pytest.mark.parametrize(
    "block, path, message",
    [
        ("acb", "inner.even", r"^inner.even: the kernel \[2, 2\] has an even side"),
        ("dbb", "inner.unpadded", r"^inner.unpadded: padding \[0, 0, 0, 0\]"),
        ("dbb", "inner.fewer", "^inner.fewer: groups 4 must be fewer than out_channels"),
        ("repvgg", "inner.large", "^inner.large: a RepVGG block has a 3x3 kernel"),
        ("acb", "inner.frozen", "^inner.frozen: its kernel is frozen"),
        ("acb", "inner.lrage", "^inner.lrage: there is no plain.* Did you mean 'inner.large'"),
        ("acb", "inner", "^inner: there is no plain convolution"),
        ("acb", "inner.hooked", "^inner.hooked: it has a forward hook"),
    ],
)
def test_convolutions_asked_for_must_fit(block, path, message):
    network = nn.Sequential()
    inner = nn.Sequential()
    inner.add_sublayer("good", nn.Conv2D(4, 4, 3, padding=1))
    inner.add_sublayer("even", nn.Conv2D(4, 4, 2))
    inner.add_sublayer("unpadded", nn.Conv2D(4, 4, 3))
    inner.add_sublayer("fewer", nn.Conv2D(8, 4, 3, padding=1, groups=4))
    inner.add_sublayer("large", nn.Conv2D(8, 8, 5, padding=2))
    inner.add_sublayer("frozen", nn.Conv2D(8, 8, 5, padding=2))
    inner.frozen.weight.stop_gradient = True
    inner.add_sublayer("hooked", nn.Conv2D(8, 8, 5, padding=2))
    inner.hooked.register_forward_pre_hook(lambda layer, inputs: None)
    network.add_sublayer("inner", inner)
    with pytest.raises(ReparameterisationError, match=message) as caught:
        replace_convolutions(network, block, only=["inner.good", path])
    assert "\n" not in str(caught.value)
    assert all(type(layer) is nn.Conv2D for layer in inner.children())  # nothing was replaced


def test_wrong_options_name_the_layer_and_change_nothing():
    network = nn.Sequential(small())
    with pytest.raises(ReparameterisationError, match=r"^0.3: internal_channels must be"):
        replace_convolutions(network, "dbb", internal_channels=3)
    assert type(network[0][0]) is nn.Conv2D


def test_an_unknown_block():
    with pytest.raises(UnknownNameError, match=r"unknown block 'dbc'. Did you mean 'dbb'"):
        replace_convolutions(small(), "dbc")


def test_nothing_to_replace_is_reported_not_raised():
    report = replace_convolutions(nn.Sequential(nn.Conv2D(3, 4, 1)), "acb")
    assert report.replaced == ()
    assert list(report.kept) == ["0"]


def test_a_convolution_by_itself_is_told_why_it_stays():
    report = replace_convolutions(nn.Conv2D(3, 4, 3), "acb")
    assert report.replaced == ()
    assert "put it in a Sequential" in report.kept[""]


def test_what_is_no_block():
    with pytest.raises(ReparameterisationError, match=r"must be one of acb, .*, got .*Conv2D"):
        replace_convolutions(small(), nn.Conv2D)


@pytest.mark.parametrize("options", [{"initial_scal": 0.5}, {"stride": 2}])
def test_options_that_the_block_has_not(options):
    network = small()
    message = rf"^0: AsymmetricConvBlock .*'{next(iter(options))}'; its options are initial_scale"
    with pytest.raises(ReparameterisationError, match=message):
        replace_convolutions(network, "acb", **options)
    assert type(network[0]) is nn.Conv2D


@pytest.mark.parametrize("block", BLOCKS)
def test_kernels_take_over_learning_rate_and_regulariser(block):
    decay = paddle.regularizer.L2Decay(0.125)
    attribute = paddle.ParamAttr(learning_rate=0.25, regularizer=decay)
    network = nn.Sequential(nn.Conv2D(4, 4, 3, padding=1, weight_attr=attribute))
    replace_convolutions(network, block)
    kernels = [layer.weight for layer in network.sublayers() if isinstance(layer, nn.Conv2D)]
    assert len(kernels) > 1
    for kernel in kernels:
        assert kernel.optimize_attr["learning_rate"] == 0.25
        assert kernel.regularizer._coeff == 0.125
    network = small()
    replace_convolutions(network, block, weight_attr=attribute)  # an option goes first
    assert network[0].main_layers()[0].weight.optimize_attr["learning_rate"] == 0.25


@pytest.mark.parametrize(
    "options, frozen, reason",
    [
        ({"use_global_stats": True}, (), "use_global_stats=True"),
        ({}, ("weight",), "its batch-norm is frozen"),
        ({}, ("bias",), "its batch-norm is frozen"),
        ({"weight_attr": False, "bias_attr": False}, (), ""),
    ],
)
def test_batch_norms_that_branches_would_train_otherwise(options, frozen, reason):
    network = nn.Sequential(nn.Conv2D(3, 4, 3, padding=1), nn.BatchNorm2D(4, **options))
    for name in frozen:
        getattr(network[1], name).stop_gradient = True
    report = replace_convolutions(network, "dbb")
    assert bool(report.replaced) is not bool(reason)
    assert reason in report.kept.get("0", "")
    assert type(network[1]) is (nn.BatchNorm2D if reason else nn.Identity)


def test_without_an_example_code_is_not_guessed_at():
    """Where a batch-norm is left over, any convolution in code could be the one it reads."""

    def network(*layers):
        owner = nn.Layer()
        owner.body = nn.Sequential(nn.Conv2D(3, 4, 3, padding=1), *layers)
        owner.forward = owner.body.forward
        return nn.Sequential(nn.Conv2D(3, 3, 3, padding=1), owner)

    plain = network(nn.BatchNorm2D(4))
    report = replace_convolutions(plain, "acb")
    assert report.replaced == ("0",)  # a sequence tells that no batch-norm reads this one
    assert "give example=" in report.kept["1.body.0"]
    with pytest.raises(ReparameterisationError, match=r"^1.body.0: only an example"):
        replace_convolutions(network(nn.BatchNorm2D(4)), "acb", only=["1.body.0"])
    plain = network(nn.BatchNorm2D(4))
    report = replace_convolutions(plain, "acb", example=paddle.randn([2, 3, 8, 8]))
    assert report.replaced == ("0", "1.body.0")
    assert type(plain[1].body[1]) is nn.Identity
    assert replace_convolutions(network(), "acb").replaced == ("0", "1.body.0")


@pytest.mark.parametrize("block", BLOCKS)
def test_cell_networks_train_and_fuse(block, tell):
    """Random cells of all operations: plan kept, one step moves every branch, then both agree.

    1e-5 relative is specified for float32.
    """
    for seed in range(3):
        space = CellSpace(nodes=4, operations=operation_names())
        plan = cell_plan(
            space.sample(np.random.default_rng(seed)),
            width=6, cells_per_stage=1, stages=2, image_size=9, bottleneck=1, dropout=0.0,
        )  # fmt: skip
        network = PlanNetwork(plan, seed=seed)
        report = replace_convolutions(network, block)
        assert report.replaced
        assert network.plan == plan
        x = tell.inputs(4, 3, 9, 9, dtype="float32")
        assert network(x).shape == [4, 10]
        tell.randomise(network, dtype="float32")
        deployed = fuse(network)
        found, expected = tell.run(deployed, x), tell.run(network, x)
        assert tell.difference(found, expected) < 1e-5
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()
        assert deployed.plan.macs == plan.macs
        assert deployed.plan.parameters == tell.trainable_count(deployed)
        assert deployed.plan == fuse(PlanNetwork(plan)).plan  # that of the plain network, fused
