"""Evaluating one proposal: whatever happens in it becomes a result."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from autodl.errors import AutoDLError
from autodl.spaces.codec import Architecture
from autodl.system.roles import Role
from autodl.trial import Evaluation, Stage, Trial, TrialFailure, TrialState


@runtime_checkable
class Evaluator(Role, Protocol):
    """Gives an architecture its reward."""

    def __call__(self, architecture: Architecture, rng: np.random.Generator) -> Evaluation:
        """Evaluate; all randomness comes from ``rng``.

        Raises:
            TrialFailure: the architecture gives no reward, for the reason it names. Any other
                exception fails the trial as well, with its traceback.
        """
        ...


@runtime_checkable
class Priced(Role, Protocol):
    """An evaluator that trains nothing and can tell costs of an architecture beforehand."""

    def costs(self, architecture: Architecture) -> Mapping[str, float]:
        """Costs by name, such as ``macs``."""
        ...


@runtime_checkable
class OfOneKind(Role, Protocol):
    """An evaluator that knows nothing but architectures of one kind."""

    @property
    def kind(self) -> str:
        """The ``kind`` of their JSON objects."""
        ...


@runtime_checkable
class StagedEvaluator(Evaluator, Protocol):
    """An evaluator that can stop on the way and go on later; ``Fidelity`` needs one."""

    def stage(
        self, architecture: Architecture, rng: np.random.Generator, stage: Stage
    ) -> Evaluation:
        """Evaluate up to ``stage.epochs``; the result has a checkpoint to go on from.

        However an evaluation is cut into stages, the last one gives what calling gives. The
        generator is in the same state at the start of each stage.

        Raises:
            TrialFailure: as when called; CheckpointError: the checkpoint is of another network.
        """
        ...


def evaluate(
    evaluator: Evaluator, architecture: Architecture, rng: np.random.Generator, stage: Stage | None
) -> Evaluation:
    """Evaluate, or only a stage.

    Raises:
        TrialFailure: the evaluator's, or it knows no stages.
    """
    if stage is None:
        return evaluator(architecture, rng)
    if isinstance(evaluator, StagedEvaluator):
        return evaluator.stage(architecture, rng, stage)
    raise TrialFailure("the evaluator cannot stop on the way; leave out section Fidelity")


def evaluate_trial(
    evaluator: Evaluator,
    trial_id: int,
    architecture: Architecture,
    seed: int,
    stage: Stage | None = None,
) -> Trial:
    """Evaluate a proposal with ``default_rng((seed, trial_id, 1))``; never raises an Exception.

    A reward that is not finite is a failure, and so is a result that is no ``Evaluation``. The
    trial is COMPLETE also after a ``stage`` of it: what becomes of it is not decided here.
    """
    start = time.perf_counter()
    reason, trace, evaluation = "", "", None
    rng = np.random.default_rng((seed, trial_id, 1))
    try:
        evaluation = _plain(evaluate(evaluator, architecture, rng, stage))
    except TrialFailure as failure:
        reason = _one_line(failure) or "the evaluator gave no reason"
    except (Exception, SystemExit) as error:  # whatever made it fail, a failed trial is a result
        message = _one_line(error)
        known = isinstance(error, AutoDLError) and message
        reason = message if known else f"{type(error).__name__}: {message}"
        trace = traceback.format_exc()
    return Trial(
        id=trial_id,
        architecture=architecture,
        state=TrialState.FAILED if evaluation is None else TrialState.COMPLETE,
        evaluation=evaluation,
        reason=reason[:500],
        traceback=trace,
        seconds=time.perf_counter() - start,
    )


def _plain(evaluation: object) -> Evaluation:
    """The evaluation with Python's own numbers, which every store and report can hold."""
    if not isinstance(evaluation, Evaluation):
        raise TypeError(f"an evaluator returns an Evaluation, got {type(evaluation).__name__}")
    reward = float(evaluation.reward)
    if not math.isfinite(reward):
        raise TrialFailure(f"the reward is {reward}")
    return Evaluation(
        reward,
        {name: float(value) for name, value in evaluation.metrics.items()},
        tuple({k: float(v) for k, v in epoch.items()} for epoch in evaluation.curve),
        float(evaluation.fidelity),
        bytes(evaluation.checkpoint),
    )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
