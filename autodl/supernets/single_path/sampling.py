"""Which architectures each update of a supernet is of.

What is drawn depends on the seed and the number of the update alone, so that processes which train
together, and a training that is resumed, draw the same. It is of what is left of the space.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autodl.config.sections import NoOptions
from autodl.errors import ConfigError
from autodl.spaces.rows import random_row
from autodl.spaces.space import Integers
from autodl.supernets.single_path.costs import CostTable
from autodl.supernets.single_path.network import SinglePathNetwork
from autodl.supernets.single_path.options import CostUniformOptions
from autodl.training.hooks.hook import Path
from autodl.training.setting import Epoch, Setting

_SAMPLING = 8  # stream of random numbers beside those of the training


class Uniform(Path):
    """Every decision uniform and independent, anew for every update.

    Raises:
        ConfigError: the network has no paths.

    Source: Guo et al., Single Path One-Shot Neural Architecture Search, ECCV 2020.
    """

    def __init__(self, setting: Setting, options: NoOptions) -> None:
        self._network = paths_of(setting.network, "the path Uniform")
        self._draws = _Draws(setting)

    def before_epoch(self, epoch: Epoch) -> None:
        """Count updates from the epoch's first one on."""
        self._draws.begin(epoch)

    def choose(self) -> tuple[Integers]:
        """The row of one architecture, int64 ``[decisions]``."""
        left = self._network.left
        return (left.in_whole(random_row(left.sizes, self._draws.next())),)


class Fair(Path):
    """Every value of every decision once for each update, which is of as many paths as values.

    Each decision has its values in a random order of its own, and the n-th path takes the n-th of
    each. All paths see the same batch, their gradients are added, then there is one update: a block
    has the gradient of one path, what all share that of all. Batch-norms that all share see each.

    Raises:
        ConfigError: the network has no paths, or its decisions have unlike numbers of values.

    Source: Chu et al., FairNAS, ICCV 2021 (arXiv:1907.01845), algorithm 1.
    """

    def __init__(self, setting: Setting, options: NoOptions) -> None:
        self._network = paths_of(setting.network, "the path Fair")
        self._draws = _Draws(setting)
        if len(sizes := {*self._network.left.sizes}) != 1:
            raise ConfigError(
                "the path Fair gives every operation of a layer the same number of updates, so all"
                f" layers need as many; here are {', '.join(map(str, sorted(sizes)))}: use Uniform"
            )

    def before_epoch(self, epoch: Epoch) -> None:
        """Count updates from the epoch's first one on."""
        self._draws.begin(epoch)

    def choices(self) -> Sequence[tuple[Integers]]:
        """A row for each value, int64 ``[decisions]``, no two of which have one in common."""
        left, rng = self._network.left, self._draws.next()
        orders = np.stack([rng.permutation(size) for size in left.sizes], axis=1)
        return [(row,) for row in left.in_whole(orders)]


class CostUniform(Path):
    """A cost uniform over bins, then an architecture of that cost, anew for every update.

    Uniform architectures are drawn until one is in the bin. Where none is after so many tries, the
    last one is taken whatever it costs.

    Raises:
        ConfigError: the network has no paths, or none of its architectures is within the bounds.

    Source: Guo et al., Single Path One-Shot Neural Architecture Search, ECCV 2020: seven bins of
    10 million from 290 to 360 million.
    """

    def __init__(self, setting: Setting, options: CostUniformOptions) -> None:
        self._network = paths_of(setting.network, "the path CostUniform")
        self._draws, self._options = _Draws(setting), options
        self._table = table = CostTable.of(self._network.blocks)
        least, most = (
            table.shared + sum(int(bound(costs)) for costs in table.chosen)
            for bound in (np.min, np.max)
        )
        if options.highest <= least or options.lowest > most:
            raise ConfigError(
                f"no architecture costs from {options.lowest:,} to {options.highest:,}"
                f" multiply-accumulates; those of the space have {least:,} to {most:,}: move lowest"
                " and highest of Supernet.path"
            )

    def before_epoch(self, epoch: Epoch) -> None:
        """Count updates from the epoch's first one on."""
        self._draws.begin(epoch)

    def choose(self) -> tuple[Integers]:
        """The row of one architecture, int64 ``[decisions]``."""
        options, left, rng = self._options, self._network.left, self._draws.next()
        edges = np.linspace(options.lowest, options.highest, options.bins + 1)
        number = int(rng.integers(options.bins))
        rows = left.in_whole(rng.integers(left.sizes, size=(options.tries, len(left.sizes))))
        macs = self._table.macs(rows)
        inside = np.flatnonzero((macs >= edges[number]) & (macs < edges[number + 1]))
        return (rows[inside[0] if len(inside) else -1],)


class _Draws:
    """A generator for each update."""

    def __init__(self, setting: Setting) -> None:
        self._seed, self._steps, self._update = setting.seed, setting.steps, 0

    def begin(self, epoch: Epoch) -> None:
        self._update = epoch.number * self._steps

    def next(self) -> np.random.Generator:
        rng = np.random.default_rng((self._seed, _SAMPLING, self._update))
        self._update += 1
        return rng


def paths_of(network: object, who: str) -> SinglePathNetwork:
    """The network, if it holds a space.

    Args:
        who: needs it, for the message.

    Raises:
        ConfigError: it does not.
    """
    if isinstance(network, SinglePathNetwork):
        return network
    raise ConfigError(f"{who} is for supernets, which hold a space")
