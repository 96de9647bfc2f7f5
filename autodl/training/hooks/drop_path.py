"""Edges that are dropped by chance, ever more of them."""

from __future__ import annotations

from autodl.errors import ConfigError
from autodl.networks.layers import DropPath
from autodl.recipes.parts import DropOptions
from autodl.training.hooks.hook import Hook
from autodl.training.setting import Setting, Update


class DroppedEdges(Hook):
    """Sets the rate of all ``DropPath`` layers: 0 in the first epoch, then in a line to ``rate``.

    A limit of the seconds brings it forward as it does the learning rate (``Pace``).
    An edge drops whole pictures of a batch, as in the code of DARTS, or single values, which is
    plain dropout, as in that of LRC.

    Raises:
        ConfigError: the network has no edges to drop.
    """

    def __init__(self, setting: Setting, options: DropOptions) -> None:
        self._rate, self._epochs = options.rate, setting.recipe.epochs
        self._steps = setting.steps
        layers = setting.network.sublayers()
        self._layers = [layer for layer in layers if isinstance(layer, DropPath)]
        if not self._layers:
            section = setting.recipe.section
            raise ConfigError(
                f"{section}.drop_path {options.rate:g} is for networks with edges to drop, as"
                f" GenotypeNetwork; use {section}.drop_path=0"
            )
        for layer in self._layers:
            layer.axis = 0 if options.of == "pictures" else None

    def before_step(self, update: Update) -> None:
        """Raise the rate with the epochs of the schedule."""
        for layer in self._layers:
            layer.p = self._rate * (update.position // self._steps) / self._epochs
