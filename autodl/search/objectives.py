"""What a search is after: accuracy, and costs that are minimised, traded off or limited.

Costs are metrics of an evaluation by name; those that the plan of a network tells
(``parameters``, ``macs``, and ``latency_ms`` where there is a table) are known before training.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from autodl.search.asking import Costs
from autodl.search.evaluate import Evaluator, evaluate
from autodl.search.options import CostTerm, ObjectivesOptions
from autodl.spaces.codec import Architecture
from autodl.trial import ACCURACY, Evaluation, Stage, TrialFailure

Term: TypeAlias = tuple[float, float] | tuple[float, float, float]


def scalarised(accuracy: float, costs: Mapping[str, float], terms: Mapping[str, Term]) -> float:
    """``accuracy * product((cost / target) ** exponent)``: higher is better.

    Below 0, as the negative of an error is, it is divided by the product instead, so that a higher
    cost makes it lower there, too.

    Args:
        terms: name of a cost -> its target, above 0, its exponent, 0 or below, and, where that
            is not the same, its exponent up to the target.

    A cost of 0 counts as the smallest positive number, so that the reward stays finite.
    Source: Tan et al., MnasNet, CVPR 2019, equation 2 (soft: exponent -0.07; hard: -1, and 0 up to
    the target).
    """
    for name, (target, exponent, *below) in terms.items():
        ratio = max(costs[name] / target, sys.float_info.min)
        power = below[0] if below and ratio <= 1 else exponent
        accuracy *= float(ratio ** (power if accuracy >= 0 else -power))
    return accuracy


def objective_values(evaluation: Evaluation, options: ObjectivesOptions) -> tuple[float, ...]:
    """What fidelity rules and fronts compare, higher is better.

    The reward; where costs are minimised, the accuracy and then each cost negated.
    """
    if not options.minimise:
        return (evaluation.reward,)
    metrics = evaluation.metrics
    return (metrics[ACCURACY], *(-metrics[name] for name in options.minimise))


def untold(options: ObjectivesOptions, metrics: Mapping[str, float]) -> str:
    """What is wrong if an objective is not among the metrics of an evaluation, else nothing."""
    for name in (*options.minimise, *options.reward):
        if name not in metrics:
            return (
                f"Objectives names {name!r}, which the evaluator does not tell;"
                f" it tells {', '.join(sorted(metrics))}"
            )
    return ""


def _term(cost: CostTerm) -> Term:
    if cost.exponent_below is None:
        return cost.target, cost.exponent
    return cost.target, cost.exponent, cost.exponent_below


class ObjectiveEvaluator:
    """An evaluator whose reward is traded off against costs.

    Its metrics have the ``accuracy`` (the reward before that) and the costs known from the plan.

    Args:
        costs: architecture -> what is known before training; wins over metrics of that name.
    """

    def __init__(self, evaluator: Evaluator, options: ObjectivesOptions, costs: Costs) -> None:
        self._evaluator = evaluator
        self._options = options
        self._costs = costs
        self._terms = {name: _term(cost) for name, cost in options.reward.items()}

    def __call__(self, architecture: Architecture, rng: np.random.Generator) -> Evaluation:
        """Evaluate and trade off; the plan's costs come first, so that a fault costs no training.

        Raises:
            TrialFailure: the evaluator's, or a cost that it does not tell.
            UnknownNameError: the latency table does not have one of the layers.
        """
        costs = self._costs(architecture)
        return self._scored(costs, evaluate(self._evaluator, architecture, rng, None))

    def stage(
        self, architecture: Architecture, rng: np.random.Generator, stage: Stage
    ) -> Evaluation:
        """The same for a stage."""
        costs = self._costs(architecture)
        return self._scored(costs, evaluate(self._evaluator, architecture, rng, stage))

    def _scored(self, costs: Mapping[str, float], evaluation: Evaluation) -> Evaluation:
        metrics = {**evaluation.metrics, **costs, ACCURACY: evaluation.reward}
        if fault := untold(self._options, metrics):
            raise TrialFailure(fault)
        reward = scalarised(evaluation.reward, metrics, self._terms)
        return replace(evaluation, reward=reward, metrics=metrics)
