"""The policy over widths: its decisions against exact enumeration, beam search, the budget."""

from __future__ import annotations

from itertools import product

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from autodl.agents.options import ControllerOptions
from autodl.agents.walk import draw, log_softmax
from autodl.agents.width_controller import WidthController, reward, width_reinforce
from autodl.agents.width_policy import PricedDecisions, WidthPolicy, beam_search
from autodl.errors import ConfigError
from autodl.spaces.width.cost import cost_bounds
from autodl.spaces.width.space import make_width_space
from autodl.supernets.width import decoding
from autodl.supernets.width.decoding import decode

SIZES = (3, 3, 3)
ALL = np.array(list(product(range(3), repeat=3)), np.int64)


def added(choices):
    """Costs that depend on the two latest choices."""
    before = choices[:, -2] if choices.shape[1] > 1 else 0
    return (choices[:, -1] + 1) * (before + 2)


def total(choices):
    return sum(added(choices[:, : n + 1]) for n in range(choices.shape[1]))


def priced(sizes=SIZES, budget=20.0):
    return PricedDecisions(sizes, added=added, budget=budget)


def policy(sizes=SIZES, scale=0.7, seed=0, dtype="float32", **options):
    """``scale`` is the deviation of all parameters, so that decisions are uneven."""
    paddle.set_default_dtype(dtype)
    try:
        made = WidthPolicy(priced(sizes), **{"hidden": 12, **options})
    finally:
        paddle.set_default_dtype("float32")
    rng = np.random.default_rng(seed)
    for parameter in made.parameters():
        parameter.set_value((rng.normal(size=parameter.shape) * scale).astype(dtype))
    return made


def drawn_by(made, uniforms):
    return draw(made.walk(len(uniforms)), made.decisions, uniforms).rows


def log_probabilities(made, choices):
    logits = F.log_softmax(made(choices)[0], axis=-1).numpy()
    return np.take_along_axis(logits, choices[..., None], -1)[..., 0].sum(axis=1)


def test_probabilities_of_all_architectures_sum_to_one():
    made = policy()
    assert np.exp(log_probabilities(made, ALL)).sum() == pytest.approx(1.0, abs=1e-5)  # float32
    assert np.exp(log_probabilities(made, ALL)).std() > 0.01


def test_walking_and_scoring_agree():
    """NumPy's steps and Paddle's LSTM, with the budget in the input: float32."""
    made = policy()
    walk, scores = made.walk(len(ALL)), np.zeros(len(ALL))
    for step in range(3):
        scores += log_softmax(walk.logits())[np.arange(len(ALL)), ALL[:, step]]
        walk.choose(ALL[:, step])
    np.testing.assert_allclose(scores, log_probabilities(made, ALL), atol=2e-5)


def test_the_budget_that_is_left_is_seen():
    one, other = policy(), policy()
    other.decisions = priced(budget=40.0)
    same = log_probabilities(one, ALL) - log_probabilities(other, ALL)
    assert np.abs(same).max() > 1e-3
    # the first input says 1 whatever the budget: the first decision is the same
    first = [made(ALL)[0].numpy()[:, 0] for made in (one, other)]
    np.testing.assert_array_equal(*first)


def test_the_budget_left_is_exact():
    decisions = priced()
    choices = np.array([[2, 1, 0]])
    assert decisions.left(np.array([0])) == 1.0
    assert decisions.left(added(choices[:, :1]) + added(choices[:, :2])) == np.float32(6 / 20)


def test_draws_have_the_policys_frequencies():
    """20,000 draws of 27 architectures: within 5 deviations of a binomial."""
    made = policy()
    drawn = drawn_by(made, np.random.default_rng(1).random((20_000, 3)))
    share = np.array([(drawn == row).all(axis=1).mean() for row in ALL])
    expected = np.exp(log_probabilities(made, ALL))
    deviation = np.sqrt(expected * (1 - expected) / len(drawn))
    assert (np.abs(share - expected) < 5 * deviation + 1e-5).all()


def test_beam_search_of_full_width_gives_the_likeliest():
    made = policy()
    expected = np.argsort(-log_probabilities(made, ALL), kind="stable")
    found, scores = beam_search(made, 27)
    assert (found == ALL[expected]).all()
    np.testing.assert_allclose(scores, log_probabilities(made, found), atol=2e-5)
    under = total(ALL) <= 15
    found, _ = beam_search(made, 27, lambda part: total(part) <= 15)
    assert (found == [row for row in ALL[expected] if total(row[None])[0] <= 15]).all()
    assert len(found) == under.sum()
    assert len(beam_search(made, 4, lambda part: total(part) < 0)[0]) == 0


def test_decisions_of_one_candidate_are_certain():
    made = policy((3, 1, 2))
    drawn = drawn_by(made, np.random.default_rng(0).random((200, 3)))
    assert (drawn.max(axis=0) == [2, 0, 1]).all()
    rows = np.array(list(product(range(3), range(1), range(2))), np.int64)
    assert np.exp(log_probabilities(made, rows)).sum() == pytest.approx(1.0, abs=1e-5)
    _, entropy = width_reinforce(made, ControllerOptions()).score(rows)
    assert np.isfinite(entropy.numpy()).all()
    assert len(beam_search(made, 50)[0]) == 6


def test_initial_parameters():
    paddle.seed(0)
    fresh = WidthPolicy(priced())
    for name, parameter in fresh.named_parameters():
        values = parameter.numpy()
        if name == "head_bias":
            assert not values.any()
        else:
            assert 0.09 < np.abs(values).max() <= 0.1
    assert fresh.lstm.input_size == 100  # 96 of the embedding, 3 layers, the budget
    assert WidthPolicy(priced((2,) * 108)).lstm.input_size == 117


def gradient_of(algorithm, choices, weights):
    """Gradient of the mean loss over all parameters, as one vector."""
    loss, _ = algorithm.loss(choices, weights)
    loss.backward()
    parts = [p.grad.numpy().ravel().copy() for p in algorithm.model.parameters()]
    for parameter in algorithm.model.parameters():
        parameter.clear_gradient(set_to_zero=False)
    return np.concatenate(parts)


def test_expected_gradient_is_that_of_the_expected_reward():
    """By enumeration, float64: E[grad log pi r] = grad J to 1e-10, and any baseline leaves it."""
    made = policy(dtype="float64")
    algorithm = width_reinforce(made, ControllerOptions(entropy_weight=0.0))
    rewards = np.random.default_rng(3).random(27)
    taken, _ = algorithm.score(ALL)
    (taken.exp() * paddle.to_tensor(rewards)).sum().backward()
    exact = np.concatenate([p.grad.numpy().ravel().copy() for p in made.parameters()])
    for parameter in made.parameters():
        parameter.clear_gradient(set_to_zero=False)
    chances = np.exp(log_probabilities(made, ALL))
    for baseline in (0.0, 0.7, -3.0):
        # the loss averages over its batch, and is to be minimised
        found = -27 * gradient_of(algorithm, ALL, chances * (rewards - baseline))
        np.testing.assert_allclose(found, exact, atol=1e-10)
    assert np.abs(exact).max() > 1e-3


def test_entropy_is_a_sum_over_decisions():
    """The expectation of the path's conditional entropies is the entropy of the whole."""
    made = policy()
    _, entropy = width_reinforce(made, ControllerOptions()).score(ALL)
    logs = log_probabilities(made, ALL)
    whole = -(np.exp(logs) * logs).sum()
    assert (np.exp(logs) * entropy.numpy()).sum() == pytest.approx(whole, abs=1e-5)


def test_reward_is_continuous_at_the_budget():
    assert reward(0.8, 50, 100) == reward(0.8, 100, 100) == 0.8
    assert reward(0.8, 100 * (1 + 1e-9), 100) == pytest.approx(0.8, abs=1e-9)
    assert reward(0.8, 200, 100) == pytest.approx(0.8 * 2**-0.1, rel=1e-12)


def controller(**options):
    return WidthController(priced(), ControllerOptions(**options), 0)


def test_the_first_rewards_are_their_own_baseline():
    agent = controller(baseline_decay=0.99)
    rows = ALL[:1]
    first = agent.learn(rows, np.array([0.5]))
    assert (first.reward, first.baseline, agent.baseline) == (0.5, 0.5, 0.5)
    second = agent.learn(rows, np.array([1.5]))
    assert second.baseline == 0.5
    assert agent.baseline == pytest.approx(0.99 * 0.5 + 0.01 * 1.5, rel=1e-12)


def test_it_learns_what_is_rewarded():
    agent = controller(learning_rate=0.01, entropy_weight=0.0, hidden=20)
    rng = np.random.default_rng(0)
    for _ in range(150):
        drawn = agent.sample(rng, 8)
        agent.learn(drawn, (drawn == 2).mean(axis=1))
    assert (agent.sample(rng, 100) == 2).mean() > 0.9


def test_entropy_weight_keeps_it_undecided():
    finals = []
    for weight in (0.0, 1.0):
        agent = controller(learning_rate=0.01, entropy_weight=weight, hidden=20)
        rng = np.random.default_rng(0)
        for _ in range(60):
            drawn = agent.sample(rng, 8)
            learned = agent.learn(drawn, (drawn == 2).mean(axis=1))
        finals.append(learned.entropy)
    assert finals[1] > finals[0] + 0.5


def test_state_and_restore_go_on_exactly():
    one, two = controller(), controller(hidden=100)
    rng = np.random.default_rng(0)
    for _ in range(3):
        one.learn(one.sample(rng), np.array([rng.random()]))
    two.restore(one.state())
    for agent in (one, two):
        agent.learn(ALL[:2], np.array([0.3, 0.9]))
    assert one.baseline == two.baseline
    pairs = zip(one.policy.parameters(), two.policy.parameters(), strict=True)
    assert all((a.numpy() == b.numpy()).all() for a, b in pairs)


def test_decoding_stays_in_the_range():
    space = make_width_space("resnet20", (4, 8, 16), image_size=16)
    decisions = PricedDecisions(space.sizes, added=space.added_cost, budget=2e6)
    agent = WidthController(decisions, ControllerOptions(), 0)
    options = ControllerOptions(decode_beams=5, decode_samples=7)
    found = decode(agent, space, options, (1.5e6, 1.6e6), np.random.default_rng(0))
    assert found.shape == (12, 19)
    assert len({row.tobytes() for row in found}) == 12
    assert ((space.macs(found) >= 1.5e6) & (space.macs(found) <= 1.6e6)).all()


def test_beams_stand_in_for_draws_that_miss_the_range(monkeypatch):
    """Few networks are as small as this, and the untrained policy does not draw them."""
    space = make_width_space("resnet20", (4, 8, 16), image_size=16)
    decisions = PricedDecisions(space.sizes, added=space.added_cost, budget=2e6)
    agent = WidthController(decisions, ControllerOptions(), 0)
    options = ControllerOptions(decode_beams=0, decode_samples=3)
    monkeypatch.setattr(decoding, "_MOST_DRAWS", 500)
    costs = (0.0, 1.02 * space.bounds[0])
    found = decode(agent, space, options, costs, np.random.default_rng(0))
    assert 1 <= len(found) <= 3
    assert (space.macs(found) <= costs[1]).all()
    with pytest.raises(ConfigError, match="proposes nothing of 0 to 10 MACs"):
        decode(agent, space, options, (0.0, 10.0), np.random.default_rng(0))


def test_bounds_enclose_every_completion():
    space = make_width_space("resnet20", (4, 8, 16), image_size=16)
    rows = space.uniform(np.random.default_rng(0), 200)
    macs = space.macs(rows)
    for decided in (0, 1, 7, 18, 19):
        low, high = cost_bounds(space.terms, rows[:, :decided])
        assert ((low <= macs) & (macs <= high)).all()
    assert (low == high).all()
    steps = sum(space.added_cost(rows[:, : n + 1]) for n in range(19))
    assert (steps == macs).all()


def test_the_start_token_is_fed_three_times():
    """Two times before the first decision, and for it, as in the authors' code."""
    made = policy()
    read = made.inputs(ALL[:1]).numpy()[0]
    assert len(read) == 3 + len(SIZES) - 1
    assert (read[:3] == read[0]).all()
    assert not (read[3] == read[0]).all()


def test_a_controller_of_an_earlier_version_begins_as_it_did():
    """With the start token twice: its weights have learned that."""
    made = WidthController(priced(), ControllerOptions(hidden=12), seed=0)
    state = made.state()
    assert state["lead"] == 2
    old = WidthController(priced(), ControllerOptions(hidden=12), seed=1)
    old.restore({name: value for name, value in state.items() if name != "lead"})
    assert len(old.policy.inputs(ALL[:1])[0]) == 2 + len(SIZES) - 1
    assert old.state()["lead"] == 1
    uniforms = np.random.default_rng(0).random((5, len(SIZES)))
    rows = drawn_by(old.policy, uniforms)
    stepwise = old.policy.walk(5)
    forced = F.log_softmax(old.policy(rows)[0], axis=-1).numpy()
    for step in range(len(SIZES)):
        # float32, a step at a time against all at once
        found = log_softmax(stepwise.logits())
        np.testing.assert_allclose(found, forced[:, step], atol=1e-5)
        stepwise.choose(rows[:, step])
