"""Rewards without training, to watch strategies learn in seconds and to test the machinery."""

from __future__ import annotations

import numpy as np

from autodl.errors import ConfigError
from autodl.spaces.cell import CellPair
from autodl.spaces.codec import Architecture
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
