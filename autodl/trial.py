"""The words that all parts share: a trial, its state, and what evaluating it gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import isfinite
from typing import Any, Protocol

ACCURACY = "accuracy"  # the metric that costs are traded off with


class Architecture(Protocol):
    """What every space's architecture offers: an immutable, hashable value with a JSON form."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object with the keys ``kind`` and ``version``."""
        ...

    def __hash__(self) -> int: ...


class TrialState(str, Enum):
    """How far a trial has come; the last three are final."""

    PROPOSED = "PROPOSED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"  # trained in part; it may be promoted to go on
    PRUNED = "PRUNED"  # trained in part, and not worth more
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to the trial."""
        return self in (TrialState.PRUNED, TrialState.COMPLETE, TrialState.FAILED)


class TrialFailure(Exception):
    """Raised by an evaluator for an architecture that gives no reward, with the reason.

    ``remedy`` is what to change in the configuration, if anything is known to help; the message
    has both.
    """

    def __init__(self, reason: str = "", remedy: str = "") -> None:
        super().__init__(f"{reason}; {remedy}" if remedy else reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of an evaluation: train until ``epochs``, from a checkpoint or, if empty, afresh.

    A fresh start may inherit: ``parent`` is the checkpoint of the trial whose weights it takes
    over, as far as they fit, or empty.
    """

    epochs: int
    checkpoint: bytes = field(default=b"", repr=False)
    parent: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What evaluating an architecture gave.

    ``reward`` is finite and higher is better; ``metrics`` are further numbers (parameters,
    losses, seconds of each phase); ``curve`` has one mapping per epoch. ``fidelity``, above 0 and
    at most 1, is the part of the full evaluation that was run; after a stage, ``checkpoint`` is
    what the next one goes on from (see ``autodl.system.state``).
    """

    reward: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[Mapping[str, float], ...] = ()
    fidelity: float = 1.0
    checkpoint: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Trial:
    """One proposed architecture and what became of it.

    A COMPLETE trial has an evaluation, and so has one that is PAUSED or PRUNED: that of the
    epochs it was given. A FAILED one has a ``reason`` of one line and, where an exception was the
    cause, its ``traceback``; of one with a result the reason says whose was reused, if one was, and
    of a paused one why its stage was broken off; ``traceback`` of a pruned one, why it was twice.
    ``seconds`` is the evaluation's wall-clock time. ``broken_off`` is said, and not stored, of
    a FAILED one that was ended from outside: its worker died, or time was over.
    """

    id: int
    architecture: Architecture
    state: TrialState
    evaluation: Evaluation | None = None
    reason: str = ""
    traceback: str = ""
    seconds: float = 0.0
    broken_off: bool = field(default=False, compare=False)

    @property
    def reward(self) -> float | None:
        """The reward that was measured, at whatever fidelity; None without one."""
        return self.evaluation.reward if self.evaluation else None

    @property
    def fidelity(self) -> float:
        """The part of the full evaluation that was run, 0 without a result."""
        return self.evaluation.fidelity if self.evaluation else 0.0

    @property
    def reused(self) -> bool:
        """Whether the trial took over the result of another one, which its reason names."""
        return self.state.finished and self.evaluation is not None and bool(self.reason)

    def to_json(self) -> dict[str, Any]:
        """The trial as a JSON object, as reports print it."""
        return {
            "id": self.id,
            "state": self.state.value,
            "reward": self.reward,
            "fidelity": round(self.fidelity, 6),
            "architecture": self.architecture.to_json(),
            "seconds": round(self.seconds, 3),
            "reason": self.reason,
            "reused": self.reused,
            "metrics": _finite(self.evaluation.metrics) if self.evaluation else {},
        }


def _finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN and no infinity: None stands for them."""
    return {name: value if isfinite(value) else None for name, value in metrics.items()}
