"""Measuring a network on pictures it does not learn from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn

from autodl.data.batches import Normalisation, iterate
from autodl.data.dataset import Pictures
from autodl.training.parallel import ALONE, Share
from autodl.trial import TrialFailure


@dataclass(frozen=True, slots=True)
class Score:
    """Share of pictures whose likeliest class is the right one, and their mean cross-entropy."""

    accuracy: float
    loss: float


@paddle.no_grad()  # type: ignore[untyped-decorator]
def logits_of(
    network: nn.Layer,
    pictures: Pictures,
    normalisation: Normalisation,
    batch_size: int = 256,
    *,
    mirrored: bool = False,
) -> NDArray[np.float32]:
    """Logits of every picture, float32 ``[N, classes]``, in evaluation mode.

    The network's training mode is restored afterwards.

    Args:
        mirrored: give the mean of each picture's logits and those of its mirror image.
    """
    was_training = network.training
    network.eval()

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = network(paddle.to_tensor(images)).astype("float32").numpy()
        return logits

    parts = []
    for images, _ in iterate(pictures, batch_size, normalisation=normalisation):
        logits = run(images)
        if mirrored:
            logits = np.float32(0.5) * (logits + run(np.ascontiguousarray(images[..., ::-1])))
        parts.append(logits)
    if was_training:
        network.train()
    return np.concatenate(parts)


def score(
    network: nn.Layer,
    pictures: Pictures,
    normalisation: Normalisation,
    share: Share = ALONE,
    *,
    mirrored: bool = False,
) -> Score:
    """Measure a network on pictures; of equal logits the first class counts.

    Args:
        share: where several processes have the network, each looks at its part of the pictures;
            all get the score on all of them.
        mirrored: see ``logits_of``.
    """
    if len(pictures) < share.size:
        share = ALONE  # all of them look at all
    own = pictures
    if share.size > 1:
        own = Pictures(share.part(pictures.images), share.part(pictures.labels))
    logits = logits_of(network, own, normalisation, mirrored=mirrored).astype(np.float64)
    right = (logits.argmax(axis=1) == own.labels).sum()
    loss = cross_entropy(logits, own.labels).sum()
    totals = share.total(paddle.to_tensor([float(right), float(loss)], dtype="float64"))
    accuracy, mean_loss = (totals.numpy() / len(pictures)).tolist()
    return Score(accuracy, mean_loss)


def final_score(
    network: nn.Layer,
    pictures: Pictures,
    normalisation: Normalisation,
    share: Share = ALONE,
    *,
    mirrored: bool = False,
) -> Score:
    """Measure a network whose training is over; see ``score``.

    Raises:
        TrialFailure: the loss is not finite; the accuracy would be that of the first class.
    """
    final = score(network, pictures, normalisation, share, mirrored=mirrored)
    if not math.isfinite(final.loss):
        raise TrialFailure(
            f"the held-out loss is {final.loss} after training;"
            " a lower Train.learning_rate or Train.gradient_clip may help"
        )
    return final


def cross_entropy(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """-log softmax(logits)[label] of every row: float64 ``[N, classes]`` to ``[N]``."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    taken = np.take_along_axis(shifted, labels[:, None], axis=1)[:, 0]
    losses: NDArray[np.float64] = np.log(np.exp(shifted).sum(axis=1)) - taken
    return losses
