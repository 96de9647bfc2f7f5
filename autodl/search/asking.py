"""Asking a strategy for proposals, and again for those that are over a hard limit or were tried."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from autodl.errors import ConfigError, UnknownNameError
from autodl.search.screening import Screen
from autodl.search.tried import Tried
from autodl.spaces.codec import Architecture
from autodl.strategies.strategy import (
    BatchStrategy,
    Breeder,
    Child,
    Choosy,
    Exhausted,
    Strategy,
)

Costs = Callable[[Architecture], Mapping[str, float]]
_ATTEMPTS = 1000
_REPEATS = 100  # answers that were tried, before the space is drawn from
_AT_A_TIME = 32
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
    strategy: Strategy,
    seed: int,
    ids: Sequence[int],
    limits: Limits | None = None,
    tried: Tried | None = None,
    screen: Screen | None = None,
) -> Answers:
    """A proposal for every id, or fewer when the strategy has no more.

    Proposal ``i`` draws from ``default_rng((seed, i, 0))``. One that is over a limit, or was tried,
    is asked for again, with ``(seed, i, 2, attempt)``, and the strategy is never told of it. A
    strategy may have learned to propose nothing else: after 1,000 attempts at what is within the
    limits, or 100 at what is new, a proposal is the first that will do of what the whole space
    gives, drawn from ``(seed, i, 3, attempt)``, and after 1,000 of these any of all that is left.
    A ``Choosy`` strategy is asked once, for what will do. Where there is a screen, the first
    ``patience`` proposals for an id that do not pass it are passed over as well; the next one is
    taken, whatever its rank.

    Proposals are settled in the order of ``ids``, so it makes no difference which are asked for
    together; ``tried`` knows them from then on.

    Raises:
        ConfigError: of 1,000 attempts at a proposal, and then 1,000 draws, none was within.
    """
    asker = _Asker(strategy, seed, limits, tried, screen)
    children: list[Child[Any]] = []
    try:
        if isinstance(strategy, Choosy):
            children.extend(asker.choose(strategy, trial_id) for trial_id in ids)
            return Answers(children)
        first = ask_all(strategy, _generators(seed, ids, (0,)))
        # a strategy may have less to propose than it was asked for
        children.extend(map(asker.settle, ids, first.children))
    except Exhausted as end:
        return Answers(children, str(end) or _NO_MORE)
    return Answers(children, first.ended)


class _Asker:
    """Asks for one proposal after the other until each is within the limits, and new."""

    def __init__(
        self,
        strategy: Strategy,
        seed: int,
        limits: Limits | None,
        tried: Tried | None,
        screen: Screen | None,
    ) -> None:
        self._strategy = strategy
        self._seed = seed
        self._limits = limits
        self._tried = tried
        self._screen = screen
        self._patience = 0  # left for the proposal that is settled
        self._smallest = dict[str, float]()  # of the costs over a limit
        self._refused = {"over": 0, "tried": 0}

    def choose(self, strategy: Choosy, trial_id: int) -> Child[Any]:
        """What a choosy strategy proposes.

        Raises:
            Exhausted: nothing will do.
        """
        (rng,) = _generators(self._seed, [trial_id], (0,))
        self._begin()
        running = self._tried.running if self._tried is not None else ()
        return self._known(trial_id, Child(strategy.ask_where(rng, self._fits, running)))

    def settle(self, trial_id: int, first: Child[Any]) -> Child[Any]:
        """The first answer of a strategy if it will do, else the next that will.

        Raises:
            Exhausted: the strategy has no more, or everything was tried.
            ConfigError: nothing is within the limits.
        """
        self._begin()
        for child in chain([first], self._again(trial_id)):
            if self._fits(child.architecture):
                return self._known(trial_id, child)
            if self._refused["over"] >= _ATTEMPTS or self._refused["tried"] >= _REPEATS:
                break
        return self._known(trial_id, Child(self._draw(trial_id)))

    def _begin(self) -> None:
        self._refused = {"over": 0, "tried": 0}
        self._patience = self._screen.patience if self._screen is not None else 0

    def _known(self, trial_id: int, child: Child[Any]) -> Child[Any]:
        if self._tried is not None:
            self._tried.propose(trial_id, child.architecture)
        return child

    def _fits(self, architecture: Architecture) -> bool:
        if self._limits is not None and (over := self._limits.excess(architecture)):
            _lower(self._smallest, over)
            self._refused["over"] += 1
            return False
        if self._tried is not None and not self._tried.is_new(architecture):
            self._refused["tried"] += 1
            return False
        if self._screen is not None and self._patience and not self._screen.passes(architecture):
            self._patience -= 1
            return False
        return True

    def _again(self, trial_id: int) -> Iterator[Child[Any]]:
        """Further answers; of a strategy that has them faster together, several at once."""
        attempt, count = 1, 1
        while True:
            streams = [(2, number) for number in range(attempt, attempt + count)]
            rngs = [np.random.default_rng((self._seed, trial_id, *stream)) for stream in streams]
            answers = ask_all(self._strategy, rngs)
            yield from answers.children
            if len(answers.children) < count:
                raise Exhausted(answers.ended)
            attempt += count
            if isinstance(self._strategy, BatchStrategy):
                count = min(2 * count, _AT_A_TIME)

    def _draw(self, trial_id: int) -> Architecture:
        """An architecture of the whole space that will do.

        Raises:
            ConfigError: none is within the limits, or the space cannot be drawn from.
            Exhausted: all that is within was tried.
        """
        sample = self._limits.sample if self._limits is not None else None
        if sample is None and self._tried is not None:
            sample = self._tried.sample
        attempts = _ATTEMPTS if sample is not None else 0
        for attempt in range(1, attempts + 1):
            rng = np.random.default_rng((self._seed, trial_id, 3, attempt))
            if sample is not None and self._fits(architecture := sample(rng)):
                return architecture
        if self._limits is not None and not self._refused["tried"]:
            raise self._limits.refusal(_ATTEMPTS + attempts, self._smallest)
        return self._left_over(trial_id)

    def _left_over(self, trial_id: int) -> Architecture:
        within = " within Objectives.limits" if self._limits is not None else ""
        rest = self._tried.rest() if self._tried is not None else None
        if rest is None:
            raise Exhausted(
                f"of {_ATTEMPTS} draws from the space{within} all were tried; set"
                " Search.repeat=allowed to go on"
            )
        if self._limits is not None:
            rest = [one for one in rest if not self._limits.excess(one)]
        if not rest:
            raise Exhausted(f"every architecture of the space{within} was tried")
        return rest[int(np.random.default_rng((self._seed, trial_id, 4)).integers(len(rest)))]


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
