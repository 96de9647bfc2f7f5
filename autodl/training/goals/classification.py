"""Classes: cross-entropy, with soft targets where they are smoothed or mixed, and accuracy."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray
from paddle import nn

from autodl.tasks.task import Part, Score, Task
from autodl.training.goal import Truth
from autodl.training.metrics import Views, cross_entropy, mean_score
from autodl.training.parallel import ALONE, Share


class Classification:
    """Targets are class numbers, int64 ``[B]``; outputs are logits ``[B, classes]``."""

    def __init__(self, label_smoothing: float = 0.0) -> None:
        """``label_smoothing`` is the share of each target that goes to all classes alike.

        It is here and no term of the loss, as it changes the targets that the one cross-entropy
        is of, together with the mixing of examples; as a term it would be a second softmax.
        """
        self._smoothing = label_smoothing

    def loss(self, outputs: paddle.Tensor, truth: Truth) -> paddle.Tensor:
        """Mean cross-entropy, scalar."""
        smoothing, classes = self._smoothing, outputs.shape[1]
        if truth.partners is None and not smoothing:
            return F.cross_entropy(outputs, truth.targets)
        soft = F.one_hot(truth.targets, classes)
        if truth.partners is not None:
            weight = np.float32(truth.weight)
            partners = F.one_hot(truth.partners, classes)
            soft = soft * float(weight) + partners * float(np.float32(1) - weight)
        soft = (1.0 - smoothing) * soft + smoothing / classes
        return F.cross_entropy(outputs, soft, soft_label=True)

    def tally(self, outputs: paddle.Tensor, truth: Truth) -> paddle.Tensor:
        """Number of hits; of equal logits the first class counts."""
        return (outputs.argmax(axis=1) == truth.targets).sum().astype("float32")

    def score(
        self,
        network: nn.Layer,
        task: Task,
        part: Part,
        share: Share = ALONE,
        *,
        views: bool | Views = False,
    ) -> Score:
        """Accuracy and mean cross-entropy; of equal logits the first class counts."""
        return mean_score(_measure, network, task, part, share, views=views)


def _measure(
    logits: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    return logits.argmax(axis=1) == labels, cross_entropy(logits, labels)
