"""Ranks by hand and against SciPy; what is first, what passes, and what a search makes of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.search.asking import ask_within
from autodl.search.options import ScreenOptions
from autodl.search.screening import Screen, mean_ranks, rank_among
from autodl.search.tried import Tried
from autodl.spaces.chain.space import ChainSpace
from autodl.strategies.local_search import LocalSearch
from autodl.strategies.random_search import RandomSearch

INF = math.inf


def test_mean_ranks_by_hand():
    # the first column ranks 1, 2.5, 2.5, 4; the second 3, 1, 4, 2
    scores = np.array([[9, 0.2], [5, 0.9], [5, -INF], [1, 0.4]])
    np.testing.assert_array_equal(mean_ranks(scores), [2, 1.75, 3.25, 3])


def test_the_rank_of_a_member_is_that_of_the_pool():
    pool = np.random.default_rng(0).normal(size=(40, 3))
    np.testing.assert_allclose([rank_among(row, pool) for row in pool], mean_ranks(pool))


def test_better_than_all_and_worse_than_all():
    pool = np.arange(10.0)[:, None]
    assert rank_among(np.array([99.0]), pool) == 0.5
    assert rank_among(np.array([-INF]), pool) == 10.5


def screen(keep=3, pool=12, score=lambda number: {"size": float(number)}):
    return Screen(score, [(number, score(number)) for number in range(pool)], keep)


def test_the_best_of_the_pool_are_first_and_as_good_ones_pass():
    found = screen()
    assert found.first == [11, 10, 9]
    assert found.patience == 3  # of four, one may be expected to be as good
    assert [number for number in range(15) if found.passes(number)] == [9, 10, 11, 12, 13, 14]


def test_scores_count_by_rank_not_by_size():
    def score(number):
        return {"large": 1e9 * (number == 5), "small": -number, "other": -number}

    assert screen(keep=1, score=score).first == [0]


SPACE = ChainSpace()


def chains(keep=10):
    def score(architecture):
        return {"wanted": float((SPACE.encode(architecture) == 1).sum())}

    pool = [SPACE.sample(np.random.default_rng(number)) for number in range(100)]
    return Screen(score, [(one, score(one)) for one in pool], keep), score


@pytest.mark.parametrize("strategy", [RandomSearch, LocalSearch])
def test_a_search_is_asked_for_what_passes(strategy):
    made, score = chains()
    with_screen = ask_within(strategy(SPACE, seed=0), 1, range(40), None, Tried(SPACE), made)
    without = ask_within(strategy(SPACE, seed=0), 1, range(40), None, Tried(SPACE))
    means = [
        np.mean([score(child.architecture)["wanted"] for child in answers.children])
        for answers in (with_screen, without)
    ]
    assert len(with_screen.children) == 40
    assert means[0] > means[1] + 1  # of 8 places with 3 choices: about 4.4 and 2.7


def test_asking_together_or_one_by_one_makes_no_difference():
    made, _ = chains()
    together = ask_within(RandomSearch(SPACE), 1, range(12), None, Tried(SPACE), made)
    tried = Tried(SPACE)
    single = [
        child
        for number in range(12)
        for child in ask_within(RandomSearch(SPACE), 1, [number], None, tried, made).children
    ]
    assert together.children == single


def test_what_never_passes_is_taken_once_patience_is_at_its_end():
    made = Screen(lambda number: {"size": -1.0}, [(n, {"size": float(n)}) for n in range(10)], 2)

    class Same:
        batch_size = None
        asked = 0

        def ask(self, rng):
            self.asked += 1
            return 7

    strategy = Same()
    (child,) = ask_within(strategy, 0, [0], None, None, made).children
    assert child.architecture == 7
    assert strategy.asked == 1 + made.patience == 5


def test_options_say_what_is_wrong():
    from autodl.config.reading import RawConfig
    from autodl.config.sections import validate

    def read(**values):
        return validate(ScreenOptions, values, RawConfig({}), ("Search", "screen"))

    assert read(scores=["naswot", "macs"]).pool == 500
    for values, message in (
        ({"scores": ["naswt"]}, "Did you mean 'naswot'"),
        ({"scores": ["macs", "macs"]}, "named once"),
        ({"scores": []}, "at least 1"),
        ({"scores": ["macs"], "pool": 9, "keep": 9}, "keep=9 should be below pool=9"),
    ):
        with pytest.raises(ConfigError, match=message):
            read(**values)
