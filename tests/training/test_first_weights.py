"""What hooks leave as it started: blocks of branches, and what is frozen."""

from types import SimpleNamespace

import pytest
from paddle import nn

from autodl.config.components import make_part
from autodl.recipes.options import TrainOptions
from autodl.reparam.block import MultiBranchConv2D
from autodl.reparam.training_form import training_network
from autodl.spaces.classic.repvgg import repvgg_plan
from autodl.training.first_weights import layers_to_start


def test_order_is_that_of_sublayers_without_what_is_frozen():
    shared = nn.Linear(2, 2)
    network = nn.Sequential(nn.Sequential(nn.Conv2D(3, 2, 1), shared), nn.Linear(2, 2), shared)
    assert layers_to_start(network) == network.sublayers()
    network[1].weight.stop_gradient = True
    wanted = [layer for layer in network.sublayers() if layer is not network[1]]
    assert layers_to_start(network) == wanted


@pytest.mark.parametrize("hook", ["UniformStart", "DiracStart"])
@pytest.mark.parametrize("branches", ["acb", "repvgg"])
def test_branches_keep_their_start(hook, branches):
    """So a block starts from its kernel's values; RepVGG's would have several identities."""
    plan = repvgg_plan(classes=10, image_size=16, layers=(1, 1, 1, 1), width=0.125, cifar=True)
    network = training_network(plan, TrainOptions(branches=branches), seed=5)
    blocks = [layer for layer in network.sublayers() if isinstance(layer, MultiBranchConv2D)]
    before = [{name: value.numpy() for name, value in b.state_dict().items()} for b in blocks]
    head = network.layer("head.classifier").weight
    drawn = head.numpy()
    setting = SimpleNamespace(network=network, seed=0, recipe=SimpleNamespace(section="Train"))
    part = make_part("Hook", {"name": hook})
    part.factory()(setting, part.options)
    assert blocks
    for block, kept in zip(blocks, before, strict=True):
        for name, value in block.state_dict().items():
            assert (value.numpy() == kept[name]).all(), name
    assert (head.numpy() != drawn).any() == (hook == "UniformStart")
