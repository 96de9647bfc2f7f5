"""The form that is trained: which blocks stand where, how they start, and what decays."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.errors import ConfigError
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import GlobalAvgPool, Linear
from autodl.plans.plan import PlanBuilder
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.reparam.asymmetric import AsymmetricConvBlock
from autodl.reparam.diverse import DiverseBranchBlock
from autodl.reparam.repvgg import RepVGGBlock
from autodl.reparam.training_form import training_network
from autodl.spaces.classic.cifar_quick import cifar_quick_plan
from autodl.spaces.classic.repvgg import repvgg_plan
from autodl.training.fit import make_optimizer

QUICK = cifar_quick_plan(image_size=16)
SMALL_REPVGG = repvgg_plan(classes=10, image_size=16, layers=(2, 1, 1, 1), width=0.125, cifar=True)


def test_without_branches_it_is_the_plain_network():
    network = training_network(QUICK, TrainOptions(), seed=5)
    plain = PlanNetwork(QUICK, seed=5).state_dict()
    found = network.state_dict()
    assert list(found) == list(plain)
    assert all((found[name].numpy() == plain[name].numpy()).all() for name in plain)


@pytest.mark.parametrize(
    "branches, kind, plan",
    [
        ("acb", AsymmetricConvBlock, QUICK),
        ("dbb", DiverseBranchBlock, QUICK),
        ("repvgg", RepVGGBlock, SMALL_REPVGG),
    ],
)
def test_every_convolution_gets_its_block_and_starts_from_the_plain_kernel(branches, kind, plan):
    options = TrainOptions(branches=branches)
    network, again = (training_network(plan, options, seed=5) for _ in range(2))
    plain = PlanNetwork(plan, seed=5)
    convolutions = [record.name for record in plan.records if "conv" in record.name]
    for name in convolutions:
        block = network.layer(name)
        assert type(block) is kind
        assert (block.main_layers()[0].weight.numpy() == plain.layer(name).weight.numpy()).all()
    same = again.state_dict()
    assert all(
        (value.numpy() == same[name].numpy()).all() for name, value in network.state_dict().items()
    )


def test_the_scale_of_asymmetric_blocks():
    network = training_network(QUICK, TrainOptions(branches="acb", branch_scale=0.25), seed=0)
    block = network.layer("stage1.conv")
    for branch in (block.square, block.vertical, block.horizontal):
        assert (branch[-1].weight.numpy() == np.float32(0.25)).all()


def test_a_network_without_convolutions_is_refused():
    builder = PlanBuilder((3, 8, 8))
    builder.add("head.classifier", Linear(3, 10), builder.add("head.pool", GlobalAvgPool(), 0))
    with pytest.raises(ConfigError, match=r"Train\.branches=dbb finds no convolution .*none"):
        training_network(builder.finish(), TrainOptions(branches="dbb"))


def test_what_decays_in_repvgg_blocks_as_its_authors_have_it():
    """Steps on gradients of zero: what has weight decay shrinks by rate x decay, the rest stays.

    Exempt are shifts, and the scales behind the 3x3 and 1x1 convolutions, not that of the identity
    (RepVGG's training code). Equality of float32 products: 1e-6 relative.
    """
    options = TrainOptions(branches="repvgg", learning_rate=0.5, weight_decay=0.1, momentum=0.0)
    network = training_network(SMALL_REPVGG, options, seed=0)
    optimizer = make_optimizer(network, recipe_of(options), options.learning_rate)
    parameters = {
        name: value for name, value in network.named_parameters() if not value.stop_gradient
    }
    for value in parameters.values():
        value.set_value(paddle.ones_like(value))
    sum((value * 0.0).sum() for value in parameters.values()).backward()
    optimizer.step()
    decayed = {name for name, value in parameters.items() if float(value.mean()) < 1}
    for name in decayed:
        np.testing.assert_allclose(parameters[name].numpy(), 1 - 0.5 * 0.1, rtol=1e-6)
    block = "stage1.layer1.conv."
    own = {name.removeprefix(block) for name in parameters if name.startswith(block)}
    assert {name.removeprefix(block) for name in decayed if name.startswith(block)} == {
        "dense.0.weight",
        "point.0.weight",
        "identity.weight",
    }
    assert own >= {"dense.1.weight", "dense.1.bias", "point.1.weight", "identity.bias"}
    assert "head.classifier.weight" in decayed
    assert "head.classifier.bias" not in decayed


def test_a_part_has_blocks_with_their_scale():
    own = {"name": "branches", "of": {"stage0": "acb", "stage1": "dbb"}, "scale": 0.25}
    network = training_network(QUICK, TrainOptions(form=own), seed=5)
    whole = training_network(QUICK, TrainOptions(branches="acb", branch_scale=0.25), seed=5)
    assert type(network.layer("stage1.conv")) is DiverseBranchBlock
    first, same = (one.layer("stage0.conv").state_dict() for one in (network, whole))
    assert all((first[name].numpy() == same[name].numpy()).all() for name in same)
    assert [float(first[f"{part}.1.weight"][0]) for part in ("square", "vertical")] == [0.25] * 2
