"""The role of a strategy: it is asked for an architecture and told what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, runtime_checkable

import numpy as np

from autodl.spaces.space import Arch
from autodl.system.roles import Role
from autodl.trial import Architecture, Trial

Fits: TypeAlias = Callable[[Architecture], bool]
"""Whether a proposal will do: it is new, and within what is allowed."""


class Exhausted(Exception):
    """Raised by ``ask`` when a strategy has nothing more to propose; the search then ends.

    Its text says why, where that is not plain.
    """


@dataclass(frozen=True, slots=True)
class Child(Generic[Arch]):
    """A proposal and the trial it was mutated from, whose weights it may inherit.

    ``parent`` is None for one that descends from none.
    """

    architecture: Arch
    parent: int | None = None


@runtime_checkable
class Strategy(Role, Protocol):
    """Proposes architectures and learns from finished trials.

    A strategy owns no random state: proposal ``i`` of a run with seed ``s`` is asked for with
    ``default_rng((s, i, 0))``. Asking changes nothing; only telling does. Every trial is told
    exactly once, a failed one with reward None.
    """

    batch_size: int | None
    """Proposals ``k * batch_size`` and on are asked for once all trials before them are told,
    and trials are told in the order of their ids. None: asked whenever a worker is free, told
    in the order in which trials finish."""

    def ask(self, rng: np.random.Generator) -> Architecture:
        """Propose an architecture. All randomness comes from ``rng``.

        Raises:
            Exhausted: there is nothing more to propose.
        """
        ...

    def tell(self, trial: Trial) -> None:
        """Learn from a finished trial."""
        ...

    def state(self) -> dict[str, Any]:
        """All that telling has changed: numbers, texts, lists of them, and NumPy arrays."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that ``state()`` gave, here or in another process."""
        ...


@runtime_checkable
class BatchStrategy(Role, Protocol):
    """A strategy that proposes several architectures faster together than one by one."""

    def ask_batch(self, rngs: Sequence[np.random.Generator]) -> list[Architecture]:
        """One proposal for every generator, or fewer when there is nothing more to propose.

        The same as ``ask`` for each of them, up to float rounding of matrix products.
        """
        ...


@runtime_checkable
class Choosy(Role, Protocol):
    """A strategy that ranks candidates, and proposes the first of them that will do."""

    def ask_where(
        self, rng: np.random.Generator, fits: Fits, running: Sequence[Architecture]
    ) -> Architecture:
        """Propose an architecture that ``fits``.

        Args:
            running: what is being tried, or about to be, and not told yet.

        Raises:
            Exhausted: nothing that fits was found.
        """
        ...


@runtime_checkable
class Breeder(Role, Protocol):
    """A strategy whose proposals descend from trials."""

    @property
    def parents(self) -> frozenset[int]:
        """Ids of the trials that later proposals may still descend from."""
        ...

    def breed(self, rng: np.random.Generator) -> Child[Any]:
        """What ``ask`` proposes, and which of ``parents`` it descends from.

        Raises:
            Exhausted: there is nothing more to propose.
        """
        ...


@runtime_checkable
class Prepared(Role, Protocol):
    """A strategy that knows its first proposals before it is told anything."""

    def initial(self) -> Iterator[Architecture]:
        """What to propose before anything is asked for; stored whole, in one transaction."""
        ...


@dataclass(frozen=True, slots=True)
class PastRun:
    """A finished search of the same space: its name, and its complete trials by id.

    There is at least one, and not all rewards are equal; of other runs they may be on another
    scale.
    """

    name: str
    trials: tuple[Trial, ...]


@runtime_checkable
class Informed(Role, Protocol):
    """A strategy that learns from finished searches before its own first trial."""

    def learn_from(self, history: Sequence[PastRun]) -> None:
        """Take in a history, once: before anything is asked, told or restored.

        It is given anew when a run is resumed, so it is no part of ``state()``.
        """
        ...


@runtime_checkable
class Watchable(Role, Protocol):
    """A strategy with numbers worth watching."""

    def diagnostics(self) -> Mapping[str, float]:
        """Numbers of the latest update; ``update`` counts them from 1, 0 before the first."""
        ...
