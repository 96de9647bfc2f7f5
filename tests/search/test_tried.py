"""What was tried, and asking again for what was."""

from __future__ import annotations

from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest
from loop_for_tests import SEED, Shuffled

from autodl.evaluation.synthetic import TokenCount
from autodl.runs.store import TrialStore
from autodl.search.asking import Limits, ask_within
from autodl.search.executors.inline import InlineExecutor
from autodl.search.loop import search
from autodl.search.tried import Tried
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.mobile.space import MobileSpace
from autodl.strategies.random_search import RandomSearch
from autodl.strategies.strategy import Exhausted
from autodl.studies.simulate import simulate

SMALL = CellSpace(nodes=2, operations=("conv_1x1", "conv_3x3"), tied=True)  # 8 names, 7 graphs
ENDED = "every architecture of the space was tried"


def rows(architectures):
    return [tuple(SMALL.encode(one).tolist()) for one in architectures]


def fixed(architecture, batch=None):
    """A strategy that has learned to propose one architecture."""
    strategy = SimpleNamespace(ask=lambda rng: architecture, batch_size=batch)
    if batch:
        strategy.ask_batch = lambda rngs: [architecture for _ in rngs]
    return strategy


def test_another_name_of_a_network_is_not_new():
    tried = Tried(SMALL)
    one, other = SMALL.decode(np.array([0, 1, 0])), SMALL.decode(np.array([1, 0, 0]))
    assert tried.is_new(one)
    tried.propose(0, one)
    assert not tried.is_new(other)
    assert tried.running == (one,)
    tried.finish(0)
    assert tried.running == ()
    assert not tried.is_new(one)
    assert len(tried.rest()) == 6


def test_where_repeats_are_allowed_everything_stays_new():
    tried = Tried(SMALL, repeat=True)
    one = SMALL.decode(np.array([0, 1, 0]))
    tried.propose(0, one)
    assert tried.is_new(one)
    assert tried.running == (one,)


def test_a_large_space_is_not_gone_through():
    assert Tried(MobileSpace()).rest() is None


@pytest.mark.parametrize("batch", [None, 4])
def test_a_strategy_that_proposes_one_thing_gets_the_whole_space_once(batch):
    strategy, tried = fixed(SMALL.sample(np.random.default_rng(0)), batch), Tried(SMALL)
    answers = ask_within(strategy, SEED, range(10), tried=tried)
    found = [child.architecture for child in answers.children]
    assert found[0] == strategy.ask(None)
    assert len({SMALL.canonical(one) for one in found}) == len(found) == 7
    assert answers.ended == ENDED


def test_proposals_do_not_depend_on_which_are_asked_for_together():
    def ask(*parts):
        strategy, tried = RandomSearch(SMALL), Tried(SMALL)
        return rows(
            child.architecture
            for ids in parts
            for child in ask_within(strategy, SEED, ids, tried=tried).children
        )

    together = ask(range(7))
    assert together == ask([0, 1, 2], [3], [4, 5, 6])
    assert len(set(together)) == 7


def test_what_is_new_is_also_within_the_limits():
    limits = Limits(lambda pair: {"ones": sum(SMALL.encode(pair))}, {"ones": 1})
    answers = ask_within(RandomSearch(SMALL), SEED, range(10), limits, Tried(SMALL))
    found = rows(child.architecture for child in answers.children)
    assert sorted(map(sum, found)) == [0, 1, 1]  # the third row with one 1 is the second again
    assert answers.ended == "every architecture of the space within Objectives.limits was tried"


def test_of_a_space_too_large_to_go_through_the_search_ends_after_a_thousand_draws():
    space = MobileSpace()
    one = space.sample(np.random.default_rng(0))
    tried = Tried(space)
    tried.sample = lambda rng: one
    answers = ask_within(fixed(one), SEED, range(2), tried=tried)
    assert [child.architecture for child in answers.children] == [one]
    assert answers.ended == (
        "of 1000 draws from the space all were tried; set Search.repeat=allowed to go on"
    )


class Picky:
    """Proposes the first row that will do; notes what it is told is running."""

    batch_size = None

    def __init__(self):
        self.running = []

    def ask(self, rng):
        raise AssertionError("it is asked where")

    def ask_where(self, rng, fits, running):
        self.running.append(rows(running))
        for number in range(8):
            one = SMALL.decode(np.array([number // 4, number // 2 % 2, number % 2]))
            if fits(one):
                return one
        raise Exhausted("nothing is left")


def test_a_choosy_strategy_is_asked_once_for_what_will_do():
    strategy, tried = Picky(), Tried(SMALL)
    first = ask_within(strategy, SEED, [0, 1], tried=tried)
    tried.finish(0)
    rest = ask_within(strategy, SEED, range(2, 9), tried=tried)
    assert (len(first.children), len(rest.children), rest.ended) == (2, 5, "nothing is left")
    assert strategy.running[:3] == [[], [(0, 0, 0)], [(0, 0, 1)]]


def run(path, count, seed=SEED, workers=1, **more):
    with closing(TrialStore(path)) as store:
        executor = (
            InlineExecutor(TokenCount(), seed)
            if workers == 1
            else Shuffled(workers, 3, TokenCount())
        )
        trials = search(RandomSearch(SMALL), executor, store, max_trials=count, seed=seed, **more)
        while True:
            try:
                next(trials)
            except StopIteration as end:
                return [trial.architecture for trial in store.trials()], end.value


def test_a_search_ends_when_all_is_tried_and_a_resumed_one_knows_what_was(tmp_path):
    whole, ended = run(tmp_path / "whole", 30, tried=Tried(SMALL))
    assert (len(whole), ended) == (7, ENDED)
    run(tmp_path / "parts", 3, tried=Tried(SMALL))
    assert run(tmp_path / "parts", 30, tried=Tried(SMALL)) == (whole, ENDED)
    free, ended = run(tmp_path / "free", 30)
    assert (len(free), ended) == (30, "")


def test_with_several_workers_what_runs_is_not_proposed(tmp_path):
    found, ended = run(tmp_path / "trials", 30, workers=3, tried=Tried(SMALL))
    assert len({SMALL.canonical(one) for one in found}) == len(found) == 7
    assert ended == ENDED


def test_a_simulation_ends_as_the_search_does(tmp_path):
    real, _ = run(tmp_path / "trials", 30, tried=Tried(SMALL))
    trials = simulate(RandomSearch(SMALL), TokenCount(), trials=30, seed=SEED, tried=Tried(SMALL))
    assert [trial.architecture for trial in trials] == real
