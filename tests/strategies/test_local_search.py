"""Local search: first improvement, known neighbours, restarts."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.spaces.chain.space import ChainSpace
from autodl.spaces.codec import encode_text
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.spaces.stage.architecture import ConvStage, StageArchitecture
from autodl.spaces.stage.space import StageSpace
from autodl.strategies.local_search import LocalSearch
from autodl.strategies.strategy import Exhausted
from autodl.trial import Evaluation, Trial, TrialState

CHAINS = ChainSpace()


def rng(number):
    return np.random.default_rng((3, number))


def trial(number, architecture, reward):
    if reward is None:
        return Trial(number, architecture, TrialState.FAILED, reason="lost")
    return Trial(number, architecture, TrialState.COMPLETE, Evaluation(reward))


def chain(*row):
    return CHAINS.decode(np.array(row))


def test_it_proposes_neighbours_and_goes_on_from_the_first_that_is_better():
    strategy = LocalSearch(CHAINS)
    strategy.tell(trial(0, chain(1, 1, 1, 1, 1, 1, 1, 1), 0.5))
    near = {strategy.ask(rng(number)) for number in range(300)}
    assert len(near) == 16 - 2  # an identity in either of two places of a width is one network
    better = chain(1, 1, 1, 2, 1, 1, 1, 1)
    strategy.tell(trial(1, chain(2, 1, 1, 1, 1, 1, 1, 1), 0.4))
    strategy.tell(trial(2, better, 0.6))
    rows = np.array([CHAINS.encode(strategy.ask(rng(number))) for number in range(50)])
    assert (np.count_nonzero(rows != CHAINS.encode(better), axis=1) <= 2).all()
    assert chain(2, 1, 1, 1, 1, 1, 1, 1) not in {strategy.ask(rng(n)) for n in range(300)}


def climb(strategy, reward, count, seed=0):
    """The rewards of so many trials."""
    found = []
    for number in range(count):
        architecture = strategy.ask(np.random.default_rng((seed, number)))
        found.append(reward(architecture))
        strategy.tell(trial(number, architecture, found[-1]))
    return found


def ones(architecture):
    return float(sum(CHAINS.encode(CHAINS.canonical(architecture))))


def test_it_finds_the_top_of_a_sum_from_every_start_and_then_starts_anew():
    """At most 16 neighbours at each of 16 steps: 8 places of up to 2; far fewer on average."""
    for seed in range(5):
        strategy = LocalSearch(CHAINS)
        found = climb(strategy, ones, 150, seed)
        assert max(found) == 16.0
        assert strategy.diagnostics()["starts"] > 1


def test_it_beats_random_search_where_there_are_slopes():
    climbed = [max(climb(LocalSearch(CHAINS), ones, 60, seed)) for seed in range(20)]
    drawn = [
        max(ones(CHAINS.sample(np.random.default_rng((seed, n)))) for n in range(60))
        for seed in range(20)
    ]
    assert np.mean(climbed) > np.mean(drawn) + 1


def test_a_failed_trial_is_not_proposed_again_and_no_start():
    strategy = LocalSearch(CHAINS)
    strategy.tell(trial(0, chain(0, 0, 0, 0, 0, 0, 0, 0), None))
    assert strategy.diagnostics() == {"update": 1, "starts": 0, "unknown_neighbours": 0}
    strategy.tell(trial(1, chain(1, 0, 0, 0, 0, 0, 0, 0), 0.1))
    assert chain(0, 0, 0, 0, 0, 0, 0, 0) not in {strategy.ask(rng(n)) for n in range(300)}


def test_what_will_not_do_is_passed_over_and_no_reason_to_stay():
    """With a limit of 9 on the sum, the top is 9; around it nothing that will do is left."""

    def fits(architecture):
        return ones(architecture) <= 9

    strategy, found = LocalSearch(CHAINS), []
    for number in range(150):
        architecture = strategy.ask_where(np.random.default_rng((0, number)), fits, ())
        assert fits(architecture)
        found.append(ones(architecture))
        strategy.tell(trial(number, architecture, found[-1]))
    assert max(found) == 9.0
    assert strategy.diagnostics()["starts"] > 1
    with pytest.raises(Exhausted, match="none of 1000 random architectures"):
        strategy.ask_where(rng(0), lambda architecture: False, ())


def test_a_neighbour_of_before_is_no_start():
    """It was proposed beside the one that is current now, and comes in later."""
    strategy = LocalSearch(CHAINS)
    strategy.tell(trial(0, chain(1, 1, 1, 1, 1, 1, 1, 1), 0.5))
    strategy.tell(trial(1, chain(1, 1, 1, 2, 1, 1, 1, 1), 0.6))
    around = strategy.diagnostics()["unknown_neighbours"]
    strategy.tell(trial(2, chain(0, 1, 1, 1, 1, 1, 1, 1), 0.4))
    assert strategy.diagnostics() == {"update": 3, "starts": 1, "unknown_neighbours": around}


def test_a_start_that_runs_is_known_as_one_after_a_pause():
    strategy = LocalSearch(CHAINS)
    strategy.tell(trial(0, chain(1, 1, 1, 1, 1, 1, 1, 1), 0.5))
    near = [encode_text(one) for one in strategy._neighbours(chain(1, 1, 1, 1, 1, 1, 1, 1))]
    start = strategy.ask_where(rng(1), lambda one: encode_text(one) not in near, ())
    resumed = LocalSearch(CHAINS)
    resumed.restore(json.loads(json.dumps(strategy.state())))
    for one in (strategy, resumed):
        one.tell(trial(1, start, 0.1))  # worse, and gone on from all the same
    assert resumed.diagnostics() == strategy.diagnostics()
    assert resumed.diagnostics()["starts"] == 2


def test_neighbours_are_those_of_an_architecture_as_it_is_written():
    """Twice the widths are the same network under a budget, but have more neighbours."""
    space = StageSpace(stages=1, widths=(64, 96, 128), stems=("conv_3x3",), by_ratio=True)
    wide = StageArchitecture((ConvStage(128, convolutions=2),), stem="conv_3x3", stem_width=64)
    narrow = space.canonical(wide)
    assert narrow.stages[0].width == 64
    strategy = LocalSearch(space)
    strategy.tell(trial(0, wide, 0.5))
    middle = replace(wide, stages=(replace(wide.stages[0], width=96),))
    assert space.canonical(middle) in strategy._open
    assert space.canonical(wide) not in strategy._open
    earlier = {
        **strategy.state(),
        "rewards": [[encode_text(wide), 0.5], [encode_text(narrow), 0.7]],
    }
    strategy.restore(earlier)
    assert strategy._rewards == {narrow: 0.7}


def test_a_space_of_one_architecture_is_refused():
    with pytest.raises(ConfigError, match="nothing to vary"):
        LocalSearch(EdgeCellSpace(("nor_conv_3x3",)))
