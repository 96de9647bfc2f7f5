"""From a configured network to a function that spells architectures out as plans."""

from __future__ import annotations

from collections.abc import Callable

from autodl.config.components import Component
from autodl.errors import ConfigError, PluginError
from autodl.plans.plan import Plan
from autodl.plans.signature import Signature
from autodl.spaces.codec import Architecture
from autodl.spaces.fixed import FixedArchitecture


def plan_maker(network: Component, signature: Signature) -> Callable[[Architecture], Plan]:
    """Architecture -> plan.

    The network's factory is called with the architecture, if it is one that is searched for, and
    with its options and the signature's arguments (of pictures ``classes`` and ``image_size``) as
    keywords. The plan maker raises ConfigError for an architecture where there is nothing to
    choose, and for none where there is.
    """
    factory, arguments, searched = network.factory(), network.arguments(), network.entry.searched

    def make_plan(architecture: Architecture) -> Plan:
        if searched == isinstance(architecture, FixedArchitecture):
            needs = "needs an architecture; give one" if searched else "takes no architecture"
            raise ConfigError(f"Network.name {network.name} {needs}")
        chosen = (architecture,) if searched else ()
        plan: object = factory(*chosen, **signature.arguments, **arguments)
        if not isinstance(plan, Plan):
            raise PluginError(
                f"Network {network.name}: its factory gives a Plan of autodl.plans.plan, got"
                f" {type(plan).__name__}"
            )
        return plan

    return make_plan
