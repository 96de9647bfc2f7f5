"""The agent of AutoDL Design: an LSTM decides on architectures and learns from their rewards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic

import numpy as np
from numpy.typing import NDArray

from autodl.agents.best_trials import BestTrials
from autodl.agents.budget import learning
from autodl.agents.decisions import decisions_of
from autodl.agents.design_policy import DesignPolicy
from autodl.agents.options import AgentOptions
from autodl.agents.policy_agent import PolicyAgent
from autodl.agents.reinforce_policy_gradient import ReinforcePolicyGradient
from autodl.agents.running_moments import RunningMoments
from autodl.spaces.rows import as_coded
from autodl.spaces.space import Arch, Coded
from autodl.strategies.strategy import Exhausted, Fits
from autodl.trial import Architecture, Trial, TrialState

_ROUNDS, _DRAWN_TOGETHER = 8, 32
_ATTEMPTS = 1000


class AutoDLAgent(PolicyAgent, Generic[Arch]):
    """A PARL agent with ask and tell: it proposes, is told, and learns from every batch.

    Once a whole batch is told, the policy takes one REINFORCE step (or ``epochs`` clipped ones) on
    its trials with a reward, with advantage ``(reward - baseline) ** advantage_power``, the
    difference in running deviations with ``normalise``. The baseline is the exponential moving
    average of the batches' mean reward, before this batch; the first batch is its own baseline. A
    pruned trial counts with the reward it had reached: low, for the reason for which it was
    stopped; it is none of the best. A batch without any reward changes nothing. Then, once there
    are more than ``imitated`` distinct trials, comes one step more that makes the best so many of
    them likelier.

    Any coded space will do. Its decisions are taken in its own steps (``Stepwise``: a cell's node
    by node), or one by one.
    """

    def __init__(
        self,
        space: Coded[Arch],
        options: AgentOptions | None = None,
        *,
        seed: int = 0,
        trials: int = 100,
    ) -> None:
        """Begin with a fresh policy.

        Args:
            space: what is searched.
            options: without them all are the defaults.
            seed: draws the policy's initial weights.
            trials: how many there will be; options that are None follow it.

        Raises:
            ConfigError: the space's architectures are no rows of decisions.
        """
        options = options or AgentOptions()
        self._decisions = decisions_of(as_coded(space, type(self).__name__))
        self._learning = chosen = learning(options, trials)

        def make() -> ReinforcePolicyGradient:
            return ReinforcePolicyGradient(
                self._policy(options),
                learning_rate=chosen.learning_rate,
                entropy_weight=chosen.entropy_weight,
                epochs=options.epochs,
                clip=options.clip,
            )

        super().__init__(make, seed=seed, decay=options.baseline_decay)
        self.batch_size: int | None = chosen.batch_size if chosen.waits else None
        self._space = space
        self._power = options.advantage_power
        self._told: list[tuple[Arch, float | None, bool]] = []  # the last: trained in full
        self._best = BestTrials(space, chosen.imitated)
        self._diagnostics: dict[str, float] = {"update": 0}

    def _policy(self, options: AgentOptions) -> DesignPolicy:
        """A fresh policy."""
        return DesignPolicy(
            self._decisions,
            hidden=options.hidden,
            layers=options.layers,
            temperature=options.temperature,
            squash=options.squash,
            head_deviation=options.head_deviation,
        )

    def ask(self, rng: np.random.Generator) -> Arch:
        """Propose one architecture; the policy itself is not changed."""
        return self.ask_batch([rng])[0]

    def ask_batch(self, rngs: Sequence[np.random.Generator]) -> list[Arch]:
        """Propose one architecture for every generator, in one pass through the policy."""
        count = len(self._decisions.sizes)
        drawn = self.alg.sample(np.stack([rng.random(count) for rng in rngs]))
        return [self._space.decode(row) for row in drawn.rows]

    def ask_where(
        self, rng: np.random.Generator, fits: Fits, running: Sequence[Architecture]
    ) -> Arch:
        """What ``ask`` proposes, or the first of further draws that fits; see ``Choosy``.

        A policy that is sure of itself may have little else to propose: after 256 draws it is an
        architecture of the whole space.

        Raises:
            Exhausted: of 1,000 of these none fits either.
        """
        proposed = self.ask(rng)
        if fits(proposed):
            return proposed
        for _ in range(_ROUNDS):
            uniforms = rng.random((_DRAWN_TOGETHER, len(self._decisions.sizes)))
            for row in dict.fromkeys(map(tuple, self.alg.sample(uniforms).rows)):
                if fits(proposed := self._space.decode(np.array(row))):
                    return proposed
        for _ in range(_ATTEMPTS):
            if fits(proposed := self._space.sample(rng)):
                return proposed
        raise Exhausted(f"of {_ATTEMPTS} random architectures none is new and allowed")

    def predict(self) -> Arch:
        """The architecture of the policy's likeliest decision at every step."""
        return self._space.decode(self.alg.predict().rows[0])

    def tell(self, trial: Trial) -> None:
        """Remember a finished trial and, when its batch is complete, learn from the batch."""
        whole = trial.state is TrialState.COMPLETE
        self._told.append((self._space.check(trial.architecture), trial.reward, whole))
        if len(self._told) == self._learning.batch_size:
            scored = [(one, reward, w) for one, reward, w in self._told if reward is not None]
            self._told = []
            if scored:
                self._learn_from(scored)

    def _learn_from(self, scored: Sequence[tuple[Arch, float, bool]]) -> None:
        rows = np.stack([self._space.encode(architecture) for architecture, _, _ in scored])
        learned = self.learn(rows, np.array([reward for _, reward, _ in scored]))
        for architecture, reward, whole in scored:
            if whole:
                self._best.add(architecture, reward)
        if self._best.selected:
            self.imitate(self._best.rows())
        self._diagnostics = {
            "update": self._diagnostics["update"] + 1,
            "mean_reward": learned.reward,
            "baseline": learned.baseline,
            "entropy": learned.entropy,
            "loss": learned.loss,
        }

    def advantages(
        self, rewards: NDArray[np.float64], moments: RunningMoments
    ) -> NDArray[np.float64]:
        """See the function ``advantages``."""
        if self._learning.normalise:
            return advantages(moments.normalised(rewards), 0.0, self._power)
        return advantages(rewards, moments.mean, self._power)

    def diagnostics(self) -> Mapping[str, float]:
        """Mean reward, baseline, entropy and loss of the latest update, and its number."""
        return self._diagnostics

    def state(self) -> dict[str, Any]:
        """Weights, optimiser, moments, the best trials, and the part of a batch that is told."""
        return {
            **super().state(),
            "diagnostics": dict(self._diagnostics),
            "best": self._best.state(),
            "told": [
                {"row": self._space.encode(architecture).tolist(), "reward": reward, "whole": whole}
                for architecture, reward, whole in self._told
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that ``state()`` gave, here or in an earlier version."""
        super().restore(state)
        self._diagnostics = dict(state["diagnostics"])
        self._best.restore(state.get("best", []))
        self._told = [
            (self._space.decode(_row(told)), told["reward"], told.get("whole", True))
            for told in state["told"]
        ]


def _row(told: Mapping[str, Any]) -> NDArray[np.int64]:
    """The row of a told trial; runs of earlier versions have its two parts, of cells."""
    row = told["row"] if "row" in told else [*told["tokens"], *told["bits"]]
    return np.array(row, np.int64)


def advantages(
    rewards: NDArray[np.float64], baseline: float, power: float = 1.0
) -> NDArray[np.float64]:
    """``sign(a) |a| ** power`` with ``a = reward - baseline``, float64 ``[B]``.

    The original's power 3 keeps the sign by itself; the sign is kept for every power.
    """
    difference = rewards - baseline
    return np.sign(difference) * np.abs(difference) ** power
