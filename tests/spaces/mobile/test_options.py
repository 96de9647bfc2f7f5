"""The options of mobile networks are the arguments of their plan."""

from __future__ import annotations

import inspect

import pytest

from autodl.errors import ConfigError
from autodl.jobs.search.parts import load_search
from autodl.spaces.mobile.options import MobileNetworkOptions
from autodl.spaces.mobile.plan import mobile_plan

MOBILE = ["Space={name: MobileSpace}", "Strategy={name: RandomSearch}"]


def test_names_and_defaults_are_those_of_the_plan():
    parameters = inspect.signature(mobile_plan).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    del defaults["classes"], defaults["image_size"]  # the data's
    assert MobileNetworkOptions().model_dump() == defaults


@pytest.mark.parametrize(
    "network, message",
    [
        ("{name: MobileNetwork, base_widths: [4, 6]}", "base_widths"),
        ("{name: MobileNetwork, base_widths: [0, 6, 8, 16, 24, 40, 80]}", "base_widths"),
        ("{name: MobileNetwork, strides: [1]}", "strides"),
        ("{name: MobileNetwork, skip_on_change: maybe}", "skip_on_change"),
        ("{name: MobileNetwork, width: 4}", "unknown key Network.width"),
    ],
)
def test_mistakes_are_named(network, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_search("search/cell-agent-tokens.yaml", [*MOBILE, f"Network={network}"])
    assert "\n" not in str(caught.value)
