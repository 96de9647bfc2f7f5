"""Local Rademacher complexity of a network's margins, as a term of the training loss.

Source: Yang, Li and Huan, arXiv:1902.00873.
"""

from __future__ import annotations

import paddle

from autodl.recipes.parts import WeightOptions
from autodl.training.parallel import ALONE, Share
from autodl.training.setting import Setting
from autodl.training.terms.term import Step

DRAWS = 50  # of signs, one for every picture of a batch


def margins(logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
    """Logits of the other classes, in order, less that of the true one.

    Args:
        logits: float32 ``[B, classes]``, of 2 classes or more.
        labels: int64 ``[B]``, each in ``[0, classes)``.

    Returns:
        float32 ``[B, classes - 1]``.
    """
    column = labels.unsqueeze(1)
    others = paddle.arange(logits.shape[1] - 1).unsqueeze(0)
    others = others + (others >= column).astype("int64")
    true = paddle.take_along_axis(logits, column, axis=1)
    return paddle.take_along_axis(logits, others, axis=1) - true


def rademacher_complexity(
    margins: paddle.Tensor, signs: paddle.Tensor, share: Share = ALONE
) -> paddle.Tensor:
    """``mean_r |sum_ij signs[r, i] margins[i, j]| / (B (classes - 1))``, summed over the batch.

    A picture has one sign for all its margins, as in the authors' code: signs of their own would
    make it the smaller by about the root of ``classes - 1``. Homogeneous of degree 1 in the
    margins. Its gradient is ``sign(sum) signs[r] / (B (classes - 1))``, averaged over r; where a
    sum is 0, that r gives 0.

    Args:
        margins: float32 ``[B, classes - 1]``.
        signs: of -1 and 1, float32 ``[R, B]``.
        share: where several processes train together, the sums are over the batch of all. Then a
            process gets its part: the mean of all parts is the value, and so it is with gradients.

    Returns:
        Scalar.
    """
    sums = (signs * margins.sum(axis=1)).sum(axis=1)
    # not the absolute value, which would be that of this process's part of the sum
    direction = share.total(sums.detach()).sign()
    return (direction * sums).mean() / margins.size


def sampled_complexity(
    logits: paddle.Tensor, labels: paddle.Tensor, share: Share = ALONE
) -> paddle.Tensor:
    """The same for freshly drawn signs, from Paddle's global generator.

    Every process draws those of the batch of all, and takes its own.

    Args:
        logits: float32 ``[B, classes]``.
        labels: int64 ``[B]``.
    """
    count = logits.shape[0]
    coins = paddle.randint(0, 2, [DRAWS, share.size * count]).astype("float32")
    own = coins[:, share.rank * count : (share.rank + 1) * count]
    return rademacher_complexity(margins(logits, labels), 2.0 * own - 1.0, share)


class Rademacher:
    """``weight`` times the local Rademacher complexity of the margins of a batch.

    Of mixed pictures the labels are those before mixing, as in the original.
    """

    def __init__(self, setting: Setting, options: WeightOptions) -> None:
        self._weight = options.weight

    def loss(self, step: Step) -> paddle.Tensor:
        """See ``Term``."""
        return self._weight * sampled_complexity(step.outputs, step.truth.targets, step.share)
