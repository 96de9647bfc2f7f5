"""The agent's conversation: batches, baseline, failed trials, state, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
from own_space_for_tests import Signs

from autodl.agents.autodl_agent import AutoDLAgent, advantages
from autodl.agents.options import AgentOptions
from autodl.agents.parl_backend import Agent, Algorithm, Model
from autodl.errors import ConfigError
from autodl.evaluation.synthetic import TokenCount
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.mobile.space import MobileSpace
from autodl.spaces.width.space import make_width_space
from autodl.strategies.strategy import Exhausted
from autodl.system.state import decode_state, encode_state
from autodl.trial import Evaluation, Trial, TrialState

SPACE = CellSpace(nodes=4)
WIDTHS = make_width_space("resnet20", (4, 8, 16))
BATCHES = AgentOptions(batch_size=10)  # as published
FAST = {"batch_size": 10, "learning_rate": 5e-3}
TIED = CellSpace(nodes=3, operations=("sep_conv_3x3", "conv_1x1", "skip_connect"), tied=True)


def generator(trial_id, seed=0):
    return np.random.default_rng((seed, trial_id, 0))


def trial(number, architecture, reward):
    """A finished trial; reward None is a failed one."""
    if reward is None:
        return Trial(number, architecture, TrialState.FAILED, reason="out of luck")
    return Trial(number, architecture, TrialState.COMPLETE, Evaluation(reward))


def count_reward(architecture):
    return TokenCount(1)(architecture, np.random.default_rng(0)).reward


def run(agent, batches, first=0, reward=count_reward):
    """Ask and tell whole batches; the mean reward of each."""
    means = []
    for batch in range(first, first + batches):
        ids = range(batch * agent.batch_size, (batch + 1) * agent.batch_size)
        proposed = agent.ask_batch([generator(number) for number in ids])
        rewards = [reward(architecture) for architecture in proposed]
        for told in zip(ids, proposed, rewards, strict=True):
            agent.tell(trial(*told))
        means.append(np.mean([r for r in rewards if r is not None]))
    return means


def weights(agent):
    return {name: value.numpy() for name, value in agent.alg.model.named_parameters()}


def assert_same(left, right, same=True):
    equal = [np.array_equal(left[name], right[name]) for name in left]
    assert left.keys() == right.keys()
    assert all(equal) if same else not all(equal)


def test_it_is_cut_as_parl_cuts():
    agent = AutoDLAgent(SPACE, BATCHES)
    assert isinstance(agent, Agent)
    assert isinstance(agent.alg, Algorithm)
    assert isinstance(agent.alg.model, Model)


@pytest.mark.parametrize(
    "space", [SPACE, TIED, CellSpace(nodes=1), CellSpace(nodes=1, tied=True), CellSpace()]
)
def test_proposals_are_of_the_space_and_batching_changes_nothing(space):
    agent = AutoDLAgent(space, BATCHES, seed=1)
    run(agent, 2)
    ids = range(100, 110)
    together = agent.ask_batch([generator(number) for number in ids])
    assert [space.check(architecture) for architecture in together] == together
    assert [agent.ask(generator(number)) for number in ids] == together
    assert agent.ask_batch([generator(number) for number in reversed(ids)]) == together[::-1]
    if space.nodes > 1:
        assert len(set(together)) > 5


def test_asking_changes_nothing():
    agent = AutoDLAgent(SPACE, BATCHES)
    before = weights(agent)
    first = agent.ask(generator(0))
    agent.ask_batch([generator(number) for number in range(5)])
    agent.predict()
    assert agent.ask(generator(0)) == first
    assert_same(before, weights(agent))
    assert dict(agent.diagnostics()) == {"update": 0}


def test_the_seed_decides_the_initial_policy():
    assert_same(weights(AutoDLAgent(SPACE, seed=3)), weights(AutoDLAgent(SPACE, seed=3)))
    assert_same(
        weights(AutoDLAgent(SPACE, seed=3)), weights(AutoDLAgent(SPACE, seed=4)), same=False
    )


def test_it_learns_at_the_end_of_a_batch_only():
    agent = AutoDLAgent(SPACE, AgentOptions(batch_size=3))
    before = weights(agent)
    for number in range(2):
        agent.tell(trial(number, agent.ask(generator(number)), float(number)))
    assert_same(before, weights(agent))
    agent.tell(trial(2, agent.ask(generator(2)), 2.0))
    assert_same(before, weights(agent), same=False)
    assert agent.diagnostics()["update"] == 1


def test_baseline_is_the_moving_average_of_earlier_batches():
    """By hand, decay 0.9: b0 = mean0; then b <- 0.9 b + 0.1 mean. Advantages use the old b."""
    agent = AutoDLAgent(SPACE, AgentOptions(batch_size=2))
    expected = None
    seen = []
    learn = agent.alg.learn
    agent.alg.learn = lambda rows, a: (seen.append(a), learn(rows, a))[1]
    for batch, rewards in enumerate([(1.0, 4.0), (0.5, 0.5), (-3.0, 2.0), (10.0, 0.0)]):
        for number, reward in enumerate(rewards):
            agent.tell(trial(2 * batch + number, agent.ask(generator(number)), reward))
        mean = sum(rewards) / 2
        expected = mean if expected is None else expected
        found = agent.diagnostics()
        # sums of a few float64 numbers in another order
        assert found["baseline"] == pytest.approx(expected, rel=1e-12)
        assert found["mean_reward"] == pytest.approx(mean, rel=1e-12)
        np.testing.assert_allclose(seen[-1], np.array(rewards) - expected, rtol=1e-12)
        expected = 0.9 * expected + 0.1 * mean
    assert agent.state()["baseline"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 3.0])
def test_advantage_power_keeps_the_sign(power):
    rewards = np.array([0.0, 0.5, 1.0, 2.0, 1.5])
    found = advantages(rewards, 1.0, power)
    np.testing.assert_allclose(found, [-1.0, -(0.5**power), 0.0, 1.0, 0.5**power], rtol=1e-12)
    if power == 3:
        np.testing.assert_allclose(found, (rewards - 1) ** 3, rtol=1e-12)


def told_alone(agent, rewards, first=0):
    """Ask and tell one by one; the architectures."""
    proposed = []
    for number, reward in enumerate(rewards, start=first):
        proposed.append(agent.ask(generator(number)))
        agent.tell(trial(number, proposed[-1], reward))
    return proposed


def test_asked_for_what_fits_it_draws_on_and_then_from_the_whole_space():
    """Sure of one architecture, it is asked for others: some that it can draw, one it cannot."""
    space = Signs()
    agent = AutoDLAgent(space, AgentOptions(batch_size=4, learning_rate=0.1), seed=1)
    run(agent, 60, reward=lambda architecture: (space.encode(architecture) == 0).mean())
    first = agent.ask(generator(0))
    assert agent.ask_where(generator(0), lambda one: True, ()) == first
    second = agent.ask_where(generator(0), lambda one: one != first, ())
    assert space.check(second) != first
    far = space.decode(np.array([1, 2, 1, 0, 4, 1]))
    assert agent.ask_where(generator(0), lambda one: one == far, ()) == far
    with pytest.raises(Exhausted, match="of 1000 random architectures none is new"):
        agent.ask_where(generator(0), lambda one: False, ())


def test_without_a_batch_size_every_trial_teaches_and_none_waits():
    agent = AutoDLAgent(SPACE)
    assert agent.batch_size is None
    told_alone(agent, [0.5, None, 0.7])
    assert agent.diagnostics()["update"] == 2


def test_the_best_are_imitated_once_there_are_enough():
    """After the update on a batch: with the second there are three, more than two."""
    agent = AutoDLAgent(SPACE, AgentOptions(batch_size=2, imitated=2))
    seen, imitate = [], agent.alg.imitate
    agent.alg.imitate = lambda rows: (seen.append(rows), imitate(rows))[1]
    proposed = told_alone(agent, [0.1, 0.4])
    assert not seen
    proposed += told_alone(agent, [0.3, None, 0.2, 0.6], first=2)
    assert [len(rows) for rows in seen] == [2, 2]
    best = [SPACE.encode(proposed[number]) for number in (5, 1)]
    np.testing.assert_array_equal(seen[-1], best)


def test_a_pruned_trial_teaches_but_is_not_imitated():
    """Also if its reward, of smaller pictures perhaps, is the highest; across a restart as well."""
    options = AgentOptions(batch_size=4, imitated=2)
    agent, other = AutoDLAgent(SPACE, options), AutoDLAgent(SPACE, options)
    proposed = agent.ask_batch([generator(number) for number in range(4)])
    pruned = Trial(0, proposed[0], TrialState.PRUNED, Evaluation(0.9, fidelity=1 / 3))
    agent.tell(pruned)
    other.restore(decode_state(encode_state(agent.state())))
    for one in (agent, other):
        seen = []
        one.alg.imitate = seen.append
        for number, reward in ((1, 0.1), (2, 0.4), (3, 0.3)):
            one.tell(trial(number, proposed[number], reward))
        assert one.diagnostics()["mean_reward"] == pytest.approx(1.7 / 4)
        best = [SPACE.encode(proposed[number]) for number in (2, 3)]
        np.testing.assert_array_equal(seen[-1], best)


def test_normalised_rewards_teach_the_same_in_any_unit():
    """Powers of two scale exactly; the moments and so the weights are the same, bit for bit."""
    agent, other = (AutoDLAgent(SPACE, AgentOptions(batch_size=2, normalise=True)) for _ in "ab")
    rewards = [0.25, 0.5, 0.75, 0.25, 1.0, 0.5]
    proposed = told_alone(agent, rewards)
    assert told_alone(other, [4 * reward for reward in rewards]) == proposed
    assert_same(weights(agent), weights(other))


def learn_by_hand(agent, architectures, rewards, baseline=None):
    """What the agent should do with these pairs, told to its algorithm directly."""
    rows = np.stack([SPACE.encode(each) for each in architectures])
    rewards = np.array(rewards, float)
    return agent.alg.learn(rows, rewards - (rewards.mean() if baseline is None else baseline))


def test_failed_trials_are_left_out_and_pairs_stay_together():
    rewards = [0.2, None, 0.9, 0.4, None, 0.7]
    agent, twin, permuted = (AutoDLAgent(SPACE, AgentOptions(batch_size=6)) for _ in range(3))
    proposed = [agent.ask(generator(number)) for number in range(6)]
    for number, (architecture, reward) in enumerate(zip(proposed, rewards, strict=True)):
        agent.tell(trial(number, architecture, reward))
    complete = [number for number, reward in enumerate(rewards) if reward is not None]
    learn_by_hand(twin, [proposed[n] for n in complete], [rewards[n] for n in complete])
    assert_same(weights(agent), weights(twin))
    # the same rewards one place on: were pairs out of step, nobody would notice otherwise
    learn_by_hand(
        permuted, [proposed[n] for n in complete], [rewards[n] for n in complete[1:] + complete[:1]]
    )
    assert_same(weights(agent), weights(permuted), same=False)


def test_a_batch_of_failures_changes_nothing():
    agent = AutoDLAgent(SPACE, AgentOptions(batch_size=3))
    run(agent, 1)
    before, diagnostics, baseline = weights(agent), agent.diagnostics(), agent.state()["baseline"]
    for number in range(3):
        agent.tell(trial(number, agent.ask(generator(number)), None))
    assert_same(before, weights(agent))
    assert agent.diagnostics() == diagnostics
    assert agent.state()["baseline"] == baseline
    run(agent, 1, first=2)  # and the next batch starts afresh
    assert agent.diagnostics()["update"] == 2


def test_one_complete_trial_in_a_batch_is_enough():
    agent = AutoDLAgent(SPACE, AgentOptions(batch_size=3))
    run(agent, 1)
    before = weights(agent)
    for number, reward in enumerate([None, 4, None]):  # an integer reward is a number too
        agent.tell(trial(number, agent.ask(generator(number)), reward))
    assert_same(before, weights(agent), same=False)
    assert agent.diagnostics()["mean_reward"] == 4


def test_a_foreign_architecture_is_refused():
    agent = AutoDLAgent(SPACE, BATCHES)
    foreign = CellSpace(nodes=5).sample(generator(0))
    with pytest.raises(ConfigError, match="5 nodes is not of this space"):
        agent.tell(trial(0, foreign, 1.0))


@pytest.mark.parametrize(
    "space, packed, told, updates",
    [
        (SPACE, False, 3, 3),
        (SPACE, True, 0, 0),
        (SPACE, True, 3, 0),
        (SPACE, True, 7, 3),
        (TIED, True, 7, 3),
        (CellSpace(nodes=1), True, 3, 3),
    ],
    ids=["objects", "fresh", "before any update", "pair", "tied", "one node"],
)
def test_a_restored_agent_goes_on_bit_for_bit(space, packed, told, updates):
    """``told`` trials of a batch of ten are told before the state is taken, one of them failed."""
    options = AgentOptions(batch_size=10, entropy_weight=0.01, normalise=True, imitated=4)
    agent = AutoDLAgent(space, options, seed=5)
    run(agent, updates)
    proposed = agent.ask_batch([generator(number) for number in range(500, 510)])
    rewards = [0.1 * number if number != 1 else None for number in range(10)]
    pairs = list(zip(range(500, 510), proposed, rewards, strict=True))
    for pair in pairs[:told]:
        agent.tell(trial(*pair))

    state = agent.state()
    if packed:
        state = decode_state(encode_state(state))
    other = AutoDLAgent(space, options, seed=99)  # other initial weights
    other.restore(state)

    assert_same(weights(agent), weights(other))
    assert other.diagnostics() == agent.diagnostics()
    for pair in pairs[told:]:
        agent.tell(trial(*pair))
        other.tell(trial(*pair))
    assert_same(weights(agent), weights(other))
    run(agent, 2, first=60)
    run(other, 2, first=60)
    assert_same(weights(agent), weights(other))
    assert other.diagnostics() == agent.diagnostics()
    assert [agent.ask(generator(n)) for n in range(5)] == [
        other.ask(generator(n)) for n in range(5)
    ]
    assert encode_state(agent.state()) == encode_state(other.state())


def test_a_state_is_a_copy():
    agent = AutoDLAgent(SPACE, BATCHES)
    run(agent, 1)
    agent.tell(trial(50, agent.ask(generator(50)), 1.0))
    state = agent.state()
    before = encode_state(state)
    for number in range(51, 75):
        agent.tell(trial(number, agent.ask(generator(number)), float(number % 3)))
    assert encode_state(state) == before


@pytest.mark.parametrize("updates", [0, 2])
def test_a_used_agent_can_go_back(updates):
    """Also to before its first update, when the optimiser held nothing."""
    agent = AutoDLAgent(SPACE, BATCHES)
    run(agent, updates)
    state = agent.state()
    run(agent, 3, first=10)
    after = weights(agent)
    agent.restore(state)
    run(agent, 3, first=10)
    assert_same(after, weights(agent))
    other = AutoDLAgent(SPACE, BATCHES, seed=8)
    other.restore(decode_state(encode_state(agent.state())))
    run(agent, 1, first=20)
    run(other, 1, first=20)
    assert_same(weights(agent), weights(other))


def test_a_state_of_an_earlier_version_has_told_cells_in_two_parts():
    agent, other = (AutoDLAgent(SPACE, AgentOptions(batch_size=3)) for _ in range(2))
    architecture = agent.ask(generator(1))
    agent.tell(trial(1, architecture, 0.5))
    state = agent.state()
    tokens, bits = SPACE.split(SPACE.encode(architecture))
    told = [{"tokens": tokens.tolist(), "bits": bits.tolist(), "reward": 0.5}]
    other.restore({**state, "told": told})
    assert encode_state(other.state()) == encode_state(state)


@pytest.mark.parametrize("space", [MobileSpace(), WIDTHS, Signs()], ids=lambda s: s.kind)
def test_it_learns_on_every_coded_space(space):
    """The share of decisions that are 0: 400 trials at rate 0.02 bring it well above chance."""
    agent = AutoDLAgent(space, AgentOptions(batch_size=10, learning_rate=0.02), seed=0)
    means = run(agent, 40, reward=lambda architecture: (space.encode(architecture) == 0).mean())
    chance = np.mean([1 / size for size in space.sizes])
    assert abs(means[0] - chance) < 0.15
    assert np.mean(means[-5:]) > (1 + chance) / 2
    assert (space.encode(agent.predict()) == 0).mean() > (1 + chance) / 2


def test_a_space_without_rows_is_refused():
    with pytest.raises(ConfigError, match=r"AutoDLAgent needs .* object lacks "):
        AutoDLAgent(object())


def test_the_agent_learns_to_count_tokens():
    """The original's demo with 20 tokens: 2 at random; 12 within 120 updates at rate 5e-3.

    A teacher-forced prototype had 15 at update 80, so 12 at 120 leaves room for the seed.
    """
    agent = AutoDLAgent(CellSpace(), AgentOptions(**FAST), seed=0)
    means = run(agent, 120)
    smooth = np.convolve(means, np.full(10, 0.1), mode="valid")
    assert np.mean(means[:5]) < 5
    assert smooth.max() >= 12
    assert smooth[-1] > 10  # and it stays
    assert agent.diagnostics()["entropy"] < 110  # 20 ln 10 + 90 ln 2 = 108.4 at most


def test_entropy_weight_keeps_the_policy_undecided():
    greedy, curious = (
        AutoDLAgent(SPACE, AgentOptions(**FAST, entropy_weight=weight), seed=0)
        for weight in (0, 5.0)
    )
    run(greedy, 40)
    run(curious, 40)
    assert curious.diagnostics()["entropy"] > greedy.diagnostics()["entropy"] + 1


@pytest.mark.parametrize("name, value", [("hiden", 64), ("batch_size", 0), ("squash", 0.0)])
def test_bad_options_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        AutoDLAgent(SPACE, AgentOptions(**{name: value}))
