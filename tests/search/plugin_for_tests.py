"""A plugin as a user would write it: a batch strategy that learns, and a slow, noisy evaluator.

Neither needs Paddle, so processes that use them start in a second.
"""

from __future__ import annotations

import time

import numpy as np
from pydantic import Field

from autodl.assemble import register
from autodl.config import Section
from autodl.trial import Evaluation, TrialFailure


class LearnerOptions(Section):
    batch_size: int = Field(6, ge=1)


class BatchLearner:
    """Shifts the odds of each node's operations by the rewards of a whole batch."""

    def __init__(self, space, *, seed, batch_size):
        self.batch_size = batch_size
        self._space = space
        self._odds = np.zeros((space.cells * space.nodes, len(space.operations)))
        self._told = []

    def ask(self, rng):
        tokens = (self._odds + rng.gumbel(size=self._odds.shape)).argmax(axis=1)
        bits = rng.integers(2, size=self._space.cells * self._space.bits)
        return self._space.decode(np.concatenate([tokens, bits]))

    def tell(self, trial):
        tokens, _ = self._space.split(self._space.encode(trial.architecture))
        self._told.append((tokens, trial.reward))
        if len(self._told) == self.batch_size:
            scored = [(tokens, reward) for tokens, reward in self._told if reward is not None]
            self._told = []
            mean = sum(reward for _, reward in scored) / max(len(scored), 1)
            for tokens, reward in scored:
                self._odds[np.arange(len(tokens)), tokens] += 0.3 * (reward - mean)

    def state(self):
        told = [{"tokens": tokens, "reward": reward} for tokens, reward in self._told]
        return {"odds": self._odds.copy(), "told": told}

    def restore(self, state):
        self._odds = state["odds"]
        self._told = [(told["tokens"], told["reward"]) for told in state["told"]]


class SlowCountOptions(Section):
    seconds: float = Field(0.0, ge=0)


class SlowCount:
    """Counts operation 1, adds noise, takes a random time up to ``seconds``, fails in 1 of 8."""

    def __init__(self, seconds):
        self._seconds = seconds

    def __call__(self, architecture, rng):
        noise, wait = rng.random(2)
        time.sleep(wait * self._seconds)
        if noise < 1 / 8:
            raise TrialFailure(f"the noise was {noise:.3f}")
        tokens, _ = architecture.to_tokens()
        return Evaluation(tokens.count(1) + noise, {"noise": noise}, ({"epoch": 1, "loss": wait},))


register("Strategy", "BatchLearner", f"{__name__}:LearnerOptions", f"{__name__}:BatchLearner")
register("Evaluator", "SlowCount", f"{__name__}:SlowCountOptions", f"{__name__}:SlowCount")
