"""Local search: one decision changed at a time, and on from the first that is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, Generic

import numpy as np

from autodl.errors import ConfigError
from autodl.spaces.codec import decode_text, encode_text
from autodl.spaces.rows import as_coded
from autodl.spaces.space import Arch, Coded, canonical_form
from autodl.strategies.strategy import Exhausted, Fits
from autodl.strategies.surrogate.candidates import neighbours
from autodl.trial import Architecture, Trial, TrialState

_ATTEMPTS = 1000  # random starts


class LocalSearch(Generic[Arch]):
    """First improvement, with restarts.

    The neighbours of the current architecture, which differ from it in one decision (as it was
    written when it was told first), are proposed in random order; the first that is better becomes
    the current one. Where none is left, a random architecture is the next start. Rewards are
    remembered: of neighbours that are known already, the best is moved to without proposing it
    again, so a start near a known optimum ends there at once. A failed trial, or one that was not
    trained in full, counts as worse than all others.
    Neighbours that will not do, as those over a limit, are passed over; where none is left besides,
    there is a new start, too.

    Source: White, Nolen and Savani, UAI 2021 (arXiv:2005.02960), who take the first improvement and
    the best one to be about equally good.
    """

    batch_size: int | None = None

    def __init__(self, space: Coded[Arch], *, seed: int = 0) -> None:
        """``seed`` is there for the factory's sake; all randomness comes with ``ask``.

        Raises:
            ConfigError: the space has no rows, or one architecture only.
        """
        self._space: Coded[Arch] = as_coded(space, "LocalSearch")
        if max(space.sizes, default=1) < 2:
            raise ConfigError(
                "LocalSearch has nothing to vary in a space of one architecture; widen Space, or"
                " choose another Strategy"
            )
        self._canonical = canonical_form(space)
        self._rewards: dict[Architecture, float] = {}  # by canonical form
        self._told: dict[Architecture, Architecture] = {}  # each form as it was first written
        self._current: Architecture | None = None
        self._open: dict[Architecture, Arch] = {}  # neighbours that are not known, by their form
        self._fresh: set[Architecture] = set()  # starts while there were neighbours left over
        self._starts = 0

    def ask(self, rng: np.random.Generator) -> Arch:
        """A neighbour of the current architecture, or a new start."""
        return self.ask_where(rng, lambda architecture: True, ())

    def ask_where(
        self, rng: np.random.Generator, fits: Fits, running: Sequence[Architecture]
    ) -> Arch:
        """A neighbour of the current architecture that fits, or else a new start.

        Raises:
            Exhausted: of so many random architectures none fits.
        """
        left = list(self._open.values())
        while left:
            one = left.pop(int(rng.integers(len(left))))
            if fits(one):
                return one
        for _ in range(_ATTEMPTS):
            if fits(start := self._space.sample(rng)):
                if self._open:
                    self._fresh.add(self._canonical(start))
                return start
        raise Exhausted(f"none of {_ATTEMPTS} random architectures will do as a new start")

    def tell(self, trial: Trial) -> None:
        """Take in a trial, and go on from it if it is better, or the next start."""
        form = self._canonical(trial.architecture)
        complete = trial.state is TrialState.COMPLETE and trial.reward is not None
        reward = trial.reward if complete and trial.reward is not None else -inf
        starts = not self._open or form in self._fresh
        self._fresh.discard(form)
        self._open.pop(form, None)
        self._told.setdefault(form, trial.architecture)
        self._rewards[form] = max(reward, self._rewards.get(form, -inf))
        if reward == -inf:
            return
        if starts or self._current is None or reward > self._rewards[self._current]:
            self._starts += starts
            self._climb(form)

    def _climb(self, form: Architecture) -> None:
        """Go to an architecture, and on as far as rewards are known."""
        while True:
            self._current = form
            near = self._neighbours(self._told[form])
            known = [one for one in near if one in self._rewards]
            best = max(known, key=self._rewards.__getitem__, default=form)
            if self._rewards[best] <= self._rewards[form]:
                self._open = {one: near[one] for one in near if one not in self._rewards}
                return
            form = best

    def _neighbours(self, architecture: Architecture) -> dict[Architecture, Arch]:
        """By their forms; its own is none of them."""
        own = self._canonical(architecture)
        row = self._space.encode(self._space.check(architecture))
        found = (self._space.decode(near) for near in neighbours(row, self._space.sizes))
        forms = {self._canonical(one): one for one in found}
        return {form: one for form, one in forms.items() if form != own}

    def diagnostics(self) -> Mapping[str, float]:
        """How many trials were told, how many starts there were, and what is left around."""
        return {
            "update": len(self._rewards),
            "starts": self._starts,
            "unknown_neighbours": len(self._open),
        }

    def state(self) -> dict[str, Any]:
        """Every architecture's reward, the current one, how many starts there were, which run.

        Of a trial that is only told again, as those behind a run's last snapshot are, nobody knows
        that it was a start beside open neighbours: it is one if it is better.
        """
        current = "" if self._current is None else encode_text(self._told[self._current])
        return {
            "rewards": [[encode_text(self._told[f]), value] for f, value in self._rewards.items()],
            "current": current,
            "starts": self._starts,
            "fresh": sorted(encode_text(form) for form in self._fresh),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that ``state()`` gave."""
        self._rewards, self._told = {}, {}
        for text, reward in state["rewards"]:
            form = self._canonical(architecture := decode_text(text))
            self._told.setdefault(form, architecture)
            self._rewards[form] = max(reward, self._rewards.get(form, -inf))
        self._current, self._open = None, {}
        fresh = state.get("fresh", [])  # earlier: not kept
        self._fresh = {self._canonical(decode_text(text)) for text in fresh}
        self._starts = state["starts"]
        if state["current"]:
            self._climb(self._canonical(decode_text(state["current"])))
