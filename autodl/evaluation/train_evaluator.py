"""Scores an architecture by training it and measuring it on the held-out examples."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autodl.evaluation.inherit import inherit_weights
from autodl.networks.network import PlanNetwork
from autodl.plans.plan import Plan
from autodl.recipes.chosen import training_of
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import changes_of, recipe_of
from autodl.reparam.training_form import training_network
from autodl.spaces.codec import Architecture
from autodl.system.state import decode_state, encode_state
from autodl.tasks.pictures import PictureTask
from autodl.tasks.task import Task
from autodl.training.device import compute_clock
from autodl.training.fit import Trainer
from autodl.training.goal import final_score
from autodl.training.weights import load_arrays
from autodl.trial import Evaluation, Stage


class TrainEvaluator:
    """Reward = the task's metric on the held-out split after the last epoch that was run.

    Where a lower metric is better the reward is its negative, and the metrics have the value as
    well. Every trial of a run is scored on the same examples, none of which it trained on; early
    stopping looks at the training loss alone. The same generator gives the same reward on the
    same machine. While pictures grow (``Train.first_size``), those that measure have the size of
    the last epoch, as those that it was trained on, and a trial that goes on is the training that
    it would have been without a pause. Where architectures decide about that size, the early
    rewards of ``Fidelity`` are of pictures of different sizes. With a ``common_seed`` all trials
    see the examples in one order, changed in the same way, and networks of equal layers start
    alike, as do their layers in front of the first that differs: what tells two rewards apart is
    less by chance.
    """

    def __init__(
        self,
        task: Task,
        make_plan: Callable[[Architecture], Plan],
        train: TrainOptions,
        common_seed: int | None = None,
    ) -> None:
        self._task = task
        self._make_plan = make_plan
        self._options = train
        self._common_seed = common_seed

    def __call__(self, architecture: Architecture, rng: np.random.Generator) -> Evaluation:
        """Train the architecture's network from scratch and measure it.

        Raises:
            TrialFailure: the training loss or the held-out loss is not finite.
        """
        return self._evaluate(architecture, rng, Stage(self._options.epochs))

    def stage(
        self, architecture: Architecture, rng: np.random.Generator, stage: Stage
    ) -> Evaluation:
        """Train up to ``stage.epochs``, under the schedule of the full training, and measure.

        A child starts from what it inherits of its parent, if that has left a checkpoint
        (``autodl.evaluation.inherit``); with ``Train.inherit`` the metrics say how much that was.

        Raises:
            TrialFailure: the training loss or the held-out loss is not finite.
            CheckpointError: the checkpoint is of another network.
        """
        return self._evaluate(architecture, rng, stage, keep=True)

    def _evaluate(
        self, architecture: Architecture, rng: np.random.Generator, stage: Stage, keep: bool = False
    ) -> Evaluation:
        start = time.perf_counter()
        plan = self._make_plan(architecture)
        seed = int(rng.integers(2**31)) if self._common_seed is None else self._common_seed
        options = training_of(self._options, architecture)
        network = training_network(plan, options, seed)
        trainer = Trainer(network, self._task, recipe_of(options), seed)
        inherited = {"epochs": 0, "tensors": 0, "fraction": 0.0}
        if stage.checkpoint:
            state = decode_state(stage.checkpoint)
            trainer.restore(state)
            inherited = state.get("inherited", inherited)
        elif stage.parent:
            inherited = self._inherit(network, decode_state(stage.parent))
        before = trainer.seconds
        stopped = trainer.fit(until=stage.epochs)
        clock = compute_clock()
        began = clock()
        held_out = final_score(network, self._measured(options, len(trainer.curve)), "held_out")
        compute = (
            clock()
            - began
            + sum(
                epoch["compute_seconds"] + epoch.get("teacher_seconds", 0.0)
                for epoch in trainer.curve
            )
        )
        last, metric = trainer.curve[-1], self._task.metric
        metrics = {
            "held_out_loss": held_out.loss,
            "train_loss": last["loss"],
            f"train_{metric.name}": last[metric.name],
            "epochs": last["epoch"],
            "stopped_early": float(bool(stopped)),
            "parameters": plan.parameters,
            "macs": plan.macs,
            "seconds": before + time.perf_counter() - start,
            "compute_seconds": compute,
        }
        if not metric.higher_is_better:  # then it is not the reward
            metrics[f"held_out_{metric.name}"] = held_out.value
        if self._options.inherit:
            metrics |= {f"inherited_{name}": value for name, value in inherited.items()}
            metrics["effective_epochs"] = last["epoch"] + inherited["epochs"]
        state = {**trainer.state(), "inherited": inherited} if keep else {}
        return Evaluation(
            reward=metric.reward(held_out.value),
            metrics=metrics,
            curve=tuple(trainer.curve),
            fidelity=min(stage.epochs / self._options.epochs, 1.0),
            checkpoint=encode_state(state) if keep else b"",
        )

    def _measured(self, options: TrainOptions, epochs: int) -> Task:
        """The task as a network knows it that was trained for so many epochs."""
        if not isinstance(self._task, PictureTask):
            return self._task
        changes = changes_of(options)
        return self._task.shown_at(self._task.side(changes, epochs - 1, options.epochs))

    def _inherit(self, network: PlanNetwork, parent: Mapping[str, Any]) -> dict[str, float]:
        """Give a network its parent's weights; how much that was, and the epochs in them."""
        own = {name: value.numpy() for name, value in network.state_dict().items()}
        found = inherit_weights(parent["network"], own, resize_kernels=self._options.resize_kernels)
        load_arrays(network, found.weights)
        epochs = len(parent["curve"]) + parent["inherited"]["epochs"] if found.tensors else 0
        return {"epochs": epochs, "tensors": found.tensors, "fraction": found.fraction}
