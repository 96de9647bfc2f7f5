"""Measuring a network on examples it does not learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn

from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.data.views import one_view
from autodl.networks.scoring import fast_scoring
from autodl.tasks.pictures import PictureTask
from autodl.tasks.task import Batch, Part, Rows, Score, Task
from autodl.training.parallel import ALONE, Share

_BATCH = 256  # examples at a time; it has no influence on what is measured
_MANY = 16  # examples for which it pays to compile kernels

Measure = Callable[[NDArray[np.float64], Rows], tuple[NDArray[Any], NDArray[Any]]]
"""(outputs ``[N, ...]``, targets ``[N, ...]``) -> (metric ``[N]``, loss ``[N]``) of each."""


Views = Callable[[Rows], tuple[Rows, ...]]
"""Inputs ``[B, ...]`` -> inputs of the same shape that show the same."""


def outputs_of(
    network: nn.Layer,
    batches: Iterable[Batch],
    views: Views = one_view,
) -> tuple[NDArray[np.float32], Rows]:
    """Outputs for every example, float32 ``[N, ...]``, in evaluation mode, and the targets.

    The network's training mode is restored afterwards.

    Args:
        views: of several views of each example, the mean of the outputs is given. An array that
            is among them twice counts twice.
    """
    each, targets = outputs_by_view(network, batches, views)
    return mean_of_views(each), targets


def mean_of_views(each: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The mean of arrays of one shape, summed up in their order."""
    mean: NDArray[np.float32] = np.add.reduce(each) / np.float32(len(each))
    return mean


def outputs_by_view(
    network: nn.Layer, batches: Iterable[Batch], views: Views
) -> tuple[list[NDArray[np.float32]], Rows]:
    """Outputs of every example as ``outputs_of``, of each view by itself, and the targets.

    An array that is among the views of a batch twice is looked at once.
    """
    was_training = network.training
    network.eval()
    outputs: list[list[NDArray[np.float32]]] = []
    targets: list[Rows] = []
    for batch in batches:
        seen = views(batch.inputs)
        with fast_scoring() if len(batch.inputs) >= _MANY else paddle.no_grad():
            once = {
                id(view): network(paddle.to_tensor(view)).astype("float32").numpy()
                for view in {id(view): view for view in seen}.values()
            }
        outputs.append([once[id(view)] for view in seen])
        targets.append(batch.targets)
    if was_training:
        network.train()
    each = [np.concatenate(of_view) for of_view in zip(*outputs, strict=True)]
    return each, np.concatenate(targets)


def logits_of(
    network: nn.Layer,
    pictures: Pictures,
    normalisation: Normalisation,
    batch_size: int = _BATCH,
    *,
    mirrored: bool = False,
    views: Views | None = None,
) -> NDArray[np.float32]:
    """Logits of every picture, float32 ``[N, classes]``; see ``outputs_of``.

    Args:
        mirrored: give the mean of each picture's logits and those of its mirror image.
        views: give the mean over these in the place of that.
    """
    task = PictureTask.alone(pictures, normalisation)
    views = views or (task.views if mirrored else one_view)
    return outputs_of(network, task.batches("train", batch_size), views)[0]


def logits_by_view(
    network: nn.Layer, pictures: Pictures, normalisation: Normalisation, views: Views
) -> list[NDArray[np.float32]]:
    """Logits of every picture, float32 ``[N, classes]``, of each view; see ``outputs_by_view``."""
    task = PictureTask.alone(pictures, normalisation)
    return outputs_by_view(network, task.batches("train", _BATCH), views)[0]


def mean_score(
    measure: Measure,
    network: nn.Layer,
    task: Task,
    part: Part,
    share: Share = ALONE,
    *,
    views: bool | Views = False,
) -> Score:
    """The score of a goal whose metric and loss are means over the examples.

    Args:
        measure: metric and loss of each example, from its outputs.
        share: each process looks at its rows of every batch.
        views: see ``outputs_of``.
    """
    if task.count(part) < share.size:
        share = ALONE  # all of them look at all
    batches = (batch.rows(share.part) for batch in task.batches(part, _BATCH))
    own = (batch for batch in batches if len(batch))  # the last one may be too small to share
    chosen = task.views if views is True else views or one_view
    outputs, targets = outputs_of(network, own, chosen)
    values, losses = measure(outputs.astype(np.float64), targets)
    sums = [float(values.sum()), float(losses.sum())]
    totals = share.total(paddle.to_tensor(sums, dtype="float64"))
    value, loss = (totals.numpy() / task.count(part)).tolist()
    return Score(value, loss)


def cross_entropy(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """-log softmax(logits)[label] of every row: float64 ``[N, classes]`` to ``[N]``."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    taken = np.take_along_axis(shifted, labels[:, None], axis=1)[:, 0]
    losses: NDArray[np.float64] = np.log(np.exp(shifted).sum(axis=1)) - taken
    return losses
