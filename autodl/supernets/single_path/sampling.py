"""Which architecture each update of a supernet is of."""

from __future__ import annotations

import numpy as np

from autodl.config.sections import NoOptions
from autodl.errors import ConfigError
from autodl.spaces.rows import random_row
from autodl.spaces.space import Integers
from autodl.supernets.single_path.network import SinglePathNetwork
from autodl.training.hooks.hook import Path
from autodl.training.setting import Epoch, Setting

_SAMPLING = 8  # stream of random numbers beside those of the training


class Uniform(Path):
    """Every decision uniform and independent, anew for every update.

    What is drawn depends on the seed and the number of the update alone, so that processes which
    train together, and a training that is resumed, draw the same.

    Raises:
        ConfigError: the network has no paths.

    Source: Guo et al., Single Path One-Shot Neural Architecture Search, ECCV 2020.
    """

    def __init__(self, setting: Setting, options: NoOptions) -> None:
        if not isinstance(setting.network, SinglePathNetwork):
            raise ConfigError("the path Uniform is for supernets, which hold a space")
        self._sizes = setting.network.space.sizes
        self._seed, self._steps, self._update = setting.seed, setting.steps, 0

    def before_epoch(self, epoch: Epoch) -> None:
        """Count updates from the epoch's first one on."""
        self._update = epoch.number * self._steps

    def choose(self) -> tuple[Integers]:
        """The row of one architecture, int64 ``[decisions]``."""
        rng = np.random.default_rng((self._seed, _SAMPLING, self._update))
        self._update += 1
        return (random_row(self._sizes, rng),)
