"""Scores an architecture by training it and measuring it on the held-out pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from autodl.data.load import SearchData
from autodl.networks.network import PlanNetwork
from autodl.options.training import TrainOptions
from autodl.spaces.codec import Architecture
from autodl.spaces.plan import Plan
from autodl.state import decode_state, encode_state
from autodl.training.metrics import final_score
from autodl.training.trainer import Trainer
from autodl.trial import Evaluation, Stage


class TrainEvaluator:
    """Reward = accuracy on the held-out split after the last epoch that was run.

    Every trial of a run is scored on the same pictures, none of which it trained on; early
    stopping looks at the training loss alone. The same generator gives the same reward on the
    same machine.
    """

    def __init__(
        self, data: SearchData, make_plan: Callable[[Architecture], Plan], options: TrainOptions
    ) -> None:
        self._data = data
        self._make_plan = make_plan
        self._options = options

    def __call__(self, architecture: Architecture, rng: np.random.Generator) -> Evaluation:
        """Train the architecture's network from scratch and measure it.

        Raises:
            TrialFailure: the training loss or the held-out loss is not finite.
        """
        return self._evaluate(architecture, rng, Stage(self._options.epochs))[0]

    def stage(
        self, architecture: Architecture, rng: np.random.Generator, stage: Stage
    ) -> Evaluation:
        """Train up to ``stage.epochs``, under the schedule of the full training, and measure.

        Raises:
            TrialFailure: the training loss or the held-out loss is not finite.
            CheckpointError: the checkpoint is of another network.
        """
        evaluation, trainer = self._evaluate(architecture, rng, stage)
        return replace(evaluation, checkpoint=encode_state(trainer.state()))

    def _evaluate(
        self, architecture: Architecture, rng: np.random.Generator, stage: Stage
    ) -> tuple[Evaluation, Trainer]:
        start = time.perf_counter()
        plan = self._make_plan(architecture)
        seed = int(rng.integers(2**31))
        network = PlanNetwork(plan, seed)
        trainer = Trainer(network, self._data.train, self._data.normalisation, self._options, seed)
        if stage.checkpoint:
            trainer.restore(decode_state(stage.checkpoint))
        before = sum(epoch["seconds"] for epoch in trainer.curve)
        stopped = trainer.fit(until=stage.epochs)
        began = time.perf_counter()
        held_out = final_score(network, self._data.held_out, self._data.normalisation)
        end = time.perf_counter()
        compute = sum(epoch["compute_seconds"] for epoch in trainer.curve) + end - began
        last = trainer.curve[-1]
        evaluation = Evaluation(
            reward=held_out.accuracy,
            metrics={
                "held_out_loss": held_out.loss,
                "train_loss": last["loss"],
                "train_accuracy": last["accuracy"],
                "epochs": last["epoch"],
                "stopped_early": float(bool(stopped)),
                "parameters": plan.parameters,
                "macs": plan.macs,
                "seconds": before + end - start,
                "compute_seconds": compute,
            },
            curve=tuple(trainer.curve),
            fidelity=min(stage.epochs / self._options.epochs, 1.0),
        )
        return evaluation, trainer
