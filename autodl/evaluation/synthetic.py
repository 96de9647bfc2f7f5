"""Rewards without training, to watch strategies learn in seconds and to test the machinery."""

from __future__ import annotations

import numpy as np

from autodl.errors import ConfigError
from autodl.spaces.cell.architecture import CellPair
from autodl.spaces.codec import Architecture
from autodl.spaces.mobile.architecture import MobileArchitecture
from autodl.spaces.mobile.space import MobileSpace
from autodl.spaces.operations import operation
from autodl.trial import Evaluation


class TokenCount:
    """Reward = number of nodes whose operation has id ``token``: the original's own demo."""

    def __init__(self, token: int = 1) -> None:
        operation(token)  # an id that no operation has would never be counted
        self._token = token

    def __call__(self, architecture: Architecture, rng: np.random.Generator) -> Evaluation:
        """Count the token in both cells."""
        if not isinstance(architecture, CellPair):
            raise ConfigError("TokenCount scores cell pairs; set Space.name to CellSpace")
        tokens, _ = architecture.to_tokens()
        return Evaluation(float(tokens.count(self._token)))


class TargetMatch:
    """Reward = share of a mobile network's 35 primitives that equal those of a hidden target.

    The highest reward is 1, of the target alone. ``task`` draws the target, ``moved`` of whose
    primitives are then given another value: of a network's rewards in two tasks of one number, one
    with ``moved``, all but these primitives contribute the same; tasks of different numbers have
    nothing to do with each other.
    """

    def __init__(self, task: int = 0, moved: int = 0) -> None:
        self._space = MobileSpace()
        rng = np.random.default_rng((task, 0, 3))  # the first proposal draws from (seed, 0, 0)
        target = self._space.encode(self._space.sample(rng))
        choices = np.array(self._space.sizes)
        places = rng.choice(target.size, moved, replace=False)
        target[places] = (target[places] + rng.integers(1, choices[places])) % choices[places]
        self._target = target

    @property
    def target(self) -> MobileArchitecture:
        """The network of the highest reward."""
        return self._space.decode(self._target)

    def __call__(self, architecture: Architecture, rng: np.random.Generator) -> Evaluation:
        """Compare primitive by primitive."""
        if not isinstance(architecture, MobileArchitecture):
            raise ConfigError("TargetMatch scores mobile networks; set Space.name to MobileSpace")
        return Evaluation(float((self._space.encode(architecture) == self._target).mean()))
