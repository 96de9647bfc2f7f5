"""REINFORCE on the decisions of an LSTM policy, as a PARL algorithm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray

from autodl.agents.parl_backend import Algorithm
from autodl.agents.policy import Policy
from autodl.agents.walk import Drawn, draw
from autodl.spaces.space import Integers


def choice_scores(
    logits: paddle.Tensor, choices: paddle.Tensor
) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Log-probability and entropy in nats of categorical decisions, both summed.

    Uses ``log_softmax``, not ``paddle.distribution.Categorical``: in Paddle 3.3 that class
    samples from softmax(logits) but its ``log_prob`` is log(logits / sum(logits)).

    Args:
        logits: float ``[B, T, K]``.
        choices: int64 ``[B, T]``, each in ``[0, K)``.

    Returns:
        float ``[B]`` each.
    """
    log_probabilities = F.log_softmax(logits, axis=-1)
    taken = paddle.take_along_axis(log_probabilities, choices.unsqueeze(-1), axis=-1)
    # a probability of 0 times its logarithm, a large number here, is 0
    entropy = -(log_probabilities.exp() * log_probabilities).sum(axis=[1, 2])
    return taken.squeeze(-1).sum(axis=1), entropy


def set_scores(
    logits: paddle.Tensor, bits: paddle.Tensor, mask: paddle.Tensor
) -> tuple[paddle.Tensor, paddle.Tensor]:
    """The same of independent Bernoulli decisions, summed where ``mask`` is 1.

    Args:
        logits: log-odds of a one, float ``[B, R, C]``.
        bits: 0.0 or 1.0, float ``[B, R, C]``.
        mask: 0.0 or 1.0, float ``[R, C]``.

    Returns:
        float ``[B]`` each.
    """
    softplus = F.softplus(logits)
    log_probability = ((bits * logits - softplus) * mask).sum(axis=[1, 2])
    return log_probability, ((softplus - logits * F.sigmoid(logits)) * mask).sum(axis=[1, 2])


def reinforce_loss(log_probability: paddle.Tensor, advantages: paddle.Tensor) -> paddle.Tensor:
    """Loss whose gradient is the REINFORCE estimate (Williams, 1992), averaged over the batch.

    Args:
        log_probability: of each sampled architecture, float32 ``[B]``.
        advantages: reward minus baseline, float32 ``[B]``; treated as constant.
    """
    return -(log_probability * advantages.detach()).mean()


def clipped_loss(
    log_probability: paddle.Tensor,
    before: paddle.Tensor,
    advantages: paddle.Tensor,
    clip: float,
) -> paddle.Tensor:
    """PPO's clipped surrogate loss (Schulman et al., 2017, eq. 7), averaged over the batch.

    Where the policy is still the one of ``before``, its gradient is that of ``reinforce_loss``.

    Args:
        log_probability: of each sampled architecture now, float32 ``[B]``.
        before: the same of the policy before the first step on this batch; a constant.
        advantages: float32 ``[B]``; treated as constant.
        clip: how far the ratio of probabilities counts away from 1.
    """
    ratio = (log_probability - before.detach()).exp()
    weights = advantages.detach()
    kept = ratio.clip(1.0 - clip, 1.0 + clip)
    return -paddle.minimum(ratio * weights, kept * weights).mean()


@dataclass(frozen=True, slots=True)
class Learned:
    """What one update saw: the loss, and the policy's mean entropy in nats, both before it."""

    loss: float
    entropy: float


class ReinforcePolicyGradient(Algorithm):
    """Adam on the REINFORCE loss of the stored decisions, minus an entropy bonus.

    The decisions are scored by teacher forcing: the log-probability that is learnt from is
    the one under which the architecture was sampled.

    Args:
        betas: of Adam.
        weight_decay: added to the gradient, as PyTorch's Adam has it.
        epochs: steps on each batch; where it is several, they are on PPO's clipped loss.
        clip: of that loss.
    """

    def __init__(
        self,
        model: Policy,
        *,
        learning_rate: float = 1e-3,
        entropy_weight: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        epochs: int = 1,
        clip: float = 0.2,
    ) -> None:
        super().__init__(model)
        self.epochs, self.clip = epochs, clip
        self.entropy_weight = entropy_weight
        self.optimizer = paddle.optimizer.Adam(
            learning_rate,
            beta1=betas[0],
            beta2=betas[1],
            parameters=model.parameters(),
            weight_decay=weight_decay or None,
        )
        self._mask = paddle.to_tensor(model.decisions.set_mask.astype("float32"))

    def sample(self, uniforms: NDArray[np.float64]) -> Drawn:
        """Draw one row for every row of ``uniforms``; see ``draw``."""
        return draw(self.model.walk(len(uniforms)), self.model.decisions, uniforms)

    def predict(self) -> Drawn:
        """The row of the likeliest decision at every step."""
        return draw(self.model.walk(1), self.model.decisions, None)

    def score(self, rows: Integers) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Log-probability and entropy in nats of stored decisions, ``[B]`` each.

        Both are sums over the decisions, each given the ones before it.
        """
        decisions = self.model.decisions
        choice_logits, set_logits = self.model(rows)
        scores = list[tuple[paddle.Tensor, paddle.Tensor]]()
        if choice_logits is not None:
            taken = paddle.to_tensor(rows[:, decisions.choices])
            scores.append(choice_scores(choice_logits, taken))
        if set_logits is not None:
            bits = paddle.to_tensor(decisions.sets(rows).astype("float32"))
            scores.append(set_scores(set_logits, bits, self._mask))
        if len(scores) == 1:
            return scores[0]
        (choices, choice_entropy), (sets, set_entropy) = scores
        return choices + sets, choice_entropy + set_entropy

    def loss(
        self, rows: Integers, advantages: NDArray[np.float64]
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """The loss of rows ``[B, decisions]`` with advantages ``[B]``, and the mean entropy."""
        log_probability, entropy = self.score(rows)
        weights = paddle.to_tensor(advantages, dtype=log_probability.dtype)
        mean = entropy.mean()
        return self._with_bonus(reinforce_loss(log_probability, weights), mean), mean

    def learn(self, rows: Integers, advantages: NDArray[np.float64]) -> Learned:
        """Take ``epochs`` steps on a batch of decisions and their advantages ``[B]``."""
        if self.epochs > 1:
            return self._learn_clipped(rows, advantages)
        loss, entropy = self.loss(rows, advantages)
        self._step(loss)
        return Learned(float(loss), float(entropy))

    def imitate(self, rows: Integers) -> None:
        """Take one step on the mean negative log-probability of rows, entropy bonus included.

        Source: of self-imitation learning (Oh et al., 2018), for the policy alone.
        """
        loss, _ = self.loss(rows, np.ones(len(rows)))
        self._step(loss)

    def _learn_clipped(self, rows: Integers, advantages: NDArray[np.float64]) -> Learned:
        before, seen = None, list[Learned]()
        for _ in range(self.epochs):
            log_probability, entropy = self.score(rows)
            before = log_probability.detach() if before is None else before
            weights = paddle.to_tensor(advantages, dtype=log_probability.dtype)
            surrogate = clipped_loss(log_probability, before, weights, self.clip)
            loss = self._with_bonus(surrogate, entropy.mean())
            self._step(loss)
            seen.append(Learned(float(loss), float(entropy.mean())))
        return seen[0]

    def _with_bonus(self, loss: paddle.Tensor, entropy: paddle.Tensor) -> paddle.Tensor:
        return loss - self.entropy_weight * entropy if self.entropy_weight else loss

    def _step(self, loss: paddle.Tensor) -> None:
        loss.backward()
        self.optimizer.step()
        self.optimizer.clear_grad(set_to_zero=False)
