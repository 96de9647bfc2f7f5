"""Asking a strategy, and asking again for what is over a limit."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from autodl.errors import ConfigError, UnknownNameError
from autodl.search.asking import Limits, ask_all, ask_within, keep_within
from autodl.search.tried import Tried
from autodl.spaces.shuffle.space import ShuffleSpace
from autodl.strategies.evolution import Evolution
from autodl.strategies.options import EvolutionOptions
from autodl.strategies.strategy import Child, Exhausted
from autodl.trial import Evaluation, Trial, TrialState

SEED = 3


class Numbers:
    """Proposes numbers from 0 to 99 as architectures; has only ``left`` of them."""

    batch_size = None

    def __init__(self, left=10**6):
        self.left = left

    def ask(self, rng):
        if not self.left:
            raise Exhausted
        self.left -= 1
        return int(rng.integers(100))


class Together(Numbers):
    batch_size = 4

    def ask_batch(self, rngs):
        fitting = rngs[: self.left]
        if not fitting:
            raise Exhausted
        return [self.ask(rng) for rng in fitting]


def proposed(*arguments):
    """The architectures; what else there is to an answer has tests of its own."""
    return [child.architecture for child in ask_within(*arguments).children]


def draw(trial_id, *stream):
    return int(np.random.default_rng((SEED, trial_id, *stream)).integers(100))


def limits(**highest):
    return Limits(lambda number: {"size": number, "digits": number % 10}, highest)


def test_the_excess_names_what_is_over_and_equal_is_allowed():
    assert limits(size=50, digits=5).excess(55) == {"size": 55}
    assert limits(size=50, digits=5).excess(57) == {"size": 57, "digits": 7}
    assert limits(size=57, digits=7).excess(57) == {}


@pytest.mark.parametrize("kind", [Numbers, Together])
def test_proposals_come_from_seed_and_id(kind):
    assert proposed(kind(), SEED, [4, 9, 2]) == [draw(4, 0), draw(9, 0), draw(2, 0)]
    assert proposed(kind(), SEED, []) == []


@pytest.mark.parametrize("kind", [Numbers, Together])
@pytest.mark.parametrize("left", [0, 2, 3])
def test_a_strategy_may_run_dry(kind, left):
    assert proposed(kind(left), SEED, [0, 1, 2]) == [draw(i, 0) for i in range(left)]
    answers = ask_all(kind(left), [np.random.default_rng(i) for i in range(3)])
    assert answers.children == [
        Child(int(np.random.default_rng(i).integers(100))) for i in range(left)
    ]
    assert answers.ended == ("" if left == 3 else "the strategy has nothing more to propose")


class Family(Numbers):
    """Proposal ``n`` descends from trial ``n + 1``; one of them is the last."""

    end = None

    parents = frozenset()

    def breed(self, rng):
        number = self.ask(rng)
        if number == self.end:
            raise Exhausted("the end is reached")
        return Child(number, number + 1)


def test_a_breeder_tells_the_parents_and_why_it_ends():
    numbers = [draw(i, 0) for i in range(9)]
    family = Family()
    family.end = numbers[4]
    answers = ask_within(family, SEED, range(9))
    assert answers.children == [Child(n, n + 1) for n in numbers[: numbers.index(family.end)]]
    assert answers.ended == "the end is reached"
    assert ask_within(family, SEED, [0]).ended == ""


def test_a_child_that_is_over_a_limit_makes_room_for_another_with_its_own_parent():
    family = Family()
    family.ask = lambda rng: 2 * int(rng.integers(100))
    first = 2 * draw(0, 0)
    limits = Limits(size, {"size": first - 1}, lambda rng: 0)
    (child,) = ask_within(family, SEED, [0], limits).children
    assert child.architecture < first
    assert child.parent == child.architecture + 1
    family.ask = lambda rng: first
    assert ask_within(family, SEED, [0], limits).children == [Child(0)]  # drawn from the space


def expected(trial_id, most):
    """The first of the trial's own draws that is within the limit."""
    streams = [(0,), *((2, attempt) for attempt in range(1, 1000))]
    return next(number for s in streams if (number := draw(trial_id, *s)) <= most)


@pytest.mark.parametrize("kind", [Numbers, Together])
@pytest.mark.parametrize("most", [99, 50, 5])
def test_what_is_over_a_limit_is_asked_for_again_alone(kind, most):
    """So neither the others of the batch nor the trials asked together change a proposal."""
    found = proposed(kind(), SEED, range(8), limits(size=most))
    assert found == [expected(i, most) for i in range(8)]
    again = [proposed(kind(), SEED, [i], limits(size=most))[0] for i in (5, 6)]
    assert again == found[5:7]
    assert max(found) <= most


@pytest.mark.parametrize("kind", [Numbers, Together])
def test_a_limit_that_nothing_meets_ends_with_the_smallest_found(kind):
    strategy = kind()
    with pytest.raises(ConfigError) as caught:
        proposed(strategy, SEED, [0, 1], limits(size=-1, digits=200))
    assert str(caught.value) == (
        "none of 1000 architectures is within Objectives.limits: size <= -1 (smallest found over"
        " it: 0); raise the limit or choose a smaller Network or Space"
    )
    assert 10**6 - strategy.left <= 2 * 1001  # and not an endless loop


@pytest.mark.parametrize("lucky, found", [(0, True), (999, True), (1000, False)])
def test_a_proposal_has_a_thousand_attempts(lucky, found):
    """The attempt numbered ``lucky``, from 0, is the first within the limit."""
    calls = iter(range(2000))
    strategy = SimpleNamespace(ask=lambda rng: 7 if next(calls) == lucky else 50, batch_size=None)
    if found:
        assert proposed(strategy, SEED, [0], limits(size=49)) == [7]
    else:
        with pytest.raises(ConfigError, match="none of 1000"):
            proposed(strategy, SEED, [0], limits(size=49))


@pytest.mark.parametrize("kind", [Numbers, Together])
def test_what_comes_before_the_first_gap_is_kept_when_a_strategy_runs_dry(kind):
    whole = [draw(i, 0) for i in range(8)]
    most = sorted(whole)[-2]  # one proposal is over it, and for that one there is no second
    gap = whole.index(max(whole))
    assert 0 < gap < 7
    assert proposed(kind(8), SEED, range(8), limits(size=most)) == whole[:gap]


def test_listed_proposals_are_kept_or_left_out():
    assert list(keep_within(range(30, 60), limits(size=40, digits=3))) == [30, 31, 32, 33, 40]
    assert list(keep_within(range(30, 60), None)) == list(range(30, 60))
    assert list(keep_within([], limits(size=1))) == []


def test_a_list_of_which_nothing_is_within_the_limits_is_refused():
    with pytest.raises(ConfigError, match=r"none of 30 .* size <= 5 \(smallest found over it: 30"):
        list(keep_within(range(30, 60), limits(size=5)))


@pytest.mark.parametrize("kind", [Numbers, Together])
def test_what_cannot_be_predicted_is_asked_for_again(kind):
    def costs(number):
        if number % 2:
            raise UnknownNameError(f"no layer of {number}")
        return {"size": number}

    limits = Limits(costs, {"size": 50})
    assert limits.excess(3) == {"size": float("inf")}
    found = proposed(kind(), SEED, range(8), limits)
    assert all(number % 2 == 0 and number <= 50 for number in found)


def test_if_nothing_can_be_predicted_the_refusal_says_so():
    def costs(number):
        raise UnknownNameError("the table has no layer 'X'")

    with pytest.raises(ConfigError) as caught:
        list(keep_within([1, 2], Limits(costs, {"size": 5})))
    assert str(caught.value) == (
        "none of 2 architectures is within Objectives.limits: size could be predicted of none;"
        " the table has no layer 'X'"
    )


def test_a_cost_that_an_evaluator_does_not_tell_is_over_every_limit():
    with pytest.raises(ConfigError, match="watts could be predicted of none; the evaluator does"):
        list(keep_within([1], limits(watts=5)))


def size(number):
    return {"size": number}


@pytest.mark.parametrize("batch", [None, 3])
def test_a_strategy_that_learned_what_is_over_a_limit_gets_draws_of_the_space(batch):
    """The proposals hang on the seed and the id alone, so that a resumed search has the same."""
    asked = []

    def ask(rng):
        asked.append(rng)
        return 99

    strategy = SimpleNamespace(ask=ask, batch_size=batch)
    if batch:
        strategy.ask_batch = lambda rngs: [ask(rng) for rng in rngs]
    limits = Limits(size, {"size": 20}, lambda rng: int(rng.integers(100)))
    found = proposed(strategy, SEED, [4, 5, 6], limits)
    assert found == [
        next(n for attempt in range(1, 1001) if (n := draw(i, 3, attempt)) <= 20) for i in (4, 5, 6)
    ]
    assert proposed(strategy, SEED, [6], limits) == found[2:]
    assert 4 * 1000 <= len(asked) <= 4 * 1032  # those asked together come 32 at a time


def test_draws_that_are_all_over_the_limit_end_the_search():
    strategy = SimpleNamespace(ask=lambda rng: 99, batch_size=None)
    limits = Limits(size, {"size": 20}, lambda rng: 30 + int(rng.integers(2)))
    with pytest.raises(ConfigError, match=r"none of 2000 .* size <= 20 \(smallest .* it: 30\)"):
        proposed(strategy, SEED, [0], limits)


SPACE = ShuffleSpace(repeats=(3, 3, 4))
PLACES = np.arange(len(SPACE.sizes))


def most_worth(worth, costs, most):
    """The multiple-choice knapsack by dynamic programming: exact, for whole costs."""
    best = np.full(most + 1, -np.inf)
    best[0] = 0.0
    for values, prices in zip(worth, costs, strict=True):
        following = np.full(most + 1, -np.inf)
        for value, price in zip(values, prices, strict=True):
            following[price:] = np.maximum(following[price:], best[: most + 1 - price] + value)
        best = following
    return best.max()


def test_evolution_within_a_limit_against_the_exact_optimum():
    """Rewards and costs are sums over decisions; 20 problems, 120 evaluations of each.

    Everything is within the limit, nothing is evaluated twice, nothing beats the optimum, and
    random architectures within the limit, as many, are worse on average (paired, four errors).
    """
    reached, drawn = [], []
    for seed in range(20):
        rng = np.random.default_rng((seed, 99))
        worth, costs = rng.normal(size=(10, 4)), rng.integers(1, 20, size=(10, 4))
        most = int(costs.mean() * 10)

        def cost(architecture, costs=costs):
            return {"macs": float(costs[PLACES, SPACE.encode(architecture)].sum())}

        limits, tried = Limits(cost, {"macs": most}, SPACE.sample), Tried(SPACE)
        strategy = Evolution(SPACE, EvolutionOptions(population=12, tournament=4), seed=seed)
        rewards, seen = [], set()
        for number in range(120):
            (child,) = ask_within(strategy, seed, [number], limits, tried).children
            assert cost(child.architecture)["macs"] <= most
            seen.add(child.architecture)
            rewards.append(float(worth[PLACES, SPACE.encode(child.architecture)].sum()))
            result = Evaluation(rewards[-1])
            strategy.tell(Trial(number, child.architecture, TrialState.COMPLETE, result))
        assert len(seen) == 120
        rows = rng.integers(4, size=(2_000, 10))
        legal = rows[costs[PLACES, rows].sum(axis=1) <= most][:120]
        assert len(legal) == 120
        optimum = most_worth(worth, costs, most)
        assert max(rewards) <= optimum + 1e-9
        reached.append(max(rewards) / optimum)
        drawn.append(worth[PLACES, legal].sum(axis=1).max() / optimum)
    gain = np.subtract(reached, drawn)
    assert gain.mean() > 4 * gain.std(ddof=1) / np.sqrt(len(gain))
    assert np.mean(reached) > 0.75  # the best of as many random ones has about 0.65
