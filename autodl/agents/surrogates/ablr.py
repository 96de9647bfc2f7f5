"""Adaptive Bayesian linear regression: a network whose last layer is a regression for each task.

The network is Paddle's; the marginal likelihood and its gradients are those of
``autodl/strategies/surrogate/linear_regression.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import Any

import numpy as np
import paddle
from scipy.optimize import minimize

from autodl.agents.options import AblrOptions
from autodl.spaces.space import Coded, Integers
from autodl.strategies.options import SurrogateOptions
from autodl.strategies.surrogate.encodings import OneHot
from autodl.strategies.surrogate.linear_regression import (
    Regression,
    negative_log_likelihood,
    regressed,
)
from autodl.strategies.surrogate.ridge import LinearPosterior
from autodl.strategies.surrogate.surrogate import PastScores, Reals
from autodl.strategies.surrogate.surrogate_search import SurrogateSearch

_PRECISIONS = ((log(1e-3), log(1e3)), (log(1.0), log(1e6)))  # of weights, of noise
_LEAST_WEIGHTS = 1e-3


def ablr(
    space: Coded[Any], options: AblrOptions | None = None, *, seed: int = 0
) -> SurrogateSearch[Any]:
    """The strategy: expected improvement under adaptive Bayesian linear regression.

    Raises:
        ConfigError: the space is not coded.
    """
    chosen = options or AblrOptions()
    return SurrogateSearch(
        space,
        SurrogateOptions(acquisition=chosen.acquisition, initial=chosen.initial, rewards="ranks"),
        seed=seed,
        make=lambda space: Ablr(space.sizes, width=chosen.width, steps=chosen.steps),
    )


class TanhNetwork:
    """Fully connected layers of tanh, float64, whose parameters are one row of numbers.

    The first weights are Glorot's, drawn from ``seed`` and not from Paddle's global generator.
    """

    def __init__(self, inputs: int, widths: Sequence[int], seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._layers: list[paddle.Tensor] = []
        for width in widths:
            bound = sqrt(6 / (inputs + width))
            weight = rng.uniform(-bound, bound, (inputs, width))
            for start in (weight, np.zeros(width)):
                self._layers.append(paddle.to_tensor(start, "float64", stop_gradient=False))
            inputs = width

    def __call__(self, inputs: Reals) -> paddle.Tensor:
        """Features of the rows ``[n, inputs]``: float64 ``[n, widths[-1]]``."""
        x = paddle.to_tensor(inputs, "float64")
        for weight, bias in zip(self._layers[::2], self._layers[1::2], strict=True):
            x = paddle.tanh(paddle.matmul(x, weight) + bias)
        return x

    def parameters(self) -> Reals:
        """All weights and biases, float64 ``[P]``."""
        return np.concatenate([layer.numpy().ravel() for layer in self._layers])

    def set_parameters(self, numbers: Reals) -> None:
        """The inverse of ``parameters``."""
        at = 0
        for layer in self._layers:
            layer.set_value(numbers[at : at + layer.size].reshape(layer.shape))
            at += layer.size

    def pullback(self, features: paddle.Tensor, gradient: Reals) -> Reals:
        """A gradient with respect to features -> that with respect to the parameters, ``[P]``."""
        upstream = paddle.to_tensor(gradient, "float64")
        found = paddle.grad([features], self._layers, [upstream])
        return np.concatenate([one.numpy().ravel() for one in found])


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A task's inputs ``[n, inputs]`` and values ``[n]``."""

    inputs: Reals
    values: Reals


def objective(network: TanhNetwork, tasks: Sequence[Task], numbers: Reals) -> tuple[float, Reals]:
    """The sum of the tasks' negative log-likelihoods, and its gradient.

    Weights have a faint normal prior (variance 1,000), which keeps them bounded. A task without
    trials adds nothing.

    Args:
        numbers: the network's parameters, then for each task ln alpha and ln beta.
    """
    count = len(numbers) - 2 * len(tasks)
    network.set_parameters(numbers[:count])
    whole = network(np.vstack([task.inputs for task in tasks]))
    parts = np.split(whole.numpy(), np.cumsum([len(task.values) for task in tasks])[:-1])
    precisions = numbers[count:].reshape(-1, 2)
    found = [
        negative_log_likelihood(features, task.values, alpha, beta)
        for features, task, (alpha, beta) in zip(parts, tasks, precisions, strict=True)
    ]
    by_weights = network.pullback(whole, np.vstack([one.features for one in found]))
    by_precisions = np.array([[one.alpha, one.beta] for one in found]).ravel()
    weights = numbers[:count]
    value = sum(one.value for one in found) + 0.5 * _LEAST_WEIGHTS * float(weights @ weights)
    return value, np.concatenate([by_weights + _LEAST_WEIGHTS * weights, by_precisions])


def train(network: TanhNetwork, tasks: Sequence[Task], precisions: Reals, steps: int) -> Reals:
    """Maximise the likelihood by L-BFGS, the network in place; the precisions that were found.

    Args:
        precisions: to begin with, ln alpha and ln beta of each task, float64 ``[tasks, 2]``.
    """
    start = np.concatenate([network.parameters(), precisions.ravel()])
    count = len(start) - precisions.size
    bounds = [(None, None)] * count + list(_PRECISIONS) * len(tasks)
    found = minimize(
        lambda numbers: objective(network, tasks, numbers),
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": steps},
    )
    network.set_parameters(found.x[:count])
    return np.asarray(found.x[count:].reshape(-1, 2))


class Ablr:
    """The regression as a surrogate: earlier runs are tasks that have trained the features.

    Three layers of ``width`` tanh on one-hot decisions, as published. What is learned from earlier
    runs is learned once; each ``fit`` begins there and trains all tasks and this one together for
    a few steps more.
    """

    def __init__(self, sizes: Sequence[int], *, width: int = 50, steps: int = 30) -> None:
        """``steps`` of L-BFGS for each fit; what earlier runs teach gets five times as many."""
        self._encoding = OneHot(sizes)
        self._widths = (width,) * 3
        self._steps = steps
        self._past: list[Task] = []
        self._network = self._fresh()
        self._start = self._network.parameters()
        self._learned = self._precisions = np.empty((0, 2))
        self._inputs: Reals = np.empty((0, self._encoding.groups[0]))
        self._rewards: Reals = np.empty(0)

    def learn_from(self, past: Sequence[PastScores]) -> None:
        """Train the features on what earlier runs have found."""
        self._network = self._fresh()
        self._past = [Task(self._features(rows), scores) for rows, scores in past]
        if self._past:
            begin = np.tile([0.0, log(10.0)], (len(past), 1))
            self._learned = train(self._network, self._past, begin, 5 * self._steps)
        self._start = self._network.parameters()

    def fit(self, rows: Integers, rewards: Reals) -> None:
        """Train on all tasks, this one last; it may have no rows yet."""
        self._inputs, self._rewards = self._features(rows), rewards
        self._network.set_parameters(self._start)
        own = np.array([[0.0, log(10.0)]])
        self._precisions = np.vstack([self._learned, own])
        if len(rows):
            tasks = [*self._past, Task(self._inputs, rewards)]
            self._precisions = train(self._network, tasks, self._precisions, self._steps)

    def update(self, rows: Integers, rewards: Reals) -> None:
        """Take in further rows; the features are kept."""
        self._inputs = np.vstack([self._inputs, self._features(rows)])
        self._rewards = rewards

    def posterior(self, rows: Integers) -> LinearPosterior:
        """What it believes of these rows."""
        found = self._regressed()
        features = self._network(self._features(rows)).numpy()
        return LinearPosterior(features, found.mean, found.factor, 1 / found.alpha)

    def _regressed(self) -> Regression:
        alpha, beta = self._precisions[-1].tolist()
        return regressed(self._network(self._inputs).numpy(), self._rewards, alpha, beta)

    def _features(self, rows: Integers) -> Reals:
        """One-hot decisions as 0 and 1."""
        return self._encoding.features(rows) * sqrt(len(self._encoding.sizes))

    def _fresh(self) -> TanhNetwork:
        return TanhNetwork(self._encoding.groups[0], self._widths, seed=0)
