"""Losses and gradients against closed forms and finite differences."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.agents.reinforce_policy_gradient import (
    choice_scores,
    clipped_loss,
    reinforce_loss,
    set_scores,
)


def softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def logistic(scores):
    return 1 / (1 + np.exp(-scores))


@pytest.mark.parametrize("batch, steps, choices", [(1, 1, 2), (3, 1, 5), (4, 6, 10), (2, 3, 1)])
def test_token_gradient_matches_closed_form(batch, steps, choices):
    """d loss / d logits = (softmax - onehot) * advantage / B. Tolerance: float32."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(batch, steps, choices)).astype("float32") * 3
    tokens = rng.integers(choices, size=(batch, steps))
    advantages = rng.normal(size=batch).astype("float32")
    logits = paddle.to_tensor(scores, stop_gradient=False)

    log_probability, _ = choice_scores(logits, paddle.to_tensor(tokens))
    reinforce_loss(log_probability, paddle.to_tensor(advantages)).backward()

    taken = np.take_along_axis(np.log(softmax(scores.astype(float))), tokens[..., None], -1)
    np.testing.assert_allclose(log_probability.numpy(), taken.sum((1, 2)), rtol=1e-5, atol=1e-5)
    expected = (softmax(scores) - np.eye(choices)[tokens]) * advantages[:, None, None] / batch
    np.testing.assert_allclose(logits.grad.numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch, rows, columns", [(1, 1, 1), (3, 4, 4), (4, 18, 9)])
def test_bit_gradient_matches_closed_form(batch, rows, columns):
    """d loss / d logits = (sigmoid - bit) * mask * advantage / B. Tolerance: float32."""
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(batch, rows, columns)).astype("float32") * 3
    bits = rng.integers(2, size=scores.shape).astype("float32")
    mask = rng.integers(2, size=(rows, columns)).astype("float32")
    advantages = rng.normal(size=batch).astype("float32")
    logits = paddle.to_tensor(scores, stop_gradient=False)

    log_probability, _ = set_scores(logits, paddle.to_tensor(bits), paddle.to_tensor(mask))
    reinforce_loss(log_probability, paddle.to_tensor(advantages)).backward()

    one = logistic(scores.astype(float))
    expected = (np.log(np.where(bits == 1, one, 1 - one)) * mask).sum((1, 2))
    np.testing.assert_allclose(log_probability.numpy(), expected, rtol=1e-5, atol=1e-5)
    gradient = (one - bits) * mask * advantages[:, None, None] / batch
    np.testing.assert_allclose(logits.grad.numpy(), gradient, rtol=1e-4, atol=1e-6)


def test_extreme_logits_stay_finite():
    """Paddle's log_softmax on a CPU ends at -64; the policy's logits differ by 5 at most."""
    logits = paddle.to_tensor(np.array([[[200.0, -200.0]]], "float32"))
    ones = paddle.ones([1, 2])
    log_probability, entropy = set_scores(logits, paddle.zeros([1, 1, 2]), ones)
    assert float(log_probability[0]) == -200
    assert float(entropy[0]) == pytest.approx(0, abs=1e-6)
    log_probability, entropy = choice_scores(logits, paddle.to_tensor([[1]]))
    assert -400 <= float(log_probability[0]) <= -64
    assert float(entropy[0]) == pytest.approx(0, abs=1e-6)


def test_advantages_are_constants():
    log_probability = paddle.to_tensor([-1.0, -2.0], stop_gradient=False)
    advantages = paddle.to_tensor([3.0, -4.0], stop_gradient=False)
    loss = reinforce_loss(log_probability, advantages)
    loss.backward()
    assert float(loss) == -(-3.0 + 8.0) / 2
    assert advantages.grad is None


def entropy_by_numpy(token_scores, bit_scores, mask):
    p, q = softmax(token_scores.astype(float)), logistic(bit_scores.astype(float))
    tokens = -(p * np.log(p)).sum((1, 2))
    return tokens - ((q * np.log(q) + (1 - q) * np.log(1 - q)) * mask).sum((1, 2))


def test_entropy_matches_numpy_and_is_largest_when_uniform():
    rng = np.random.default_rng(2)
    mask = np.tril(np.ones((4, 4), "float32"))
    token_scores = rng.normal(size=(3, 5, 7)).astype("float32")
    bit_scores = rng.normal(size=(3, 4, 4)).astype("float32")

    def entropy(tokens, bits):
        tokens, bits, cut = (paddle.to_tensor(v.astype("float32")) for v in (tokens, bits, mask))
        _, choices = choice_scores(tokens, paddle.zeros([3, 5], "int64"))
        return (choices + set_scores(bits, bits, cut)[1]).numpy()

    expected = entropy_by_numpy(token_scores, bit_scores, mask)
    np.testing.assert_allclose(entropy(token_scores, bit_scores), expected, rtol=1e-5)
    highest = 5 * np.log(7) + 10 * np.log(2)
    np.testing.assert_allclose(entropy(0 * token_scores, 0 * bit_scores), highest, rtol=1e-6)
    assert (expected < highest).all()


@pytest.mark.parametrize("nodes, entropy_weight", [(3, 0.0), (3, 0.5), (1, 0.5)])
def test_parameter_gradients_match_finite_differences(make_algorithm, nodes, entropy_weight):
    """Along a random direction of every parameter, central difference with h = 1e-2.

    The loss is of size 10 in float32, so a difference is off by about 1e-6 / h = 1e-4, and the
    third derivative adds about h^2 = 1e-4: 2e-3 of the gradient's own length is generous.
    """
    algorithm = make_algorithm(2, nodes, 3, hidden=5, scale=0.5)
    sizes = algorithm.model.decisions.sizes
    rng = np.random.default_rng(0)
    tokens = rng.integers(3, size=(4, 2 * nodes))
    rows = np.hstack([tokens, rng.integers(2, size=(4, len(sizes) - 2 * nodes))])
    advantages = paddle.to_tensor(rng.normal(size=4).astype("float32"))

    def loss():
        log_probability, entropy = algorithm.score(rows)
        return reinforce_loss(log_probability, advantages) - entropy_weight * entropy.mean()

    loss().backward()
    h = 1e-2
    for name, parameter in algorithm.model.named_parameters():
        gradient, value = parameter.grad.numpy(), parameter.numpy()
        across = rng.normal(size=value.shape)
        for direction in (gradient.astype(float), across):
            direction = direction / np.linalg.norm(direction)
            ends = []
            for sign in (1, -1):
                parameter.set_value((value + sign * h * direction).astype("float32"))
                ends.append(float(loss()))
            parameter.set_value(value)
            measured = (ends[0] - ends[1]) / (2 * h)
            limit = 2e-3 * max(np.linalg.norm(gradient), 0.1)
            assert abs(measured - (gradient * direction).sum()) < limit, name


def test_learn_is_one_adam_step(make_algorithm):
    """Adam's first step moves every parameter by rate * g / (|g| + epsilon')."""
    algorithm = make_algorithm(2, 3, 4, scale=0.3, learning_rate=1e-2, entropy_weight=0.1)
    twin = make_algorithm(2, 3, 4, scale=0.3)
    noise = np.random.default_rng(0).random((5, 6 + 6))
    sampled = algorithm.sample(noise)
    advantages = np.array([1.0, -1.0, 0.5, 2.0, -0.25])

    log_probability, entropy = twin.score(sampled.rows)
    loss = -(log_probability * paddle.to_tensor(advantages.astype("float32"))).mean()
    loss = loss - 0.1 * entropy.mean()
    loss.backward()
    learned = algorithm.learn(sampled.rows, advantages)

    assert learned.loss == pytest.approx(float(loss), rel=1e-5)
    assert learned.entropy == pytest.approx(float(entropy.mean()), rel=1e-5)
    own = dict(algorithm.model.named_parameters())
    for name, parameter in twin.model.named_parameters():
        gradient = parameter.grad.numpy()
        step = 1e-2 * gradient / (np.abs(gradient) + 1e-8)
        clear = np.abs(gradient) > 1e-5  # below, epsilon and rounding decide
        np.testing.assert_allclose(
            own[name].numpy()[clear], (parameter.numpy() - step)[clear], atol=2e-5, err_msg=name
        )
        assert own[name].grad is None or not own[name].grad.numpy().any()


def test_learning_raises_what_was_rewarded(make_algorithm):
    algorithm = make_algorithm(2, 3, 4, scale=None, learning_rate=1e-2)
    noise = np.random.default_rng(1).random((2, 12))
    sampled = algorithm.sample(noise)
    before = algorithm.score(sampled.rows)[0].numpy()
    for _ in range(5):
        algorithm.learn(sampled.rows, np.array([1.0, -1.0]))
    after = algorithm.score(sampled.rows)[0].numpy()
    assert after[0] > before[0]
    assert after[1] < before[1]


def test_clipped_loss_by_hand():
    """ratio 1 has REINFORCE's gradient; one beyond 1 +- clip that would go on has none."""
    ratios, advantages = np.array([1.0, 1.5, 1.5, 0.5, 0.5]), np.array([2.0, 1.0, -1.0, 1.0, -1.0])
    before = np.log(np.full(5, 0.1))
    now = paddle.to_tensor(before + np.log(ratios), stop_gradient=False)
    loss = clipped_loss(now, paddle.to_tensor(before), paddle.to_tensor(advantages), 0.2)
    loss.backward()
    expected = [2.0, 1.2, -1.5, 0.5, -0.8]
    assert float(loss) == pytest.approx(-np.mean(expected), rel=1e-12)  # float64
    slope = np.array([2.0, 0.0, -1.5, 0.5, 0.0])
    np.testing.assert_allclose(now.grad.numpy(), -slope / 5, rtol=1e-12, atol=1e-15)


def weights(algorithm):
    return {name: value.numpy() for name, value in algorithm.model.named_parameters()}


def test_the_first_of_several_epochs_is_reinforce_and_the_others_stay_near(make_algorithm):
    """After ten epochs at a high rate the ratios are less spread than without the clip."""
    noise, advantages = np.random.default_rng(0).random((6, 12)), np.array([1, -1, 2, -2, 1, -1.0])
    spread = {}
    for clip in (0.05, 0.99):
        many = make_algorithm(2, 3, 4, scale=0.3, learning_rate=5e-3, epochs=10, clip=clip)
        once = make_algorithm(2, 3, 4, scale=0.3, learning_rate=5e-3)
        rows = many.sample(noise).rows
        before = many.score(rows)[0].numpy()
        learned, single = many.learn(rows, advantages), once.learn(rows, advantages)
        assert learned.entropy == pytest.approx(single.entropy, rel=1e-6)
        assert learned.loss == pytest.approx(-advantages.mean(), abs=1e-6)  # all ratios are 1
        spread[clip] = np.abs(many.score(rows)[0].numpy() - before).max()
    assert spread[0.05] < 0.8 * spread[0.99]  # 0.63: Adam's momentum goes on where gradients end


def test_imitating_is_a_step_of_reinforce_with_advantages_of_one(make_algorithm):
    noise = np.random.default_rng(1).random((3, 12))
    imitating, learning = (make_algorithm(2, 3, 4, entropy_weight=0.1) for _ in range(2))
    rows = imitating.sample(noise).rows
    imitating.imitate(rows)
    learning.learn(rows, np.ones(3))
    for name, value in weights(imitating).items():
        np.testing.assert_array_equal(value, weights(learning)[name])
