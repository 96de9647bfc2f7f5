"""Costs counted from built networks: by hand, and against the counts of plans."""

from __future__ import annotations

import paddle
import pytest
from paddle import nn

from autodl.networks.costs import Costs, network_costs, without_weights
from autodl.networks.network import PlanNetwork
from autodl.plans.fused import fused_plan
from autodl.spaces.classic.repvgg import repvgg_plan


def test_by_hand():
    network = nn.Sequential(
        nn.Conv2D(4, 6, (3, 2), stride=2, groups=2),  # 6 x 5 to 2 x 2
        nn.BatchNorm2D(6),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24, 5),
    )
    network[1].eval()
    before = {name: value.numpy().copy() for name, value in network.state_dict().items()}
    weights = 6 * 2 * 3 * 2
    assert network_costs(network, (4, 6, 5)) == Costs(
        parameters=weights + 6 + 12 + 24 * 5 + 5, macs=weights * 2 * 2 + 24 * 5
    )
    assert [layer.training for layer in network] == [True, False, True, True, True]
    assert not any(layer._forward_post_hooks for layer in network)
    assert all(
        (value.numpy() == before[name]).all() for name, value in network.state_dict().items()
    )


def test_frozen_parameters_and_repetition():
    """A layer that runs twice has its parameters once; a frozen kernel is not trained."""
    layer = nn.Linear(3, 3)
    layer.weight.stop_gradient = True
    assert network_costs(nn.Sequential(layer, nn.ReLU(), layer), (3,)) == Costs(3, 18)


def test_unknown_layers_are_not_passed_over():
    class Own(nn.Layer):
        def __init__(self):
            super().__init__()
            self.weight = self.create_parameter([3])

        def forward(self, x):
            return x * self.weight

    network = nn.Sequential(Own())
    with pytest.raises(TypeError, match="the cost of a Own is unknown"):
        network_costs(network, (3,))
    assert network.training
    assert not network[0]._forward_post_hooks


def test_with_and_without_weights_agree():
    plan = repvgg_plan(variant="D2se", layers=(1, 2, 1, 1), width=0.1, image_size=32, classes=7)
    expected = Costs(plan.parameters, plan.macs)
    assert network_costs(PlanNetwork(plan), plan.input_shape) == expected
    with without_weights():
        assert network_costs(PlanNetwork(plan), plan.input_shape) == expected
    assert paddle.in_dynamic_mode()


def test_d2se_counted_from_the_plan_and_from_the_layers():
    """The deployed network, whose counts nobody published to the digit."""
    plan = fused_plan(repvgg_plan(variant="D2se"))
    with without_weights():
        found = network_costs(PlanNetwork(plan), plan.input_shape)
    assert found == Costs(plan.parameters, plan.macs) == Costs(120_387_572, 32_829_551_104)


def test_an_error_leaves_the_mode_as_it_was():
    with pytest.raises(KeyError), without_weights():
        raise KeyError
    assert paddle.in_dynamic_mode()
