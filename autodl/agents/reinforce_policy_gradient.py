"""REINFORCE on the decisions of the LSTM policy, as a PARL algorithm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray

from autodl.agents.decisions import IntArray
from autodl.agents.parl_backend import Algorithm
from autodl.agents.policy_model import PolicyModel
from autodl.agents.policy_sampling import Sampled, sample_decisions


def token_log_probability(logits: paddle.Tensor, tokens: paddle.Tensor) -> paddle.Tensor:
    """Log-probability of categorical decisions, summed.

    Uses ``log_softmax``, not ``paddle.distribution.Categorical``: in Paddle 3.3 that class
    samples from softmax(logits) but its ``log_prob`` is log(logits / sum(logits)).

    Args:
        logits: float32 ``[B, T, K]``.
        tokens: int64 ``[B, T]``, each in ``[0, K)``.

    Returns:
        float32 ``[B]``.
    """
    log_probabilities = F.log_softmax(logits, axis=-1)
    taken = paddle.take_along_axis(log_probabilities, tokens.unsqueeze(-1), axis=-1)
    return taken.squeeze(-1).sum(axis=1)


def bit_log_probability(
    logits: paddle.Tensor, bits: paddle.Tensor, mask: paddle.Tensor
) -> paddle.Tensor:
    """Log-probability of independent Bernoulli decisions, summed where ``mask`` is 1.

    Args:
        logits: log-odds of a one, float32 ``[B, R, C]``.
        bits: 0.0 or 1.0, float32 ``[B, R, C]``.
        mask: 0.0 or 1.0, float32 ``[R, C]``.

    Returns:
        float32 ``[B]``.
    """
    return ((bits * logits - F.softplus(logits)) * mask).sum(axis=[1, 2])


def decision_entropy(
    token_logits: paddle.Tensor, bit_logits: paddle.Tensor | None, mask: paddle.Tensor
) -> paddle.Tensor:
    """Entropy of all decisions in nats, given the decisions before each; float32 ``[B]``."""
    log_probabilities = F.log_softmax(token_logits, axis=-1)
    entropy = -(log_probabilities.exp() * log_probabilities).sum(axis=[1, 2])
    if bit_logits is None:
        return entropy
    bits = F.softplus(bit_logits) - bit_logits * F.sigmoid(bit_logits)
    return entropy + (bits * mask).sum(axis=[1, 2])


def reinforce_loss(log_probability: paddle.Tensor, advantages: paddle.Tensor) -> paddle.Tensor:
    """Loss whose gradient is the REINFORCE estimate (Williams, 1992), averaged over the batch.

    Args:
        log_probability: of each sampled architecture, float32 ``[B]``.
        advantages: reward minus baseline, float32 ``[B]``; treated as constant.
    """
    return -(log_probability * advantages.detach()).mean()


@dataclass(frozen=True, slots=True)
class Learned:
    """What one update saw: its loss, and the policy's mean entropy in nats before it."""

    loss: float
    entropy: float


class ReinforcePolicyGradient(Algorithm):
    """Adam on the REINFORCE loss of the stored decisions, minus an entropy bonus.

    The decisions are scored by teacher forcing: the log-probability that is learnt from is
    the one under which the architecture was sampled.
    """

    def __init__(
        self, model: PolicyModel, *, learning_rate: float = 1e-3, entropy_weight: float = 0.0
    ) -> None:
        super().__init__(model)
        self.entropy_weight = entropy_weight
        self.optimizer = paddle.optimizer.Adam(learning_rate, parameters=model.parameters())
        self._mask = paddle.to_tensor(model.decisions.row_mask.astype("float32"))

    def sample(self, uniforms: NDArray[np.float64]) -> Sampled:
        """Draw one architecture for every row of ``uniforms``; see ``sample_decisions``."""
        parameters = self.model.parameters_for_sampling()
        return sample_decisions(parameters, self.model.decisions, uniforms)

    def predict(self) -> Sampled:
        """The architecture of the likeliest decision at every step."""
        return sample_decisions(self.model.parameters_for_sampling(), self.model.decisions, None)

    def score(self, tokens: IntArray, rows: IntArray) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Log-probability and entropy of stored decisions, float32 ``[B]`` each."""
        token_logits, bit_logits = self.model(tokens, rows)
        log_probability = token_log_probability(token_logits, paddle.to_tensor(tokens))
        if bit_logits is not None:
            bits = paddle.to_tensor(rows.astype("float32"))
            log_probability = log_probability + bit_log_probability(bit_logits, bits, self._mask)
        return log_probability, decision_entropy(token_logits, bit_logits, self._mask)

    def learn(self, tokens: IntArray, rows: IntArray, advantages: NDArray[np.float64]) -> Learned:
        """Take one step on a batch of decisions and their advantages ``[B]``."""
        log_probability, entropy = self.score(tokens, rows)
        mean_entropy = entropy.mean()
        loss = reinforce_loss(log_probability, paddle.to_tensor(advantages.astype("float32")))
        if self.entropy_weight:
            loss = loss - self.entropy_weight * mean_entropy
        loss.backward()
        self.optimizer.step()
        self.optimizer.clear_grad(set_to_zero=False)
        return Learned(float(loss), float(mean_entropy))
