"""Surrogates by name, made for a space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from autodl.errors import ConfigError
from autodl.spaces.space import Coded, Pathed
from autodl.strategies.surrogate.encodings import Encoding, OneHot, Pairs, PathCounts
from autodl.strategies.surrogate.informed_process import InformedProcess
from autodl.strategies.surrogate.kernels import DecisionKernel, FeatureKernel
from autodl.strategies.surrogate.ridge import Ridge
from autodl.strategies.surrogate.surrogate import Surrogate
from autodl.strategies.surrogate.trees.boosting import boosting
from autodl.strategies.surrogate.trees.ensemble import Ensemble
from autodl.strategies.surrogate.trees.forest import forest

_MOST_FEATURES = 2000


def _encoding(space: Coded[Any]) -> Encoding:
    """The ways through a network where the space tells them, else decisions."""
    return PathCounts(space) if isinstance(space, Pathed) else OneHot(space.sizes)


def _gaussian_process(space: Coded[Any]) -> Surrogate:
    """Over the ways through a network where the space tells them, else over decisions."""
    if isinstance(space, Pathed):
        return InformedProcess(FeatureKernel(PathCounts(space).features))
    return InformedProcess(DecisionKernel(space.sizes))


def usual_acquisition(space: Coded[Any], model: str) -> Literal["ei", "ucb"]:
    """What a search by this model maximises where its options do not say.

    A Gaussian process over decisions doubts all that differs in some of them, so that expected
    improvement is drawn far afield; the confidence bound stays nearer to what is good.
    """
    return "ucb" if model == "gp" and not isinstance(space, Pathed) else "ei"


def _pairs(space: Coded[Any]) -> Surrogate:
    encoding = Pairs(space.sizes)
    if (features := sum(encoding.groups)) > _MOST_FEATURES:
        raise ConfigError(
            f"Strategy.model=pairs weighs {features:,} pairs of values in this space, and at most"
            f" {_MOST_FEATURES:,} are weighed; choose gp or ridge"
        )
    return Ridge(encoding)


MODELS: Mapping[str, Callable[[Coded[Any]], Surrogate]] = {
    "boosting": lambda space: Ensemble(_encoding(space), boosting),
    "forest": lambda space: Ensemble(_encoding(space), forest),
    "gp": _gaussian_process,
    "pairs": _pairs,
    "ridge": lambda space: Ridge(OneHot(space.sizes)),
}
