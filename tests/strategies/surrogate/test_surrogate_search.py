"""Search by a surrogate: better than chance, never twice, and what it does at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from own_space_for_tests import CountOnes, Signs

from autodl.errors import ConfigError
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.strategies.options import SurrogateOptions
from autodl.strategies.strategy import Choosy, Exhausted
from autodl.strategies.surrogate.surrogate_search import SurrogateSearch
from autodl.trial import Evaluation, Trial, TrialState

ACQUISITIONS = ("ei", "ucb", "thompson")
MODELS = ("ridge", "pairs", "gp")


class Single(Signs):
    sizes = (1, 1)


def rng(number, seed=3):
    return np.random.default_rng((seed, number, 0))


def complete(number, architecture, reward, **metrics):
    return Trial(number, architecture, TrialState.COMPLETE, Evaluation(reward, metrics))


def searched(strategy, trials, score, seed=3):
    found = []
    for number in range(trials):
        architecture = strategy.ask(rng(number, seed))
        found.append(architecture)
        strategy.tell(complete(number, architecture, score(architecture)))
    return found


def ones(architecture):
    return CountOnes()(architecture, None).reward


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
@pytest.mark.parametrize("model", MODELS)
def test_it_beats_chance_and_never_asks_twice(model, acquisition):
    """Of 120 architectures one has five ones; chance finds it in 20 trials with p = 1/6."""
    found = 0
    for seed in range(3):
        options = SurrogateOptions(model=model, acquisition=acquisition, initial=6)
        asked = searched(SurrogateSearch(Signs(), options), 20, ones, seed)
        assert len(set(asked)) == 20
        found += max(map(ones, asked)) == 5 / 6
    assert found >= 2


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
@pytest.mark.parametrize("model", ["forest", "boosting"])
def test_trees_lead_to_what_is_good(model, acquisition):
    """Not told of five ones, they propose one of the ten with four or five: by chance p < 1/10."""
    strategy = SurrogateSearch(Signs(), SurrogateOptions(model=model, acquisition=acquisition))
    drawn = [Signs().sample(rng(number)) for number in range(60)]
    for number, architecture in enumerate(one for one in drawn if ones(one) < 5 / 6):
        strategy.tell(complete(number, architecture, ones(architecture)))
    assert ones(strategy.ask(rng(60))) >= 4 / 6


def test_of_a_large_space_candidates_are_drawn():
    space = EdgeCellSpace()
    options = SurrogateOptions(initial=5, random=60, mutated=20)
    wanted = np.array([3, 3, 1, 2, 3, 1])

    def agreeing(architecture):
        return float((space.encode(architecture) == wanted).sum())

    asked = searched(SurrogateSearch(space, options), 40, agreeing)
    assert max(map(agreeing, asked[5:])) > max(map(agreeing, asked[:5]))


@pytest.mark.parametrize("initial", [2, 500])
def test_a_space_is_exhausted_when_all_was_tried(initial):
    strategy = SurrogateSearch(Signs(), SurrogateOptions(initial=initial))
    found = searched(strategy, 120, ones)
    assert len(set(found)) == 120
    with pytest.raises(Exhausted, match=r"tried|random"):
        strategy.ask(rng(120))


def test_a_space_of_one_architecture_ends_after_one():
    strategy = SurrogateSearch(Single(), SurrogateOptions(initial=1))
    (only,) = searched(strategy, 1, lambda architecture: 0.0)
    assert only.signs == (0, 0)
    with pytest.raises(Exhausted):
        strategy.ask(rng(1))


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_equal_rewards_and_failures_do_not_stop_it(acquisition):
    options = SurrogateOptions(acquisition=acquisition, initial=3)
    strategy = SurrogateSearch(Signs(), options)
    for number in range(15):
        architecture = strategy.ask(rng(number))
        if number % 3:
            strategy.tell(complete(number, architecture, 0.25))
        else:
            strategy.tell(Trial(number, architecture, TrialState.FAILED, reason="a test"))
    assert strategy.diagnostics() == {"update": 15, "learned": 10}


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_it_walks_down_its_ranking_and_past_what_is_running(acquisition):
    strategy = SurrogateSearch(Signs(), SurrogateOptions(acquisition=acquisition, initial=5))
    assert isinstance(strategy, Choosy)
    searched(strategy, 12, ones)
    first = strategy.ask(rng(50))
    second = strategy.ask_where(rng(50), lambda architecture: architecture != first, (first,))
    assert second != first
    third = strategy.ask_where(rng(50), lambda one: one not in (first, second), (first, second))
    assert len({first, second, third}) == 3
    with pytest.raises(Exhausted, match="not allowed"):
        strategy.ask_where(rng(50), lambda architecture: False, ())


def test_a_pruned_trial_is_not_learned_from():
    strategy = SurrogateSearch(Signs())
    pruned = Trial(0, strategy.ask(rng(0)), TrialState.PRUNED, Evaluation(9.0, fidelity=0.5))
    strategy.tell(pruned)
    assert strategy.diagnostics() == {"update": 1, "learned": 0}


@pytest.mark.parametrize("acquisition", ["ei", "ehvi"])
def test_a_front_is_found_along_its_whole_length(acquisition):
    """Ones are worth something, and zeros are cheap: every number of ones is on the front."""
    options = SurrogateOptions(pareto=("cost",), initial=6, acquisition=acquisition)
    strategy = SurrogateSearch(Signs(), options)
    counts = set()
    for number in range(30):
        architecture = strategy.ask(rng(number))
        zeros = architecture.signs.count(0)
        counts.add((architecture.signs.count(1), zeros))
        trial = complete(number, architecture, ones(architecture), cost=-float(zeros))
        strategy.tell(trial)
    # the fourth decision is always 0, so five ones leave a zero
    assert len({(one, 6 - one) for one in range(6)} & counts) >= 4


def test_a_front_counts_what_is_running():
    options = SurrogateOptions(pareto=("cost",), initial=6, acquisition="ehvi")
    strategy = SurrogateSearch(Signs(), options)
    for number in range(12):
        architecture = Signs().sample(rng(number))
        cost = -float(architecture.signs.count(0))
        strategy.tell(complete(number, architecture, ones(architecture), cost=cost))
    first = strategy.ask(rng(50))
    second = strategy.ask_where(rng(50), lambda architecture: architecture != first, (first,))
    assert second.signs.count(1) != first.signs.count(1)


def test_a_cost_that_nobody_tells_is_said():
    strategy = SurrogateSearch(Signs(), SurrogateOptions(pareto=("macs",)))
    with pytest.raises(ConfigError, match=r"pareto names 'macs'.*tells seconds"):
        strategy.tell(complete(0, strategy.ask(rng(0)), 1.0, seconds=1.0))


def test_a_space_without_rows_is_refused():
    with pytest.raises(ConfigError, match="Surrogate needs a space of rows"):
        SurrogateSearch(object())
