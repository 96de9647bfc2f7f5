"""Model-based search: the agent's policy draws candidates, and a surrogate chooses among them.

Neither has to do what the other is good at: the surrogate tells from few trials which of some
architectures is promising, but not where in a large space to look; the policy does the opposite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Generic, cast

import numpy as np

from autodl.agents.autodl_agent import AutoDLAgent
from autodl.agents.options import ModelBasedOptions
from autodl.spaces.space import Arch, Coded, Integers
from autodl.strategies.options import SurrogateOptions
from autodl.strategies.strategy import Exhausted, Fits
from autodl.strategies.surrogate.candidates import Candidates, distinct_rows
from autodl.strategies.surrogate.surrogate import Reals
from autodl.strategies.surrogate.surrogate_search import SurrogateSearch
from autodl.trial import Architecture, Trial


class PolicyCandidates(Candidates, Generic[Arch]):
    """What a surrogate chooses among anyway in a large space, and rows that the policy draws.

    Args:
        agent: whose policy it is, as it is when candidates are asked for.
        sizes: of the decisions.
        drawn: how many rows the policy draws.
        options: of the surrogate, how many others there are.
    """

    def __init__(
        self,
        agent: AutoDLAgent[Arch],
        sizes: tuple[int, ...],
        drawn: int,
        options: SurrogateOptions,
    ) -> None:
        super().__init__(
            sizes,
            listed=0,
            random=options.random,
            parents=options.parents,
            mutated=options.mutated,
        )
        self._agent, self._drawn = agent, drawn

    def __call__(self, rows: Integers, rewards: Reals, rng: np.random.Generator) -> Integers:
        """Rows to choose among, each once, int64 ``[N, decisions]``; see ``Candidates``."""
        drawn = self._agent.alg.sample(rng.random((self._drawn, len(self._sizes)))).rows
        return distinct_rows(np.vstack([drawn, super().__call__(rows, rewards, rng)]), self._sizes)


class ModelBasedAgent(SurrogateSearch[Arch], Generic[Arch]):
    """The agent and a surrogate, told of the same trials.

    Until ``initial`` trials are complete, architectures are drawn from the space. From then on the
    surrogate decides, by its acquisition, between what the policy draws and its own candidates;
    but of all proposals the share ``trusted``, by chance, is what the policy draws: a model that
    fits a search badly does not hold it up.
    """

    def __init__(
        self,
        space: Coded[Arch],
        options: ModelBasedOptions | None = None,
        *,
        seed: int = 0,
        trials: int = 100,
    ) -> None:
        """Begin with a fresh policy and nothing known.

        Args:
            space: what is searched.
            options: of the agent, and of the model; without them all are the defaults.
            seed: draws the policy's initial weights.
            trials: how many there will be; options of the agent that are None follow it.

        Raises:
            ConfigError: the space is not coded.
        """
        options = options or ModelBasedOptions()
        self._agent = AutoDLAgent(space, options, seed=seed, trials=trials)
        searching = SurrogateOptions(
            model=options.model,
            acquisition=options.acquisition,
            initial=options.initial,
            random=options.candidates,
            mutated=options.candidates,
        )
        drawn = PolicyCandidates(self._agent, space.sizes, options.candidates, searching)
        super().__init__(space, searching, seed=seed, ranking=drawn)
        self._trusted = options.trusted

    def ask_where(
        self, rng: np.random.Generator, fits: Fits, running: Sequence[Architecture]
    ) -> Arch:
        """The most promising that fits, or what the policy draws; see ``Choosy``.

        Raises:
            Exhausted: there is none that fits.
        """
        if len(self._values) >= self._options.initial and rng.random() < self._trusted:
            with suppress(Exhausted):
                return self._agent.ask_where(rng, lambda one: self._new(one) and fits(one), running)
        return super().ask_where(rng, fits, running)

    def _new(self, architecture: Architecture) -> bool:
        return self._canonical(cast(Arch, architecture)) not in self._tried

    def tell(self, trial: Trial) -> None:
        """Both learn of a trial."""
        super().tell(trial)
        self._agent.tell(trial)

    def diagnostics(self) -> Mapping[str, float]:
        """Those of the agent."""
        return self._agent.diagnostics()

    def state(self) -> dict[str, Any]:
        """The trials, and the agent's own state."""
        return {**super().state(), "agent": self._agent.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that ``state()`` gave."""
        super().restore(state)
        self._agent.restore(state["agent"])
