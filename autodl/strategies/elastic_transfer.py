"""Elastic architecture transfer: go on on a large task from what was found on a small one.

The architecture alone is carried over, never weights: it and slight changes of every block of it
are the first population, and evolution goes on from there.

Source: Fang et al., EAT-NAS, arXiv:1901.05884.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, Literal

import numpy as np

from autodl.errors import ConfigError
from autodl.spaces.codec import Architecture
from autodl.spaces.space import Arch, BlockSpace
from autodl.strategies.evolution import Evolution
from autodl.strategies.options import ElasticTransferOptions
from autodl.strategies.strategy import Child
from autodl.trial import Trial, TrialState

_ATTEMPTS = 1000


def perturb(space: BlockSpace[Arch], architecture: Arch, rng: np.random.Generator) -> Arch:
    """Redraw one primitive of *every* block: the offspring architecture generator.

    Primitive and value are uniform and the value may be the old one, so of mobile networks'
    seven blocks 4.67 change on average.

    Raises:
        ConfigError: the architecture is none of the space.
    """
    codes = space.encode(architecture)
    choices = np.asarray(space.choices)
    primitives = rng.integers(len(choices), size=len(codes))
    codes[np.arange(len(codes)), primitives] = rng.integers(choices[primitives])
    return space.decode(codes)


def basic_architecture(space: BlockSpace[Arch], best: Trial | None, run: str) -> Arch:
    """What a source run hands over: the architecture of its best complete trial.

    Args:
        best: that trial, None if there is none.
        run: how to name the run in messages.

    Raises:
        ConfigError: there is none, or it is of another space.
    """
    if best is None or best.state is not TrialState.COMPLETE:
        raise ConfigError(
            f"{run} has no complete trial to go on from; let it finish one, or choose another run"
        )
    try:
        return space.check(best.architecture)
    except ConfigError as error:
        raise ConfigError(f"{run} cannot be the source: {error}") from None


class ElasticTransfer(Generic[Arch]):
    """Stage 2 of EAT-NAS: evolution whose first population surrounds a given architecture.

    That architecture and ``population - 1`` perturbations of it, all different, are proposed
    before the first result is known; perturbation ``i`` draws from ``default_rng((seed, i, 0))``.
    Where some of them fail or are over a limit, further perturbations take their place. All else
    is ``Evolution``, with ``mutation="perturb"`` for a mutation that changes every block as well.
    """

    batch_size: int | None = None

    def __init__(
        self,
        space: BlockSpace[Arch],
        *,
        seed: int = 0,
        source: Architecture | None = None,
        **options_: Any,
    ) -> None:
        """``source`` is the architecture to start from, ``options_`` are ElasticTransferOptions.

        Raises:
            ConfigError: the space has no blocks, or the source is missing or of another space.
        """
        if not isinstance(space, BlockSpace):
            raise ConfigError(
                f"ElasticTransfer needs a space of blocks, which {type(space).__name__} is not;"
                " set Space.name to MobileSpace"
            )
        if source is None:
            raise ConfigError(
                "ElasticTransfer starts from the architecture of an earlier run; set Search.source"
                " to its folder"
            )
        options = ElasticTransferOptions(**options_)
        self._around = _Surroundings(space, space.check(source), options.mutation)
        self._seed = seed
        self._population = options.population
        rest = options.model_dump(exclude={"mutation"})
        self._evolution: Evolution[Arch] = Evolution(self._around, seed=seed, **rest)

    def initial(self) -> Iterator[Arch]:
        """The source and perturbations of it, without repetition.

        Fewer than the population where a thousand draws give nothing new: the space is tiny.
        """
        source = self._around.source
        seen = {source}
        yield source
        for trial_id in range(1, self._population):
            rng = np.random.default_rng((self._seed, trial_id, 0))
            drawn = (self._around.sample(rng) for _ in range(_ATTEMPTS))
            fresh = next((child for child in drawn if child not in seen), None)
            if fresh is None:
                return
            seen.add(fresh)
            yield fresh

    @property
    def parents(self) -> frozenset[int]:
        """Ids of the trials that children may still be mutated from."""
        return self._evolution.parents

    def ask(self, rng: np.random.Generator) -> Arch:
        """A perturbation of the source while the population fills, then a child of a winner.

        Raises:
            Exhausted: the population's quality has stopped rising.
        """
        return self._evolution.ask(rng)

    def breed(self, rng: np.random.Generator) -> Child[Arch]:
        """The same, and which trial of this search it was mutated from."""
        return self._evolution.breed(rng)

    def tell(self, trial: Trial) -> None:
        """Take in a complete trial; count any other."""
        self._evolution.tell(trial)

    def diagnostics(self) -> Mapping[str, float]:
        """Those of the population."""
        return self._evolution.diagnostics()

    def state(self) -> dict[str, Any]:
        """The population's; the source is given anew."""
        return self._evolution.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that ``state()`` gave."""
        self._seed = state["seed"]
        self._evolution.restore(state)


class _Surroundings(Generic[Arch]):
    """A space seen from one of its architectures: its samples are perturbations of that."""

    def __init__(
        self, space: BlockSpace[Arch], source: Arch, mutation: Literal["mutate", "perturb"]
    ) -> None:
        self.source = source
        self._space = space
        self._mutation = mutation

    def sample(self, rng: np.random.Generator) -> Arch:
        return perturb(self._space, self.source, rng)

    def mutate(self, architecture: Arch, rng: np.random.Generator) -> Arch:
        if self._mutation == "perturb":
            return perturb(self._space, architecture, rng)
        return self._space.mutate(architecture, rng)
