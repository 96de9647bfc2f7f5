"""The gradient step against its closed form; that decoding is valid, and inverts encoding."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from autodl.agents.nao import train
from autodl.agents.nao_network import NaoNetwork, embedding_of, unit, uphill
from autodl.agents.options import NaoOptions

SMALL = NaoOptions(hidden=16, embedding=6, predictor_layers=1, predictor_width=8, dropout=0.0)


def states(batch=2, steps=5, width=8, seed=0, dtype="float64"):
    drawn = np.random.default_rng(seed).normal(size=(batch, steps, width))
    return unit(paddle.to_tensor(drawn.astype(dtype)))


def linear(width=8, seed=1):
    weight = np.random.default_rng(seed).normal(size=width)
    tensor = paddle.to_tensor(weight)
    return weight, lambda vectors: F.sigmoid(paddle.matmul(vectors, tensor))


def test_the_gradient_of_a_linear_predictor_has_a_closed_form():
    """s (1 - s) (I - e e^T) w / (T |mean H|) at every step, float64."""
    weight, predict = linear()
    given = states()
    leaves = given.detach()
    leaves.stop_gradient = False
    found = paddle.grad(predict(embedding_of(leaves)).sum(), leaves)[0].numpy()
    mean = given.numpy().mean(axis=1)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    e = mean / length
    s = 1 / (1 + np.exp(-e @ weight))[:, None]
    across = weight - e * (e @ weight)[:, None]
    expected = s * (1 - s) * across / (given.shape[1] * length)
    np.testing.assert_allclose(
        found, np.repeat(expected[:, None], 5, axis=1), rtol=1e-9, atol=1e-12
    )


def test_the_gradient_matches_finite_differences():
    """Central differences with h = 1e-5 in float64: off by about h^2."""
    _, predict = linear()
    given = states(batch=1, steps=3, width=4 * 2)
    leaves = given.detach()
    leaves.stop_gradient = False
    gradient = paddle.grad(predict(embedding_of(leaves)).sum(), leaves)[0].numpy()
    value, h = given.numpy(), 1e-5
    for place in np.ndindex(value.shape):
        ends = []
        for sign in (1, -1):
            moved = value.copy()
            moved[place] += sign * h
            ends.append(predict(embedding_of(paddle.to_tensor(moved))).item())
        assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(gradient[place], abs=1e-8)


def test_going_uphill_raises_the_prediction_up_to_its_limit():
    weight, predict = linear()
    given = states()
    seen = [predict(embedding_of(uphill(given, predict, lam))).numpy() for lam in (0, 0.1, 1, 10)]
    assert (np.diff(seen, axis=0) > 0).all()
    assert (seen[-1] < 1 / (1 + np.exp(-np.linalg.norm(weight)))).all()
    np.testing.assert_allclose(uphill(given, predict, 0.0).numpy(), given.numpy(), rtol=1e-12)


@pytest.mark.parametrize("ratio", [1, 2, 3])
def test_whatever_is_decoded_is_a_row_of_the_space(ratio):
    sizes = (2, 5, 3, 2, 4)
    network = NaoNetwork(sizes, SMALL.model_copy(update={"tokens_per_step": ratio}))
    network.eval()
    steps = -(-len(sizes) // ratio)
    assert network.encode(np.zeros((1, 5), np.int64)).shape == [1, steps, 16]
    drawn = states(50, steps, 16, dtype="float32")
    rows = network.decode(drawn)
    assert rows.shape == (50, 5)
    assert ((rows >= 0) & (rows < np.array(sizes))).all()


def test_an_overfitted_network_decodes_what_it_encoded():
    """Distance 0; eight rows of four decisions, until the decoder knows them by heart."""
    sizes = (3, 4, 2, 4)
    rng = np.random.default_rng(0)
    rows = np.stack([rng.integers(sizes) for _ in range(8)])
    options = SMALL.model_copy(
        update={"epochs": 150, "learning_rate": 0.02, "predictor_weight": 0.2, "weight_decay": 0.0}
    )
    paddle.seed(0)
    network = NaoNetwork(sizes, options)
    before = network.losses(rows, rng.random(8)).total
    after = train(network, rows, rng.random(8), options, rng)
    assert after < float(before) / 3
    network.eval()
    unmoved = uphill(network.encode(rows), network.predict, 0.0)
    np.testing.assert_array_equal(network.decode(unmoved), rows)


def test_losses_are_weighed():
    """0.8 of the squared error and the rest of the decoder's; without training ln K a token."""
    network = NaoNetwork((4, 4), SMALL)
    for parameter in network.output.parameters():
        parameter.set_value(paddle.zeros_like(parameter))
    found = network.losses(np.array([[0, 3]]), np.array([0.25]))
    assert float(found.decoder) == pytest.approx(np.log(4), rel=1e-6)
    total = 0.8 * float(found.predictor) + 0.2 * np.log(4)
    assert float(found.total) == pytest.approx(total, rel=1e-6)
