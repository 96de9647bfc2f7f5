"""The rounds: pool, twins, novelty, and that it finds better ones than chance."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from own_space_for_tests import Signs

from autodl.agents.nao import Nao, Pool
from autodl.agents.options import NaoOptions
from autodl.spaces.cell.plan import cell_plan
from autodl.spaces.cell.space import CellSpace
from autodl.strategies.strategy import Exhausted
from autodl.trial import Evaluation, Trial, TrialState

SPACE = Signs()
SMALL = {
    **{"hidden": 16, "embedding": 8, "predictor_layers": 1, "predictor_width": 16},
    **{"epochs": 20, "learning_rate": 0.01, "farthest": 10},
}


def rng(number):
    return np.random.default_rng((3, number, 0))


def run(strategy, space, reward, rounds):
    """Ask and tell whole rounds; the rewards of each."""
    found = []
    for first in range(0, rounds * strategy.batch_size, strategy.batch_size):
        ids = range(first, first + strategy.batch_size)
        asked = [strategy.ask(rng(number)) for number in ids]
        rewards = [reward(space.encode(architecture)) for architecture in asked]
        for number, architecture, r in zip(ids, asked, rewards, strict=True):
            strategy.tell(Trial(number, architecture, TrialState.COMPLETE, Evaluation(float(r))))
        found.append(rewards)
    return np.array(found)


@pytest.mark.parametrize(
    "trials, pool",
    [(1500, (600, 300, 100)), (9000, (600, 300, 100)), (150, (60, 30, 10)), (9, (5, 5, 5))],
)
def test_the_pool_follows_the_number_of_trials(trials, pool):
    assert Pool.of(NaoOptions(), trials) == Pool(*pool)
    said = NaoOptions(seeds=7, batch_size=3, elite=2)
    assert Pool.of(said, trials) == Pool(7, 3, 2)


def test_candidates_come_after_the_seeds_and_are_new():
    strategy = Nao(SPACE, NaoOptions(seeds=12, batch_size=6, elite=4, **SMALL))
    run(strategy, SPACE, np.sum, 1)
    assert strategy.diagnostics() == {"update": 0}
    run(strategy, SPACE, np.sum, 1)
    state = strategy.state()
    tried = {tuple(told["row"]) for told in state["tried"]}
    candidates = {tuple(row) for row in state["candidates"]}
    assert 1 <= len(candidates) <= 6
    assert not candidates & tried
    found = list[object]()
    for number in range(len(candidates) + 1):  # all of them, each once, and then another
        found.append(strategy.ask_where(rng(number), lambda one: one not in found, ()))
    rows = [tuple(SPACE.encode(architecture)) for architecture in found]
    assert set(rows[:-1]) == candidates
    assert rows[-1] not in candidates
    with pytest.raises(Exhausted, match="of 1000 random architectures none is new"):
        strategy.ask_where(rng(0), lambda one: False, ())


def test_it_climbs():
    """Rewards are the number of ones, 5 at random: what comes after the seeds has more."""
    space = CellSpace(nodes=4, operations=("conv_1x1", "conv_3x3"), tied=True)
    longer = {**SMALL, "epochs": 200, "predictor_weight": 0.5, "twins": 0}
    options = NaoOptions(seeds=20, batch_size=10, elite=5, **longer)
    strategy = Nao(space, options, seed=1)
    drawn = run(strategy, space, np.sum, 2)
    proposed = [space.encode(strategy.ask(rng(number))).sum() for number in range(20, 40)]
    assert np.mean(proposed) > drawn.mean() + drawn.std() / 2


def test_only_the_order_of_the_pool_by_rows_counts():
    """Told in another order, it trains the same network; and Paddle's generator is as before."""
    asked = [SPACE.sample(rng(number)) for number in range(6)]
    proposals = []
    for order in (range(6), reversed(range(6))):
        strategy = Nao(SPACE, NaoOptions(seeds=6, batch_size=6, elite=3, **SMALL))
        paddle.seed(11)
        before = paddle.rand([1]).item()
        paddle.seed(11)
        for place, number in enumerate(order):
            evaluation = Evaluation(float(SPACE.encode(asked[number]).sum()))
            strategy.tell(Trial(place, asked[number], TrialState.COMPLETE, evaluation))
        assert paddle.rand([1]).item() == before
        proposals.append([strategy.ask(rng(number)) for number in range(20, 30)])
    assert proposals[0] == proposals[1]


def test_twins_are_the_same_network_written_in_another_way():
    """Same canonical form, same number of parameters, and often another row."""
    space, different = CellSpace(nodes=5), 0
    for number in range(40):
        architecture = space.sample(rng(number))
        twin = space.check(space.twin(architecture, rng(number)))
        assert space.canonical(twin) == space.canonical(architecture)
        assert cell_plan(twin, width=8).parameters == cell_plan(architecture, width=8).parameters
        different += twin != architecture
    assert different > 20


def test_a_pool_of_equal_rewards_is_no_trouble():
    strategy = Nao(SPACE, NaoOptions(seeds=4, batch_size=4, elite=2, **SMALL))
    run(strategy, SPACE, lambda row: 1.0, 2)
    assert np.isfinite(list(strategy.diagnostics().values())).all()


def test_what_a_pruned_trial_had_reached_is_not_in_the_pool():
    strategy = Nao(SPACE, NaoOptions(seeds=4, batch_size=4, elite=2, **SMALL))
    told = [SPACE.sample(rng(number)) for number in range(2)]
    strategy.tell(Trial(0, told[0], TrialState.PRUNED, Evaluation(9.0, fidelity=1 / 3)))
    strategy.tell(Trial(1, told[1], TrialState.COMPLETE, Evaluation(1.0)))
    state = strategy.state()
    assert [one["reward"] for one in state["tried"]] == [1.0]
    assert state["told"] == 2
