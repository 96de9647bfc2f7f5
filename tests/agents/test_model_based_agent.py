"""The agent and the surrogate together: candidates, and who learns what."""

from __future__ import annotations

import numpy as np
from own_space_for_tests import Signs

from autodl.agents.autodl_agent import AutoDLAgent
from autodl.agents.model_based_agent import ModelBasedAgent, PolicyCandidates
from autodl.agents.options import AgentOptions, ModelBasedOptions
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.strategies.options import SurrogateOptions
from autodl.strategies.surrogate.candidates import neighbours
from autodl.system.state import encode_state
from autodl.trial import Evaluation, Trial, TrialState

SMALL = {"hidden": 8, "layers": 1}


def run(strategy, space, count, reward):
    """Ask and tell one by one; the rewards."""
    found = []
    for number in range(count):
        architecture = strategy.ask(np.random.default_rng((4, number, 0)))
        found.append(float(reward(space.encode(architecture))))
        evaluation = Evaluation(found[-1])
        strategy.tell(Trial(number, architecture, TrialState.COMPLETE, evaluation))
    return found


def test_candidates_are_the_policys_and_the_surrogates_own():
    """Each once; drawn first, so with the same generator the policy draws the same alone."""
    space = Signs()
    agent = AutoDLAgent(space, AgentOptions(**SMALL))
    rows = np.stack([space.encode(space.sample(np.random.default_rng(n))) for n in range(4)])
    options = SurrogateOptions(random=3, mutated=2, parents=1)
    make = PolicyCandidates(agent, space.sizes, 5, options)
    found = make(rows, np.array([0.1, 0.9, 0.2, 0.3]), np.random.default_rng(0))
    assert not make.complete
    assert len(np.unique(found, axis=0)) == len(found)
    drawn = agent.alg.sample(np.random.default_rng(0).random((5, len(space.sizes)))).rows
    known = {tuple(row) for row in found}
    assert known.issuperset(map(tuple, drawn))
    assert known.issuperset(map(tuple, neighbours(rows[1], space.sizes)))


def test_the_policy_learns_what_it_would_have_learned_alone():
    space = Signs()
    both, alone = (
        ModelBasedAgent(space, ModelBasedOptions(initial=3, **SMALL)),
        AutoDLAgent(space, AgentOptions(**SMALL)),
    )
    for number in range(12):
        architecture = both.ask(np.random.default_rng((1, number)))
        evaluation = Evaluation(float(space.encode(architecture).sum()))
        trial = Trial(number, architecture, TrialState.COMPLETE, evaluation)
        both.tell(trial)
        alone.tell(trial)
    assert encode_state(both.state()["agent"]) == encode_state(alone.state())


def test_a_policy_that_is_trusted_proposes_what_it_draws():
    """The first number of the generator decides; what was tried is not drawn again."""
    space = Signs()
    strategy = ModelBasedAgent(space, ModelBasedOptions(trusted=1.0, initial=2, **SMALL))
    run(strategy, space, 5, np.sum)
    tried = {tuple(row) for row in strategy.state()["rows"]}
    alone = AutoDLAgent(space, AgentOptions(**SMALL))
    alone.restore(strategy.state()["agent"])
    for number in range(10):
        rng, other = (np.random.default_rng((8, number)) for _ in "ab")
        other.random()
        found = strategy.ask(rng)
        assert tuple(space.encode(found)) not in tried
        new = alone.ask_where(other, lambda one: tuple(space.encode(one)) not in tried, ())
        assert found == new


def test_a_linear_reward_is_found_in_few_trials():
    """15,625 cells, a weight for each operation of each edge: the best 0.1 % within 40 trials."""
    space, rng = EdgeCellSpace(), np.random.default_rng(0)
    weights = rng.normal(size=(6, 5))

    def reward(row):
        return weights[np.arange(6), row].sum()

    options = ModelBasedOptions(model="ridge", acquisition="thompson", **SMALL)
    found = run(ModelBasedAgent(space, options), space, 40, reward)
    every = sum(np.meshgrid(*weights, indexing="ij")).ravel()
    assert max(found) >= np.quantile(every, 0.999)
