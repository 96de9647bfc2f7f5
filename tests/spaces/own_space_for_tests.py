"""A space as a user would write it, rows and nothing else, and something to score it by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autodl.errors import ConfigError
from autodl.spaces.codec import register_architecture
from autodl.spaces.rows import check_row, random_row
from autodl.trial import Evaluation


@dataclass(frozen=True)
class SignsArchitecture:
    signs: tuple[int, ...]

    def to_json(self):
        return {"kind": "signs", "version": 1, "signs": list(self.signs)}


@dataclass(frozen=True)
class Signs:
    sizes = (2, 3, 2, 1, 5, 2)
    kind = "signs"

    def check(self, architecture):
        if not isinstance(architecture, SignsArchitecture):
            raise ConfigError(f"this space holds signs, got a {type(architecture).__name__}")
        return architecture

    def sample(self, rng):
        return self.decode(random_row(self.sizes, rng))

    def encode(self, architecture):
        return np.array(self.check(architecture).signs, np.int64)

    def decode(self, row):
        return SignsArchitecture(tuple(check_row(row, self.sizes).tolist()))


register_architecture("signs", lambda value: SignsArchitecture(tuple(value["signs"])))


class CountOnes:
    """Reward = the share of decisions that are 1."""

    def __call__(self, architecture, rng):
        return Evaluation(architecture.signs.count(1) / len(Signs.sizes))
