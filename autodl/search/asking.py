"""Asking a strategy for proposals, and again for those that are over a hard limit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodl.errors import ConfigError, UnknownNameError
from autodl.spaces.codec import Architecture
from autodl.strategies.strategy import BatchStrategy, Breeder, Child, Exhausted, Strategy

Costs = Callable[[Architecture], Mapping[str, float]]
_ATTEMPTS = 1000
_NO_MORE = "the strategy has nothing more to propose"


class Limits:
    """The highest costs that an architecture may have, known before any training.

    Args:
        costs: architecture -> its costs by name.
        highest: name -> what is still allowed.
        sample: draws from the whole space, for proposals of a strategy that finds nothing within
            the limits.
    """

    def __init__(
        self,
        costs: Costs,
        highest: Mapping[str, float],
        sample: Callable[[np.random.Generator], Architecture] | None = None,
    ) -> None:
        self._costs = costs
        self._highest = highest
        self._unknown = "the evaluator does not tell it"
        self.sample = sample

    def excess(self, architecture: Architecture) -> dict[str, float]:
        """The costs that are over their limit; infinite where they cannot be predicted."""
        try:
            costs = self._costs(architecture)
        except UnknownNameError as error:  # a layer that the latency table does not have
            self._unknown = str(error)
            costs = {}
        told = {name: costs.get(name, math.inf) for name in self._highest}
        return {name: told[name] for name, most in self._highest.items() if told[name] > most}

    def refusal(self, tried: int, smallest: Mapping[str, float]) -> ConfigError:
        """What to say when none of ``tried`` architectures was within all limits."""
        found = [
            f"{name} <= {self._highest[name]:g} (smallest found over it: {value:g})"
            for name, value in smallest.items()
            if math.isfinite(value)
        ]
        if not found:
            return ConfigError(
                f"none of {tried} architectures is within Objectives.limits:"
                f" {', '.join(smallest)} could be predicted of none; {self._unknown}"
            )
        return ConfigError(
            f"none of {tried} architectures is within Objectives.limits: {', '.join(found)};"
            " raise the limit or choose a smaller Network or Space"
        )


@dataclass(frozen=True, slots=True)
class Answers:
    """What a strategy has proposed; ``ended`` says why not more, empty if it was all asked for."""

    children: list[Child[Any]]
    ended: str = ""


def ask_all(strategy: Strategy, rngs: Sequence[np.random.Generator]) -> Answers:
    """What the strategy proposes, as far as it gets."""
    children: list[Child[Any]] = []
    try:
        if isinstance(strategy, Breeder):
            children.extend(map(strategy.breed, rngs))
        elif isinstance(strategy, BatchStrategy) and rngs:
            children.extend(map(Child, strategy.ask_batch(rngs)))
        else:
            children.extend(Child(strategy.ask(rng)) for rng in rngs)
    except Exhausted as end:
        return Answers(children, str(end) or _NO_MORE)
    return Answers(children, _NO_MORE if len(children) < len(rngs) else "")


def ask_within(
    strategy: Strategy, seed: int, ids: Sequence[int], limits: Limits | None = None
) -> Answers:
    """A proposal for every id, or fewer when the strategy has no more.

    Proposal ``i`` draws from ``default_rng((seed, i, 0))``. One over a limit is asked for again,
    with ``(seed, i, 2, attempt)``, and the strategy is never told of it. A strategy may have
    learned to propose nothing else: after 1,000 attempts at a proposal it is the first within the
    limits that the whole space gives, drawn from ``(seed, i, 3, attempt)``.

    Raises:
        ConfigError: of 1,000 attempts at a proposal, and then 1,000 draws, none was within.
    """
    first = ask_all(strategy, _generators(seed, ids, (0,)))
    if limits is None:
        return first
    found = dict(zip(ids, first.children, strict=False))
    again, smallest = list(found), dict[str, float]()
    for attempt in range(1, _ATTEMPTS + 1):
        excess = {i: over for i in again if (over := limits.excess(found[i].architecture))}
        if not excess:
            return Answers(list(found.values()), first.ended)
        for over in excess.values():
            _lower(smallest, over)
        again = list(excess)
        answers = ask_all(strategy, _generators(seed, again, (2, attempt)))
        if not answers.children:  # it has no more: what came before the first gap is left
            before = list(found).index(again[0])
            return Answers(list(found.values())[:before], answers.ended)
        found.update(zip(again, answers.children, strict=False))
    found.update((i, Child(_draw_within(limits, seed, i, smallest))) for i in again)
    return Answers(list(found.values()), first.ended)


def _draw_within(
    limits: Limits, seed: int, trial_id: int, smallest: dict[str, float]
) -> Architecture:
    """The first architecture of the whole space that is within the limits.

    Raises:
        ConfigError: of 1,000 none was, or the space cannot be drawn from.
    """
    if limits.sample is None:
        raise limits.refusal(_ATTEMPTS, smallest)
    for attempt in range(1, _ATTEMPTS + 1):
        architecture = limits.sample(np.random.default_rng((seed, trial_id, 3, attempt)))
        if not (over := limits.excess(architecture)):
            return architecture
        _lower(smallest, over)
    raise limits.refusal(2 * _ATTEMPTS, smallest)


def keep_within(
    architectures: Iterable[Architecture], limits: Limits | None, *, more_to_come: bool = False
) -> Iterator[Architecture]:
    """Those within the limits.

    Args:
        more_to_come: whether the strategy can be asked for others; then none may be left.

    Raises:
        ConfigError: there were some, none is left, and no more are to come.
    """
    if limits is None:
        yield from architectures
        return
    kept, refused, smallest = 0, 0, dict[str, float]()
    for architecture in architectures:
        if over := limits.excess(architecture):
            refused += 1
            _lower(smallest, over)
        else:
            kept += 1
            yield architecture
    if refused and not kept and not more_to_come:
        raise limits.refusal(refused, smallest)


def _lower(smallest: dict[str, float], over: Mapping[str, float]) -> None:
    for name, value in over.items():
        smallest[name] = min(value, smallest.get(name, value))


def _generators(
    seed: int, ids: Iterable[int], stream: tuple[int, ...]
) -> list[np.random.Generator]:
    return [np.random.default_rng((seed, i, *stream)) for i in ids]
