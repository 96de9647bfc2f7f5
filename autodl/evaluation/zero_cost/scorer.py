"""Scoring architectures: each by a network of its own, all on the same batch and seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from autodl.config.components import make_part
from autodl.evaluation.zero_cost.score import Examples, Score
from autodl.networks.network import PlanNetwork
from autodl.plans.plan import Plan, with_outputs
from autodl.recipes.options import TrainOptions
from autodl.spaces.codec import Architecture
from autodl.tasks.task import Task
from autodl.training.device import compute_clock
from autodl.trial import Evaluation, TrialFailure


class Scorer:
    """Plan -> its scores by name."""

    def __init__(self, task: Task, names: Sequence[str], batch_size: int, seed: int) -> None:
        """Draw the batch that all networks are shown.

        Args:
            names: of the catalogue of scores.
            batch_size: examples; all there are, if there are fewer.
            seed: of the batch, and of the first weights of every network.

        Raises:
            DataError: the task has one example to train on.
        """
        parts = {name: make_part("Score", {"name": name}) for name in names}
        self._scores: dict[str, Score] = {
            name: part.factory()(**part.arguments()) for name, part in parts.items()
        }
        self._examples = Examples.of(task, batch_size, seed)
        self._seed = seed

    def __call__(self, plan: Plan) -> dict[str, float]:
        """Each score of a network of this plan, minus infinity where there is none to give.

        Raises:
            TrialFailure: a score is not for such a network.
        """
        return {name: self._score(score, plan) for name, score in self._scores.items()}

    def _score(self, score: Score, plan: Plan) -> float:
        network = PlanNetwork(with_outputs(plan, 1) if score.single_output else plan, self._seed)
        network.train()
        return score(network, self._examples)


class ZeroCost:
    """Reward = a score of the network with its first weights.

    Nothing is drawn from a trial's own generator: the same architecture has the same reward in
    every trial on the same machine.
    """

    def __init__(
        self,
        task: Task,
        make_plan: Callable[[Architecture], Plan],
        train: TrainOptions,
        *,
        scores: Sequence[str],
        batch_size: int,
        seed: int,
    ) -> None:
        """Draw the batch.

        Args:
            train: not read, since nothing is trained.
            scores: names; the first is the reward, each is a metric.
            batch_size, seed: see ``Scorer``.
        """
        self._make_plan = make_plan
        self._scorer = Scorer(task, scores, batch_size, seed)

    def __call__(self, architecture: Architecture, rng: np.random.Generator) -> Evaluation:
        """Score an architecture.

        Raises:
            TrialFailure: a score is not for its network, or the first one tells nothing of it.
        """
        start, clock = time.perf_counter(), compute_clock()
        began = clock()
        plan = self._make_plan(architecture)
        scores = self._scorer(plan)
        first = next(iter(scores))
        if not np.isfinite(scores[first]):
            raise TrialFailure(f"its {first} is {scores[first]}")
        metrics = {
            **{name: value for name, value in scores.items() if np.isfinite(value)},
            "parameters": plan.parameters,
            "macs": plan.macs,
            "seconds": time.perf_counter() - start,
            "compute_seconds": clock() - began,
        }
        return Evaluation(scores[first], metrics)
