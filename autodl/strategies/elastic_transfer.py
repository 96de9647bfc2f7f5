"""Elastic architecture transfer: go on on a large task from what was found on a small one.

The architecture alone is carried over, never weights: it and slight changes of every block of it
are the first population, and evolution goes on from there.

Source: Fang et al., EAT-NAS, arXiv:1901.05884.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Generic, Literal

import numpy as np

from autodl.errors import ConfigError
from autodl.spaces.codec import Architecture
from autodl.spaces.rows import as_coded, variation
from autodl.spaces.space import Arch, Blocked, Coded
from autodl.strategies.evolution import Evolution
from autodl.strategies.options import ElasticTransferOptions
from autodl.strategies.strategy import Child
from autodl.trial import Trial, TrialState

_ATTEMPTS = 1000


def perturb(space: Coded[Arch], architecture: Arch, rng: np.random.Generator) -> Arch:
    """Redraw one primitive of *every* block: the offspring architecture generator.

    Primitive and value are uniform and the value may be the old one, so of mobile networks'
    seven blocks 4.67 change on average. A space without blocks (``Blocked``) is a single one.

    Raises:
        ConfigError: the architecture is none of the space.
    """
    choices = np.asarray(space.choices if isinstance(space, Blocked) else space.sizes)
    codes = space.encode(architecture).reshape(-1, len(choices))
    primitives = rng.integers(len(choices), size=len(codes))
    codes[np.arange(len(codes)), primitives] = rng.integers(choices[primitives])
    return space.decode(codes.reshape(-1))


def basic_architecture(space: Coded[Arch], best: Trial | None, run: str) -> Arch:
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
        raise ConfigError(f"{run} cannot be started from: {error}") from None


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
        space: Coded[Arch],
        options: ElasticTransferOptions | None = None,
        *,
        seed: int = 0,
        source: Architecture | None = None,
    ) -> None:
        """``source`` is the architecture to start from; without ``options`` all are the defaults.

        Raises:
            ConfigError: the space is not coded, or the source is missing or of another space.
        """
        as_coded(space, "ElasticTransfer")
        if source is None:
            raise ConfigError(
                "ElasticTransfer starts from the architecture of an earlier run; set Search.source"
                " to its folder"
            )
        options = options or ElasticTransferOptions()
        self._around = _Surroundings(space, space.check(source), options.mutation)
        self._seed = seed
        self._population = options.population
        self._evolution: Evolution[Arch] = Evolution(self._around, options, seed=seed)

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
        self, space: Coded[Arch], source: Arch, mutation: Literal["mutate", "perturb"]
    ) -> None:
        self.source = source
        self._space = space
        self._vary: Callable[[Arch, np.random.Generator], Arch] = (
            partial(perturb, space) if mutation == "perturb" else variation(space, "Evolution")
        )

    def sample(self, rng: np.random.Generator) -> Arch:
        return perturb(self._space, self.source, rng)

    def mutate(self, architecture: Arch, rng: np.random.Generator) -> Arch:
        return self._vary(architecture, rng)
