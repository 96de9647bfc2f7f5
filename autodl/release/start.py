"""A hook: a training that starts from a released network, with a classifier of its own."""

from __future__ import annotations

from autodl.errors import ConfigError
from autodl.recipes.parts import ReleasedStartOptions
from autodl.release.network import classifier_of, load
from autodl.training.hooks.hook import Hook
from autodl.training.setting import Setting
from autodl.training.weights import load_arrays


class ReleasedStart(Hook):
    """Gives a network the weights of a released one, but for the classifier, which stays new.

    Raises:
        ConfigError: the network is another one than the released.
        UnknownNameError: there is no release of that name.
    """

    sets_first_weights = True

    def __init__(self, setting: Setting, options: ReleasedStartOptions) -> None:
        released = load(options.network).network
        known = {name: value.numpy() for name, value in released.state_dict().items()}
        own = {name: value.numpy() for name, value in setting.network.state_dict().items()}
        new = f"{classifier_of(released.plan)}."
        for name, value in own.items():
            if not name.startswith(new) and (name not in known or known[name].shape != value.shape):
                raise ConfigError(
                    f"the hook ReleasedStart of {setting.recipe.section}.hooks: {name} is not one"
                    f" of {options.network}; give the Network section and the architecture of that"
                    " release"
                )
        load_arrays(
            setting.network,
            {name: value if name.startswith(new) else known[name] for name, value in own.items()},
        )
