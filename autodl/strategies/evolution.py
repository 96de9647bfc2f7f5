"""Evolution: mutate the best of a random draw; the worst of the draw, or the oldest, retires."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, cast

import numpy as np
from numpy.typing import NDArray

from autodl.errors import ConfigError
from autodl.objectives.dominance import preference, ranks
from autodl.spaces.codec import decode_text, encode_text
from autodl.spaces.rows import sampler, variation
from autodl.spaces.space import Arch, Sampled
from autodl.strategies.options import EvolutionOptions
from autodl.strategies.population_quality import Saturation, population_quality
from autodl.strategies.strategy import Child, Exhausted
from autodl.trial import ACCURACY, Evaluation, Trial, TrialState


@dataclass(frozen=True, slots=True)
class _Member(Generic[Arch]):
    """A complete trial in the population; ``fitness`` has a number for each objective."""

    id: int
    accuracy: float
    fitness: tuple[float, ...]
    architecture: Arch


class Evolution(Generic[Arch]):
    """Tournament evolution with a population of constant size, as in EAT-NAS.

    Random architectures are proposed until ``population`` trials are complete. From then on each
    proposal mutates the best of ``tournament`` members drawn at random; once its trial is complete
    it takes the place of the worst of the *same* members, whether it is better or not, or, with
    ``retire="oldest"``, of the member that entered first (aging evolution: Real et al., AAAI 2019).
    Best and worst are by reward; of equal members the latest trial is the best and the earliest
    the worst. With ``pareto`` they are by accuracy and these costs: the best is any of the drawn
    members that no other one of them dominates (not the least crowded, which would always be an end
    of the front), the worst the most crowded of the last rank (``autodl.objectives.dominance``).

    The members drawn for trial ``i`` are drawn again when it is told, from the same
    ``default_rng((seed, i, 0))``: the same places of the population. Where other trials were told
    in between, the worst of those that stand there by then retires. For a proposal that was asked
    for again, since the first was over a limit, they are the places drawn for the first.

    A FAILED trial changes nothing and is only counted, and so is a PRUNED one: a reward after a
    part of the training does not compare with those of whole ones, and what was not worth going on
    with would at best have entered as the next to retire. While the population fills, both are
    replaced by further random proposals.

    With ``patience``, ``ask`` ends the search once the best quality of the population (see
    ``population_quality``) has risen by less than ``least_gain`` in that many cycles; a cycle is a
    complete trial after the population is full.

    Source: Fang et al., EAT-NAS, arXiv:1901.05884.
    """

    batch_size: int | None = None

    def __init__(
        self, space: Sampled[Arch], options: EvolutionOptions | None = None, *, seed: int = 0
    ) -> None:
        """``seed`` is that of the run; without ``options`` all are the defaults.

        A space that does not mutate by itself, but is coded, has a decision of the row changed.

        Raises:
            ConfigError: the space cannot be drawn from, or its architectures cannot be varied.
        """
        self._sample: Callable[[np.random.Generator], Arch] = sampler(space, "Evolution")
        self._mutate: Callable[[Arch, np.random.Generator], Arch] = variation(space, "Evolution")
        self._seed = seed
        self._options = options or EvolutionOptions()
        self._members: list[_Member[Arch]] = []
        self._counts = {"told": 0, "entered": 0, "failed": 0, "pruned": 0}
        self._saturation = Saturation(self._options.patience, self._options.least_gain)

    @property
    def parents(self) -> frozenset[int]:
        """Ids of the trials that children may still be mutated from."""
        return frozenset(member.id for member in self._members)

    @property
    def _full(self) -> bool:
        return len(self._members) == self._options.population

    def ask(self, rng: np.random.Generator) -> Arch:
        """A random architecture while the population fills, then a mutation of a winner.

        Raises:
            Exhausted: the population's quality has stopped rising.
        """
        return self.breed(rng).architecture

    def breed(self, rng: np.random.Generator) -> Child[Arch]:
        """The same, and which trial it was mutated from.

        Raises:
            Exhausted: the population's quality has stopped rising.
        """
        if self._saturation.reached:
            raise Exhausted("the population's quality has stopped rising")
        if not self._full:
            return Child(self._sample(rng), None)
        parent = self._best(self._draw(rng), rng)
        return Child(self._mutate(parent.architecture, rng), parent.id)

    def tell(self, trial: Trial) -> None:
        """Take in a complete trial; count any other.

        Raises:
            ConfigError: its evaluation lacks a cost that ``pareto`` names.
        """
        self._counts["told"] += 1
        if trial.evaluation is None:
            self._counts["failed"] += 1
            return
        if trial.state is not TrialState.COMPLETE:
            self._counts["pruned"] += 1
            return
        member = self._member(trial, trial.evaluation)
        if self._full:
            self._members[self._place(trial.id)] = member
            if self._options.patience is not None:
                self._saturation.note(self._quality())
        else:
            self._members.append(member)
        self._counts["entered"] += 1

    def _member(self, trial: Trial, evaluation: Evaluation) -> _Member[Arch]:
        metrics = evaluation.metrics
        accuracy = metrics.get(ACCURACY, evaluation.reward)
        fitness: tuple[float, ...] = (evaluation.reward,)
        if costs := self._options.pareto:
            if missing := [name for name in costs if name not in metrics]:
                raise ConfigError(
                    f"Strategy.pareto names {missing[0]!r}, which the evaluator does not tell;"
                    f" it tells {', '.join(sorted(metrics)) or 'no metrics'}"
                )
            fitness = (accuracy, *(-metrics[name] for name in costs))
        return _Member(trial.id, accuracy, fitness, cast(Arch, trial.architecture))

    def _place(self, trial_id: int) -> int:
        """Where the member stands that retires."""
        if self._options.retire == "oldest":  # they entered in turn
            return self._counts["entered"] % self._options.population
        return self._worst(self._draw(np.random.default_rng((self._seed, trial_id, 0))))

    def _draw(self, rng: np.random.Generator) -> list[int]:
        """Places of the members of a tournament, the latest first."""
        options = self._options
        drawn = rng.choice(options.population, options.tournament, replace=False).tolist()
        return sorted(drawn, key=lambda place: -self._members[place].id)

    def _best(self, drawn: list[int], rng: np.random.Generator) -> _Member[Arch]:
        if not self._options.pareto:  # max and min return the first of equals
            return self._members[max(drawn, key=self._reward)]
        front = np.flatnonzero(ranks(self._values(drawn)) == 0)
        return self._members[drawn[int(rng.choice(front))]]

    def _worst(self, drawn: list[int]) -> int:
        if not self._options.pareto:
            return min(reversed(drawn), key=self._reward)
        return drawn[int(preference(self._values(drawn))[-1])]

    def _reward(self, place: int) -> float:
        return self._members[place].fitness[0]

    def _values(self, drawn: list[int]) -> NDArray[np.float64]:
        return np.array([self._members[place].fitness for place in drawn])

    def _quality(self) -> float:
        options = self._options
        accuracies = [member.accuracy for member in self._members]
        return population_quality(
            accuracies, target_std=options.target_std, exponents=options.std_exponents
        )

    def diagnostics(self) -> Mapping[str, float]:
        """Of the population: its size, accuracies and quality; how many trials came to nothing."""
        numbers: dict[str, float] = {
            "update": self._counts["told"],
            "population": len(self._members),
            "failed": self._counts["failed"],
            "pruned": self._counts["pruned"],
        }
        if self._members:
            accuracies = [member.accuracy for member in self._members]
            numbers["quality"] = self._quality()
            numbers["mean_accuracy"] = float(np.mean(accuracies))
            numbers["std_accuracy"] = float(np.std(accuracies))
        return numbers

    def state(self) -> dict[str, Any]:
        """The population, place by place, the counts, and the seed that places are drawn with."""
        return {
            "seed": self._seed,
            "counts": dict(self._counts),
            "qualities": self._saturation.state(),
            "members": [
                [member.id, member.accuracy, list(member.fitness), encode_text(member.architecture)]
                for member in self._members
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that ``state()`` gave."""
        self._seed = state["seed"]
        self._counts = dict(state["counts"])
        self._saturation.restore(state["qualities"])
        self._members = [
            _Member(trial_id, accuracy, tuple(fitness), cast(Arch, decode_text(text)))
            for trial_id, accuracy, fitness, text in state["members"]
        ]
