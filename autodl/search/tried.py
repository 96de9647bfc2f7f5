"""What a search has proposed so far, so that nothing is tried twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from math import prod
from typing import Any

import numpy as np

from autodl.spaces.rows import listing
from autodl.spaces.space import Coded, Listed, Sampled, canonical_form
from autodl.trial import Architecture, Trial

_MOST_LISTED = 100_000  # architectures that are gone through for one that was not tried


class Tried:
    """The architectures of a search's proposals, finished or not, by canonical form.

    Args:
        space: of the search.
        repeat: whether what was tried may be proposed again; then nothing is kept but what runs.
    """

    def __init__(self, space: Any, *, repeat: bool = False) -> None:
        self.repeat = repeat
        self.sample: Callable[[np.random.Generator], Architecture] | None = (
            space.sample if isinstance(space, Sampled) else None
        )
        self._space = space
        self._canonical = canonical_form(space)
        self._forms = set[Architecture]()
        self._running = dict[int, Architecture]()

    @property
    def running(self) -> tuple[Architecture, ...]:
        """What was proposed and is not finished, in the order of proposals."""
        return tuple(self._running.values())

    def is_new(self, architecture: Architecture) -> bool:
        """Whether it may be proposed: it, or another way to write it, was not yet."""
        return self.repeat or self._canonical(architecture) not in self._forms

    def propose(self, trial_id: int, architecture: Architecture) -> None:
        """Take in a proposal."""
        self._running[trial_id] = architecture
        if not self.repeat:
            self._forms.add(self._canonical(architecture))

    def finish(self, trial_id: int) -> None:
        """Take in that a trial is finished."""
        self._running.pop(trial_id, None)

    def recover(self, trials: Iterable[Trial]) -> None:
        """Take in what a search has proposed before this start."""
        for trial in trials:
            self.propose(trial.id, trial.architecture)
            if trial.state.finished:
                self.finish(trial.id)

    def rest(self) -> list[Architecture] | None:
        """All that was not tried, in the order of the space; None if the space is too large."""
        listed = self._listed()
        return None if listed is None else [one for one in listed if self.is_new(one)]

    def _listed(self) -> Iterator[Architecture] | None:
        if isinstance(self._space, Coded):
            known = prod(self._space.sizes) <= _MOST_LISTED
            return listing(self._space, "Search.repeat=never") if known else None
        if isinstance(self._space, Listed):
            found = list(islice(self._space.architectures(), _MOST_LISTED + 1))
            return iter(found) if len(found) <= _MOST_LISTED else None
        return None
