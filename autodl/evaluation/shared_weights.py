"""Scores an architecture by the weights that it has in a trained supernet."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import paddle

from autodl.errors import DataError
from autodl.plans.plan import Plan
from autodl.recipes.options import TrainOptions
from autodl.spaces.codec import Architecture
from autodl.supernets.single_path.folder import load_supernet
from autodl.supernets.single_path.statistics import estimate_statistics
from autodl.tasks.task import Drawing, Task
from autodl.training.device import compute_clock
from autodl.training.goal import final_score
from autodl.trial import Evaluation


class SharedWeights:
    """Reward = the task's metric on the held-out examples, with weights of a supernet.

    Each architecture is measured on a copy of its weights, whose batch-norm statistics are
    estimated anew, on the same training examples for all: those of the supernet are of all
    architectures. Nothing is drawn from a trial's generator and the supernet does not change, so
    the same architecture has the same reward in every order.

    Source: Guo et al., Single Path One-Shot Neural Architecture Search, ECCV 2020, section 3.4.
    """

    def __init__(
        self,
        task: Task,
        make_plan: Callable[[Architecture], Plan],
        train: TrainOptions,
        *,
        run: Path,
        batches: int,
        batch_size: int,
        seed: int,
    ) -> None:
        """Load the supernet and draw the batches.

        Args:
            train: not read, since nothing is trained.
            run: folder of the supernet's training.
            batches, batch_size, seed: of the training examples for statistics.

        Raises:
            AutoDLError: see ``load_supernet``.
            DataError: the task has one example to train on.
        """
        self._task = task
        self._supernet = load_supernet(run, task, make_plan)
        drawn = task.batches("train", batch_size, Drawing(np.random.default_rng((seed, 0))))
        first = list(islice(drawn, batches))
        if len(first[0]) < 2:
            raise DataError(
                f"statistics are of several {task.examples}, and there is only one to train on"
            )
        self._batches = [paddle.to_tensor(batch.inputs) for batch in first]

    def __call__(self, architecture: Architecture, rng: np.random.Generator) -> Evaluation:
        """Measure an architecture.

        Raises:
            ConfigError: it is not of the supernet's space.
            TrialFailure: the held-out loss is not finite.
        """
        start, clock = time.perf_counter(), compute_clock()
        began = clock()
        network = self._supernet.alone(self._supernet.space.encode(architecture))
        estimate_statistics(network, self._batches)
        held_out, metric = final_score(network, self._task, "held_out"), self._task.metric
        metrics = {
            "held_out_loss": held_out.loss,
            "parameters": network.plan.parameters,
            "macs": network.plan.macs,
            "seconds": time.perf_counter() - start,
            "compute_seconds": clock() - began,
        }
        if not metric.higher_is_better:  # then it is not the reward
            metrics[f"held_out_{metric.name}"] = held_out.value
        return Evaluation(metric.reward(held_out.value), metrics)
