"""The agent of the bit search: PARL's DDPG on one layer after another.

Source: Lillicrap and others, "Continuous control with deep reinforcement learning", 2016; state,
actions and reward as in the bit search of PocketFlow (Wu and others, 2018).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn

from autodl.agents.parl_backend import DDPG, Model
from autodl.compression.bits.options import BitSearchOptions
from autodl.training.optimizer_state import optimizer_arrays, restore_optimizer

FloatArray = NDArray[np.float32]


class ActorCritic(Model):
    """An action in 0..1 for a state, and the value of both; two hidden layers each."""

    def __init__(self, states: int, hidden: int) -> None:
        super().__init__()
        self.actor = nn.Sequential(
            *(nn.Linear(states, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()),
            *(nn.Linear(hidden, 1), nn.Sigmoid()),
        )
        self.critic = nn.Sequential(
            *(nn.Linear(states + 1, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()),
            nn.Linear(hidden, 1),
        )

    def policy(self, states: paddle.Tensor) -> paddle.Tensor:
        """``[B, S]`` to actions ``[B, 1]``."""
        return self.actor(states)

    def value(self, states: paddle.Tensor, actions: paddle.Tensor) -> paddle.Tensor:
        """``[B, S]`` and ``[B, 1]`` to values ``[B, 1]``."""
        return self.critic(paddle.concat([states, actions], axis=1))

    def get_actor_params(self) -> list[paddle.Tensor]:
        """What PARL's DDPG asks a model for."""
        return list(self.actor.parameters())

    def get_critic_params(self) -> list[paddle.Tensor]:
        """What PARL's DDPG asks a model for."""
        return list(self.critic.parameters())


class BitAgent:
    """DDPG with a buffer of all transitions; ``states`` numbers in a state."""

    def __init__(self, states: int, options: BitSearchOptions, seed: int) -> None:
        paddle.seed(seed)
        self._options = options
        self._ddpg = DDPG(
            ActorCritic(states, options.hidden),
            gamma=float(options.discount),
            tau=float(options.target_rate),
            actor_lr=float(options.actor_rate),
            critic_lr=float(options.critic_rate),
        )
        self._ddpg.sync_target(decay=0.0)
        # state, action, reward, next state, last?
        self._buffer = [np.zeros((0, width), np.float32) for width in (states, 1, 1, states, 1)]

    def act(self, state: FloatArray, deviation: float, rng: np.random.Generator) -> float:
        """The policy's action with normal noise, kept in 0..1."""
        with paddle.no_grad():
            mean = float(self._ddpg.predict(paddle.to_tensor(state[None])).numpy()[0, 0])
        return float(np.clip(mean + deviation * rng.normal(), 0.0, 1.0))

    def remember(self, states: FloatArray, actions: FloatArray, reward: float) -> None:
        """Keep a roll-out: states ``[L, S]``, actions ``[L]``, and the reward of each of them."""
        count = len(states)
        last = np.zeros((count, 1), np.float32)
        last[-1] = 1.0
        parts = (
            states,
            actions[:, None],
            np.full((count, 1), reward, np.float32),
            np.roll(states, -1, axis=0),
            last,
        )
        self._buffer = [
            np.concatenate([old, new.astype(np.float32)])
            for old, new in zip(self._buffer, parts, strict=True)
        ]

    def learn(self, updates: int, rng: np.random.Generator) -> None:
        """So many updates on batches from the buffer; rewards less their mean."""
        baseline = self._buffer[2].mean()
        for _ in range(updates):
            drawn = rng.integers(len(self._buffer[0]), size=self._options.batch_size)
            state, action, reward, following, last = (part[drawn] for part in self._buffer)
            self._ddpg.learn(
                *map(paddle.to_tensor, (state, action, reward - baseline, following, last))
            )

    def state(self) -> dict[str, Any]:
        """Weights, optimisers and buffer."""
        named, ddpg = dict(self._ddpg.model.named_parameters()), self._ddpg
        return {
            "model": {name: value.numpy() for name, value in named.items()},
            "target": {n: v.numpy() for n, v in ddpg.target_model.named_parameters()},
            "actor": optimizer_arrays(ddpg.actor_optimizer, _part(named, "actor.")),
            "critic": optimizer_arrays(ddpg.critic_optimizer, _part(named, "critic.")),
            "buffer": self._buffer,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that ``state()`` gave."""
        named, ddpg = dict(self._ddpg.model.named_parameters()), self._ddpg
        for model, arrays in ((ddpg.model, state["model"]), (ddpg.target_model, state["target"])):
            for name, value in model.named_parameters():
                value.set_value(paddle.to_tensor(arrays[name]))
        restore_optimizer(ddpg.actor_optimizer, _part(named, "actor."), state["actor"])
        restore_optimizer(ddpg.critic_optimizer, _part(named, "critic."), state["critic"])
        self._buffer = list(state["buffer"])


def _part(named: Mapping[str, paddle.Tensor], prefix: str) -> dict[str, paddle.Tensor]:
    return {name: value for name, value in named.items() if name.startswith(prefix)}
