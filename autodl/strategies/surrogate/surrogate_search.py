"""Search by a surrogate: fit what was tried, believe, choose by an acquisition, try, repeat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, cast

import numpy as np

from autodl.spaces.codec import decode_text, encode_text
from autodl.spaces.rows import as_coded
from autodl.spaces.space import Arch, Coded, Integers, canonical_form
from autodl.strategies.options import SurrogateOptions
from autodl.strategies.strategy import Exhausted
from autodl.strategies.surrogate.acquisition import (
    hallucinated_deviation,
    improvement_beside,
    log_expected_improvement,
    positions_of_best,
    sobol_normals,
    upper_confidence_bound,
)
from autodl.strategies.surrogate.candidates import Candidates
from autodl.strategies.surrogate.models import MODELS
from autodl.strategies.surrogate.rewards import normal_scores, standardised
from autodl.strategies.surrogate.ridge import LinearPosterior
from autodl.strategies.surrogate.surrogate import Posterior, Reals, Surrogate
from autodl.trial import Architecture, Trial, TrialState

_DRAWS = 128
_ATTEMPTS = 1000
_DIGITS = 9
_REACH = 9.0  # three deviations: what is below the rest there will not win a draw
REWARDS: Mapping[str, Callable[[Reals], Reals]] = {
    "ranks": normal_scores,
    "standardised": standardised,
}


class SurrogateSearch(Generic[Arch]):
    """Bayesian optimisation over rows of decisions: a model, an acquisition, candidates.

    Until ``initial`` trials are complete, architectures are drawn from the space. From then on a
    surrogate is fitted to what is complete, and of the candidates the one with the highest
    acquisition is proposed that was not tried before, by canonical form. A FAILED trial is only
    not tried again, and so is a PRUNED one: its reward does not compare.

    Hyper-parameters are learned anew whenever a tenth more trials are known; between that, models
    are updated. Both follow from the trials told so far, so the state holds only these. The model
    is made when it is asked for: telling costs nothing.
    """

    batch_size: int | None = None

    def __init__(
        self,
        space: Coded[Arch],
        options: SurrogateOptions | None = None,
        *,
        seed: int = 0,
        make: Callable[[Coded[Arch]], Surrogate] | None = None,
    ) -> None:
        """``seed`` is there for the factory's sake: all randomness comes with ``ask``.

        Args:
            make: space -> the surrogate, in place of that which the options name.

        Raises:
            ConfigError: the space is not coded.
        """
        self._space: Coded[Arch] = as_coded(space, "Surrogate")
        self._options = options = options or SurrogateOptions()
        self._canonical = cast(Callable[[Arch], Arch], canonical_form(space))
        self._make = make or MODELS[options.model]
        self._candidates = Candidates(
            space.sizes,
            listed=options.listed,
            random=options.random,
            parents=options.parents,
            mutated=options.mutated,
        )
        self._rows: list[Integers] = []
        self._rewards: list[float] = []
        self._tried: dict[Arch, None] = {}  # canonical forms, in the order they were told
        self._told = 0
        self._model: tuple[Surrogate, int, int] | None = None  # fitted to, and updated to so many

    def ask(self, rng: np.random.Generator) -> Arch:
        """The most promising architecture that was not tried, or a random one at the start.

        Raises:
            Exhausted: every architecture of the space was tried.
        """
        return self.ask_where(rng, lambda architecture: True, ())

    def ask_where(
        self,
        rng: np.random.Generator,
        fits: Callable[[Architecture], bool],
        running: Sequence[Architecture],
    ) -> Arch:
        """The most promising that fits; see ``Choosy``.

        Raises:
            Exhausted: there is none that fits.
        """
        if len(self._rewards) < self._options.initial:
            return self._drawn(rng, fits)
        rows, rewards = np.array(self._rows), self._scaled(len(self._rewards))
        candidates = self._candidates(rows, rewards, rng)
        busy = [self._space.encode(cast(Arch, one)) for one in running]
        scores = self._scores(busy, candidates, rewards, rng)
        for position in positions_of_best(np.round(scores, _DIGITS), len(scores)):
            architecture: Arch = self._space.decode(candidates[position])
            if self._canonical(architecture) not in self._tried and fits(architecture):
                return architecture
        if self._candidates.complete:
            raise Exhausted("every architecture of the space was tried or is not allowed")
        return self._drawn(rng, fits)

    def tell(self, trial: Trial) -> None:
        """Remember a trial."""
        architecture = cast(Arch, trial.architecture)
        self._told += 1
        self._tried[self._canonical(architecture)] = None
        if trial.evaluation is not None and trial.state is TrialState.COMPLETE:
            self._rows.append(self._space.encode(architecture))
            self._rewards.append(trial.evaluation.reward)

    def diagnostics(self) -> Mapping[str, float]:
        """How many trials were told, and of how many the reward is learned from."""
        return {"update": self._told, "learned": len(self._rewards)}

    def state(self) -> dict[str, Any]:
        """The trials: rows and rewards of those that are learned from, texts of all forms."""
        return {
            "told": self._told,
            "rows": np.array(self._rows, np.int64).reshape(-1, len(self._space.sizes)),
            "rewards": np.array(self._rewards, np.float64),
            "tried": [encode_text(form) for form in self._tried],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that ``state()`` gave."""
        self._told = state["told"]
        self._rows = list(np.array(state["rows"], np.int64))
        self._rewards = np.asarray(state["rewards"]).tolist()
        self._tried = {cast(Arch, decode_text(text)): None for text in state["tried"]}
        self._model = None

    def _drawn(self, rng: np.random.Generator, fits: Callable[[Architecture], bool]) -> Arch:
        for _ in range(_ATTEMPTS):
            architecture: Arch = self._space.sample(rng)
            if self._canonical(architecture) not in self._tried and fits(architecture):
                return architecture
        raise Exhausted(f"of {_ATTEMPTS} random architectures none is new and allowed")

    def _scaled(self, count: int) -> Reals:
        return REWARDS[self._options.rewards](np.array(self._rewards[:count]))

    def _learned(self) -> Surrogate:
        """The surrogate of all that was told: as if it had been asked after every trial."""
        count = len(self._rewards)
        fitted = _last_fit(self._options.initial, count)
        if self._model is None or self._model[1] != fitted or self._model[2] > count:
            model = self._make(self._space)
            model.fit(np.array(self._rows[:fitted]), self._scaled(fitted))
            self._model = (model, fitted, fitted)
        model, _, known = self._model
        fresh = np.array(self._rows[known:], np.int64).reshape(-1, len(self._space.sizes))
        model.update(fresh, self._scaled(count))
        self._model = (model, fitted, count)
        return model

    def _scores(
        self, busy: list[Integers], candidates: Integers, rewards: Reals, rng: np.random.Generator
    ) -> Reals:
        """The acquisition of every candidate beside what is running, float64 ``[N]``."""
        rows = np.vstack([*busy, candidates]) if busy else candidates
        posterior = self._learned().posterior(rows)
        best, count = float(rewards.max()), len(busy)
        if self._options.acquisition == "thompson":
            return self._draw(posterior, rows, rng)[count:]
        if self._options.acquisition == "ucb":
            deviation = (
                hallucinated_deviation(posterior, count) if busy else np.sqrt(posterior.variance)
            )
            return upper_confidence_bound(posterior.mean[count:], deviation, self._options.beta)
        if busy:
            normals = sobol_normals(_DRAWS, count + 1, rng)
            return improvement_beside(posterior, count, best, normals)
        return log_expected_improvement(posterior.mean, np.sqrt(posterior.variance), best)

    def _draw(self, posterior: Posterior, rows: Integers, rng: np.random.Generator) -> Reals:
        """One joint draw over the most promising rows; minus infinity for all others."""
        if isinstance(posterior, LinearPosterior):  # draws of weights reach all rows
            return np.asarray(posterior.draw(rng, 1)[0])
        reach = upper_confidence_bound(posterior.mean, np.sqrt(posterior.variance), _REACH)
        chosen = positions_of_best(reach, self._options.shortlist)
        scores: Reals = np.full(len(rows), -np.inf)
        scores[chosen] = self._learned().posterior(rows[chosen]).draw(rng, 1)[0]
        return scores


def _last_fit(first: int, count: int) -> int:
    """Of ``first``, and each time a tenth and one more, the last that ``count`` has reached."""
    reached = first
    while (following := reached + 1 + reached // 10) <= count:
        reached = following
    return reached
