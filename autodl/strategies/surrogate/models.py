"""Surrogates by name, made for a space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autodl.spaces.space import Coded
from autodl.strategies.surrogate.encodings import OneHot, Pairs
from autodl.strategies.surrogate.gaussian_process import GaussianProcess
from autodl.strategies.surrogate.kernels import DecisionKernel
from autodl.strategies.surrogate.ridge import Ridge
from autodl.strategies.surrogate.surrogate import Surrogate

MODELS: Mapping[str, Callable[[Coded[Any]], Surrogate]] = {
    "gp": lambda space: GaussianProcess(DecisionKernel(space.sizes)),
    "pairs": lambda space: Ridge(Pairs(space.sizes)),
    "ridge": lambda space: Ridge(OneHot(space.sizes)),
}
