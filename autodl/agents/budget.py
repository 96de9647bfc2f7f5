"""How fast an agent has to learn, by the number of trials that it has."""

from __future__ import annotations

from dataclasses import dataclass

from autodl.agents.options import AgentOptions

_FEW = 100  # trials up to which the learning rate is highest
_HIGHEST_RATE = 0.02
_UPDATES = 200  # at least, before batches grow
_LARGEST_BATCH = 10
_IMITATED = 5


@dataclass(frozen=True, slots=True)
class Learning:
    """What of ``AgentOptions`` may be left open, decided.

    ``waits`` is whether proposals wait for the batch before them.
    """

    batch_size: int
    learning_rate: float
    entropy_weight: float
    normalise: bool
    imitated: int
    waits: bool


def learning(options: AgentOptions, trials: int) -> Learning:
    """Decide on what the options leave open; whatever they say is kept.

    With a ``batch_size`` it is AutoDL Design as published: rate 1e-3, no entropy bonus, advantages
    as they are, nothing imitated. Without one it follows the number ``T`` of trials: batches of
    ``min(10, max(1, T // 200))``, Adam's rate ``0.02 min(1, sqrt(100 / T))``, advantages in running
    deviations, an entropy bonus of 0.03 and 5 trials imitated. Where a batch is one trial no
    proposal waits for others: workers are never idle.
    """
    follows = options.batch_size is None
    size = options.batch_size or min(_LARGEST_BATCH, max(1, trials // _UPDATES))
    rate = _HIGHEST_RATE * min(1.0, (_FEW / trials) ** 0.5) if follows else 1e-3
    return Learning(
        size,
        _or(options.learning_rate, rate),
        _or(options.entropy_weight, 0.03 if follows else 0.0),
        follows if options.normalise is None else options.normalise,
        int(_or(options.imitated, _IMITATED if follows else 0)),
        waits=not follows or size > 1,
    )


def _or(said: float | None, otherwise: float) -> float:
    return otherwise if said is None else said
