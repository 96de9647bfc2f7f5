"""From a configured network to a function that spells architectures out as plans."""

from __future__ import annotations

import inspect
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

    Raises:
        ConfigError: the network is for examples of another kind.
    """
    factory, arguments, searched = network.factory(), network.arguments(), network.entry.searched
    _check_told(network, factory, signature)

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


def _check_told(network: Component, factory: Callable[..., object], signature: Signature) -> None:
    """Raise ConfigError for a network that does not take what these examples tell it."""
    known = inspect.signature(factory).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
        return
    if foreign := [name for name in signature.arguments if name not in known]:
        raise ConfigError(
            f"Network.name {network.name} is not for examples of the shape"
            f" {list(signature.inputs)}: it takes no {foreign[0]!r}; name a network that is made"
            " for what Data.name says"
        )
