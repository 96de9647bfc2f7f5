"""Surrogates by name."""

from __future__ import annotations

import pytest
from own_space_for_tests import Signs

from autodl.errors import ConfigError
from autodl.spaces.mobile.space import MobileSpace
from autodl.strategies.options import SurrogateOptions
from autodl.strategies.surrogate.models import MODELS
from autodl.strategies.surrogate.surrogate import Surrogate
from autodl.strategies.surrogate.surrogate_search import SurrogateSearch


@pytest.mark.parametrize("name", sorted(MODELS))
def test_each_is_a_surrogate(name):
    assert isinstance(MODELS[name](Signs()), Surrogate)


def test_pairs_of_many_decisions_are_refused_at_the_start():
    with pytest.raises(ConfigError, match=r"pairs weighs [\d,]+ pairs .* choose gp or ridge"):
        SurrogateSearch(MobileSpace(), SurrogateOptions(model="pairs"))
