"""The second order against a quadratic problem whose gradient is known in closed form."""

from __future__ import annotations

from functools import partial

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from mixtures_for_tests import CELLS

from autodl.networks.layers import trainable
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.supernets.relaxed import gradient
from autodl.supernets.relaxed.gradient import first_order, second_order
from autodl.supernets.relaxed.network import RelaxedNetwork

SIZE, CHOICES = 5, 3


class Quadratic:
    """``T = w'Qw / 2 + a'Bw`` and ``V = |w - c|^2 / 2 + a'e``, in float64."""

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        square = rng.normal(size=(SIZE, SIZE))
        self.Q, self.B = square @ square.T, rng.normal(size=(CHOICES, SIZE))
        self.c, self.e = rng.normal(size=SIZE), rng.normal(size=CHOICES)
        self.w, self.a = rng.normal(size=SIZE), rng.normal(size=CHOICES)
        self.carried = rng.normal(size=SIZE)
        self.weights, self.logits = (
            [paddle.to_tensor(value[:cut], stop_gradient=False), paddle.to_tensor(value[cut:])]
            for value, cut in ((self.w, 2), (self.a, 1))
        )
        for leaf in (*self.weights, *self.logits):
            leaf.stop_gradient = False

    def train(self):
        w, a = paddle.concat(self.weights), paddle.concat(self.logits)
        square = (w * (paddle.to_tensor(self.Q) @ w)).sum()
        return 0.5 * square + (a * (paddle.to_tensor(self.B) @ w)).sum()

    def held_out(self):
        w, a = paddle.concat(self.weights), paddle.concat(self.logits)
        return (
            0.5 * (w - paddle.to_tensor(self.c)).square().sum()
            + (a * paddle.to_tensor(self.e)).sum()
        )

    def second(self, rate):
        carried = [paddle.to_tensor(self.carried[:2]), paddle.to_tensor(self.carried[2:])]
        found = second_order(
            self.weights, self.logits, self.train, self.held_out, rate=rate, carried=carried
        )
        return paddle.concat(found).numpy()

    def exact(self, rate):
        """``e - rate B (w' - c)``: the mixed derivative of T is B, and V's by w' is ``w' - c``."""
        stepped = self.w - rate * (self.Q @ self.w + self.B.T @ self.a + self.carried)
        return self.e - rate * self.B @ (stepped - self.c)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_second_order_is_the_closed_form(rate):
    """T is quadratic, so a central difference has rounding errors alone."""
    for seed in range(3):
        problem = Quadratic(seed)
        np.testing.assert_allclose(problem.second(rate), problem.exact(rate), atol=1e-10)
        if rate >= 0.1:  # and the first order is another thing
            first = paddle.concat(first_order(problem.weights, problem.logits, problem.held_out))
            assert np.abs(first.numpy() - problem.exact(rate)).max() > 0.01


def test_at_the_rate_0_it_is_the_first_order_exactly():
    problem = Quadratic()
    first = paddle.concat(first_order(problem.weights, problem.logits, problem.held_out)).numpy()
    np.testing.assert_array_equal(problem.second(0.0), first)
    np.testing.assert_array_equal(first, problem.e)


def test_weights_are_what_they_were_and_nothing_has_a_gradient():
    problem = Quadratic()
    problem.second(0.3)
    np.testing.assert_array_equal(paddle.concat(problem.weights).numpy(), problem.w)
    for leaf in (*problem.weights, *problem.logits):
        assert leaf.grad is None
        assert not leaf.stop_gradient


def test_weights_are_restored_when_a_loss_fails():
    problem, seen = Quadratic(), []

    def failing():
        seen.append(paddle.concat(problem.weights).numpy())
        raise FloatingPointError

    with pytest.raises(FloatingPointError):
        second_order(
            problem.weights,
            problem.logits,
            problem.train,
            failing,
            rate=0.3,
            carried=[paddle.zeros_like(one) for one in problem.weights],
        )
    assert (seen[0] != problem.w).any()
    np.testing.assert_array_equal(paddle.concat(problem.weights).numpy(), problem.w)


def test_where_weights_change_nothing_the_logits_gradient_is_all():
    problem = Quadratic()
    problem.c = problem.w - 0.3 * (
        problem.Q @ problem.w + problem.B.T @ problem.a + problem.carried
    )
    still = problem.second(0.3)  # V is at its minimum behind the step: v is 0, or rounding
    np.testing.assert_allclose(still, problem.e, atol=1e-10)


def test_of_a_network_it_is_the_derivative_behind_a_step(monkeypatch):
    """Against differences of the loss itself, in float64.

    DARTS' distance of 0.01 crosses ReLUs' kinks in so small a network; one of 1e-5 does not here.
    Both differences are of 1e-5 and second order, so the errors are near 1e-9 of the loss.
    """
    monkeypatch.setattr(gradient, "_DISTANCE", 1e-5)
    paddle.set_default_dtype("float64")
    try:
        network = RelaxedNetwork(EdgeCellSpace(("skip_connect", "nor_conv_3x3")), CELLS, 0)
    finally:
        paddle.set_default_dtype("float32")
    rng, rate = np.random.default_rng(0), 0.1
    losses = [
        partial(loss_of, network, rng.normal(size=(8, 3, 8, 8)), rng.integers(2, size=8))
        for _ in range(2)
    ]
    weights, logits = trainable(network), network.logits["edges"]
    network.train()
    with network.learning() as learned:
        carried = [0.01 * one.detach() for one in weights]
        (found,) = second_order(weights, learned, *losses, rate=rate, carried=carried)
    start, first = logits.numpy(), [one.numpy() for one in weights]

    def behind(moved):
        for one, value in zip(weights, first, strict=True):
            one.set_value(value)
        logits.set_value(moved)
        losses[0]().backward()
        for one, more in zip(weights, carried, strict=True):
            one.set_value(one - rate * (one.grad + more))
            one.clear_gradient(False)
        return float(losses[1]())

    expected = np.zeros_like(start)
    for place in np.ndindex(start.shape):
        move = np.zeros_like(start)
        move[place] = 1e-5
        expected[place] = (behind(start + move) - behind(start - move)) / 2e-5
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    assert np.abs(expected).max() > 1e-3


def loss_of(network, inputs, targets):
    return F.cross_entropy(network(paddle.to_tensor(inputs)), paddle.to_tensor(targets))
