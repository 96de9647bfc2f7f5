"""Networks get what their examples tell them, or are refused in words."""

from __future__ import annotations

import pytest

from autodl.config.components import read_component
from autodl.config.reading import RawConfig
from autodl.errors import ConfigError
from autodl.plans.signature import picture_signature
from autodl.spaces.fixed import FixedArchitecture
from autodl.spaces.plan_maker import plan_maker
from autodl.tasks.sequences import series_signature

PICTURES, SERIES = picture_signature(5, 16), series_signature(2, 9, 3)


def network(name):
    return read_component(RawConfig({"Network": {"name": name}}), "Network")


def test_a_network_is_told_what_its_examples_say():
    plan = plan_maker(network("SequenceResNet"), SERIES)(FixedArchitecture())
    assert (plan.input_shape, plan.output_shape) == ((2, 9), (3,))


@pytest.mark.parametrize(
    "name, signature, message",
    [
        ("ResNet9", SERIES, r"Network.name ResNet9 is not for examples of the shape \[2, 9\]"),
        ("CellNetwork", SERIES, r"takes no 'channels'; name a network"),
        ("SequenceNetwork", PICTURES, r"of the shape \[3, 16, 16\]: it takes no 'classes'"),
    ],
)
def test_a_network_for_other_examples_is_refused(name, signature, message):
    with pytest.raises(ConfigError, match=message) as caught:
        plan_maker(network(name), signature)
    assert "\n" not in str(caught.value)
