"""Surrogates by name."""

from __future__ import annotations

import numpy as np
import pytest
from own_space_for_tests import CountOnes, Signs

from autodl.errors import ConfigError
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.spaces.mobile.space import MobileSpace
from autodl.strategies.options import SurrogateOptions
from autodl.strategies.surrogate.models import MODELS, usual_acquisition
from autodl.strategies.surrogate.surrogate import Surrogate
from autodl.strategies.surrogate.surrogate_search import SurrogateSearch
from autodl.trial import Trial, TrialState


@pytest.mark.parametrize("name", sorted(MODELS))
def test_each_is_a_surrogate(name):
    assert isinstance(MODELS[name](Signs()), Surrogate)


def test_pairs_of_many_decisions_are_refused_at_the_start():
    with pytest.raises(ConfigError, match=r"pairs weighs [\d,]+ pairs .* choose gp or ridge"):
        SurrogateSearch(MobileSpace(), SurrogateOptions(model="pairs"))


def test_where_decisions_are_seen_the_bound_is_looked_at():
    assert usual_acquisition(EdgeCellSpace(), "gp") == "ei"
    assert usual_acquisition(Signs(), "ridge") == "ei"
    assert usual_acquisition(Signs(), "gp") == "ucb"
    asked = {
        name: told(SurrogateOptions(acquisition=name, beta=9, initial=3))
        for name in (None, "ei", "ucb")
    }
    assert asked[None] == asked["ucb"] != asked["ei"]


def told(options):
    """What a search proposes that was told of twelve random architectures."""
    strategy = SurrogateSearch(Signs(), options)
    for number in range(12):
        architecture = Signs().sample(np.random.default_rng(number))
        evaluation = CountOnes()(architecture, None)
        strategy.tell(Trial(number, architecture, TrialState.COMPLETE, evaluation))
    return strategy.ask(np.random.default_rng(12))
