"""Search by a surrogate: fit what was tried, believe, choose by an acquisition, try, repeat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, cast

import numpy as np

from autodl.errors import ConfigError
from autodl.spaces.codec import decode_text, encode_text
from autodl.spaces.rows import as_coded
from autodl.spaces.space import Arch, Coded, Integers, canonical_form
from autodl.strategies.options import SurrogateOptions
from autodl.strategies.strategy import Exhausted, Fits, PastRun
from autodl.strategies.surrogate.acquisition import (
    hallucinated_deviation,
    improvement_beside,
    log_expected_improvement,
    positions_of_best,
    sobol_normals,
    upper_confidence_bound,
)
from autodl.strategies.surrogate.candidates import Candidates, Ranking, Situation
from autodl.strategies.surrogate.fronts import Weighing
from autodl.strategies.surrogate.hypervolume import Volume
from autodl.strategies.surrogate.learner import Learner
from autodl.strategies.surrogate.models import MODELS, usual_acquisition
from autodl.strategies.surrogate.rewards import normal_scores, standardised
from autodl.strategies.surrogate.ridge import LinearPosterior
from autodl.strategies.surrogate.surrogate import (
    InformedSurrogate,
    PastScores,
    Posterior,
    Reals,
    Surrogate,
)
from autodl.strategies.surrogate.trees.ensemble import EnsemblePosterior
from autodl.trial import ACCURACY, Architecture, Evaluation, Trial, TrialState

_DRAWS = 128
_ATTEMPTS = 1000
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

    With ``pareto`` there is a surrogate for the accuracy and one for each of these costs, and each
    proposal is the best by a weighing of its own (``fronts.py``); the acquisition is then the
    expected improvement of what is weighed, or with ``ehvi`` that of the volume that the front
    dominates (``hypervolume.py``).

    What surrogates believe follows from the trials told so far (``Learner``), so the state holds
    only these. One that has learned from earlier runs needs no random trials to begin with.
    """

    batch_size: int | None = None

    def __init__(
        self,
        space: Coded[Arch],
        options: SurrogateOptions | None = None,
        *,
        seed: int = 0,
        make: Callable[[Coded[Arch]], Surrogate] | None = None,
        ranking: Ranking | None = None,
    ) -> None:
        """``seed`` is there for the factory's sake: all randomness comes with ``ask``.

        Args:
            make: space -> the surrogate, in place of that which the options name.
            ranking: where to look, in place of the candidates that the options describe.

        Raises:
            ConfigError: the space is not coded, or too large for the model.
        """
        self._space: Coded[Arch] = as_coded(space, "Surrogate")
        self._options = options = options or SurrogateOptions()
        self._acquisition = options.acquisition or usual_acquisition(space, options.model)
        self._canonical = cast(Callable[[Arch], Arch], canonical_form(space))
        self._make = make or MODELS[options.model]
        self._make(space)  # whether the space is for it is said here, not at the first fit
        self._learner = Learner(self._taught, REWARDS[options.rewards], options.initial)
        self._ranking = ranking or Candidates(
            space.sizes,
            listed=options.listed,
            random=options.random,
            parents=options.parents,
            mutated=options.mutated,
        )
        self._past: list[PastScores] = []
        self._rows: list[Integers] = []
        self._values: list[list[float]] = []  # reward, or accuracy and costs with a minus
        self._tried: dict[Arch, None] = {}  # canonical forms, in the order they were told
        self._told = 0

    def ask(self, rng: np.random.Generator) -> Arch:
        """The most promising architecture that was not tried, or a random one at the start.

        Raises:
            Exhausted: every architecture of the space was tried.
        """
        return self.ask_where(rng, lambda architecture: True, ())

    def ask_where(
        self, rng: np.random.Generator, fits: Fits, running: Sequence[Architecture]
    ) -> Arch:
        """The most promising that fits; see ``Choosy``.

        Raises:
            Exhausted: there is none that fits.
        """
        if len(self._values) < self._options.initial and not self._past:
            return self._drawn(rng, fits)
        rows = np.array(self._rows, np.int64).reshape(-1, len(self._space.sizes))
        values = np.array(self._values).reshape(len(rows), -1 if len(rows) else 1)
        weighing = Weighing(self._scale(values), rng) if self._options.pareto else None
        worth = self._scale(values)[:, 0] if weighing is None else weighing.known
        busy = [self._space.encode(cast(Arch, one)) for one in running]

        def score(asked: Integers) -> Reals:
            if weighing is None:
                return self._scores(rows, values, np.vstack([*busy, asked]), len(busy), rng)
            believed = self._learner.posteriors(rows, values, asked)
            if self._acquisition == "ehvi":
                return self._volume(rows, values, busy).improvement(believed)
            return weighing.improvement(believed, sobol_normals(_DRAWS, values.shape[1], rng))

        model = self._learner.models(rows, values)[0]
        situation = Situation(model, score, (rows, worth), self._past)
        for row in self._ranking.ranked(situation, rng):
            architecture: Arch = self._space.decode(row)
            if self._canonical(architecture) not in self._tried and fits(architecture):
                return architecture
        if self._ranking.complete:
            raise Exhausted("every architecture of the space was tried or is not allowed")
        return self._drawn(rng, fits)

    def learn_from(self, history: Sequence[PastRun]) -> None:
        """Begin with what earlier runs have found; rewards are scaled run by run.

        Raises:
            ConfigError: this strategy's model learns nothing from them.
        """
        if self._options.pareto or not isinstance(self._make(self._space), InformedSurrogate):
            raise ConfigError(
                "Search.history teaches this Strategy nothing: it has costs in pareto, or a model"
                " that learns from one run alone; leave the history out, or name a Strategy that"
                " learns from it (Surrogate with model: gp, MetaBO, LatentFactors, Ablr)"
            )
        scale = REWARDS[self._options.rewards]
        self._past = [
            (
                np.array([self._space.encode(cast(Arch, one.architecture)) for one in run.trials]),
                scale(np.array([one.reward for one in run.trials], np.float64)),
            )
            for run in history
        ]
        self._learner.forget()

    def tell(self, trial: Trial) -> None:
        """Remember a trial.

        Raises:
            ConfigError: its evaluation lacks a cost that ``pareto`` names.
        """
        architecture = cast(Arch, trial.architecture)
        self._told += 1
        self._tried[self._canonical(architecture)] = None
        if trial.evaluation is not None and trial.state is TrialState.COMPLETE:
            self._rows.append(self._space.encode(architecture))
            self._values.append(self._numbers(trial.evaluation))

    def diagnostics(self) -> Mapping[str, float]:
        """How many trials were told, and of how many the reward is learned from."""
        return {"update": self._told, "learned": len(self._values)}

    def state(self) -> dict[str, Any]:
        """The trials: rows and numbers of those that are learned from, texts of all forms."""
        return {
            "told": self._told,
            "rows": np.array(self._rows, np.int64).reshape(-1, len(self._space.sizes)),
            "values": [list(numbers) for numbers in self._values],
            "tried": [encode_text(form) for form in self._tried],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that ``state()`` gave."""
        self._told = state["told"]
        self._rows = list(np.array(state["rows"], np.int64))
        self._values = [list(numbers) for numbers in state["values"]]
        # brought into today's form: that of an earlier version may have been another
        forms = (self._canonical(cast(Arch, decode_text(text))) for text in state["tried"])
        self._tried = dict.fromkeys(forms)
        self._learner.forget()

    def _taught(self) -> Surrogate:
        """A surrogate that knows what earlier runs have found, if there are any."""
        model = self._make(self._space)
        if self._past and isinstance(model, InformedSurrogate):
            model.learn_from(self._past)
        return model

    def _drawn(self, rng: np.random.Generator, fits: Fits) -> Arch:
        for _ in range(_ATTEMPTS):
            architecture: Arch = self._space.sample(rng)
            if self._canonical(architecture) not in self._tried and fits(architecture):
                return architecture
        raise Exhausted(f"of {_ATTEMPTS} random architectures none is new and allowed")

    def _numbers(self, evaluation: Evaluation) -> list[float]:
        """What is learned of a trial, higher being better in each."""
        metrics = evaluation.metrics
        if not self._options.pareto:
            return [evaluation.reward]
        if missing := [name for name in self._options.pareto if name not in metrics]:
            raise ConfigError(
                f"Strategy.pareto names {missing[0]!r}, which the evaluator does not tell;"
                f" it tells {', '.join(sorted(metrics)) or 'no metrics'}"
            )
        costs = [-metrics[name] for name in self._options.pareto]
        return [metrics.get(ACCURACY, evaluation.reward), *costs]

    def _scores(
        self, rows: Integers, values: Reals, asked: Integers, busy: int, rng: np.random.Generator
    ) -> Reals:
        """The acquisition of all rows asked for beside the first ``busy`` ones, which are tried."""
        (model,) = self._learner.models(rows, values)
        posterior = model.posterior(asked)
        if self._acquisition == "thompson":
            return self._draw(model, posterior, asked, rng)[busy:]
        if self._acquisition == "ucb":
            deviation = (
                hallucinated_deviation(posterior, busy) if busy else np.sqrt(posterior.variance)
            )
            return upper_confidence_bound(posterior.mean[busy:], deviation, self._options.beta)
        best = float(self._scale(values).max()) if len(values) else 0.0
        if busy:
            normals = sobol_normals(_DRAWS, busy + 1, rng)
            return improvement_beside(posterior, busy, best, normals)
        return log_expected_improvement(posterior.mean, np.sqrt(posterior.variance), best)

    def _volume(self, rows: Integers, values: Reals, busy: Sequence[Integers]) -> Volume:
        """What the known trials, and those that are running, leave to be dominated."""
        scaled = self._scale(values)
        if not busy:
            return Volume(scaled, scaled[:0])
        expected = self._learner.posteriors(rows, values, np.array(busy))
        return Volume(scaled, np.stack([one.mean for one in expected], axis=1))

    def _draw(
        self, model: Surrogate, posterior: Posterior, asked: Integers, rng: np.random.Generator
    ) -> Reals:
        """One joint draw over the most promising rows; minus infinity for all others."""
        if isinstance(posterior, LinearPosterior | EnsemblePosterior):  # cheap for all rows
            return np.asarray(posterior.draw(rng, 1)[0])
        reach = upper_confidence_bound(posterior.mean, np.sqrt(posterior.variance), _REACH)
        chosen = positions_of_best(reach, self._options.shortlist)
        scores: Reals = np.full(len(asked), -np.inf)
        scores[chosen] = model.posterior(asked[chosen]).draw(rng, 1)[0]
        return scores

    def _scale(self, values: Reals) -> Reals:
        """Every column on the scale that surrogates learn it on."""
        return np.stack([REWARDS[self._options.rewards](one) for one in values.T], axis=1)
