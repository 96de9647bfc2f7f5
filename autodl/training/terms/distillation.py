"""How far a student is from what a teacher says, both softened by a temperature.

Source: Hinton, Vinyals and Dean, arXiv:1503.02531, section 2.
"""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray
from scipy.special import softmax


def softened(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """``softmax(logits / temperature)`` of every row, float32 ``[N, classes]`` (equation 1).

    At a temperature of 1 these are the teacher's probabilities; towards infinity all classes have
    the same, towards 0 the likeliest has all.
    """
    chances: NDArray[np.float64] = softmax(logits.astype(np.float64) / temperature, axis=1)
    return chances.astype(np.float32)


def soft_divergence(
    outputs: paddle.Tensor, chances: paddle.Tensor, temperature: float
) -> paddle.Tensor:
    """``T^2 KL(chances || softmax(outputs / T))``: 0 where the student says what the teacher says.

    This is the cross-entropy of the paper less the entropy of the teacher, which is constant:
    gradients are the paper's, and early stopping, which compares losses by their ratio, is not
    led by a large number that nothing can be done about.

    The gradient to an output is ``T (softmax(outputs / T) - chances) / B``. At high temperatures
    that is about ``(outputs - teacher's logits) / (classes B)``, if both have the mean 0 (equation
    4), whatever T is: hence the factor.

    Args:
        outputs: logits, float32 ``[B, classes]``.
        chances: float32 ``[B, classes]``, rows sum to 1; see ``softened``. Where one is 0 it adds
            nothing.

    Returns:
        Scalar: a mean over the batch.
    """
    own = F.log_softmax(outputs / temperature, axis=1)
    return temperature**2 * F.kl_div(own, chances, reduction="batchmean")
