"""Whether a model computes the same with other layers in the place of some of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import paddle
from paddle import nn

from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.pairs import Place, evaluating, tensors

Change: TypeAlias = Sequence[tuple[Place, nn.Layer]]  # layers and where they are to stand


def require_equal_outputs(
    model: nn.Layer, example: paddle.Tensor, changes: Mapping[str, Change]
) -> None:
    """Check on the example that the model computes the same after the changes; it stays as it is.

    Raises:
        ReparameterisationError: it does not; the message names the changes that alone do harm.
    """

    def outputs(paths: Collection[str]) -> list[paddle.Tensor]:
        """With some of the changes; of a clone, because a model may write to its input."""
        chosen = [step for path in paths for step in changes[path]]
        for place, layer in chosen:
            place.put(layer)
        try:
            return [t for t in tensors(model(example.clone())) if t.is_floating_point()]
        finally:
            for place, _ in chosen:
                place.put(place.layer)

    with evaluating(model), paddle.no_grad():
        expected = outputs(())
        if _close(outputs(changes), expected):
            return
        harmful = [path for path in changes if not _close(outputs([path]), expected)]
    raise ReparameterisationError(
        f"fusing {', '.join(harmful or changes)} changes the outputs on the example by more than"
        " rounding; something else reads a convolution's output or kernel, or the model draws"
        " random numbers in evaluation mode"
    )


def _close(found: Sequence[paddle.Tensor], expected: Sequence[paddle.Tensor]) -> bool:
    """Whether outputs agree up to rounding, which adds up over layers.

    The bound is the square root of the type's epsilon, 3e-4 of the largest output in float32;
    networks of 22 blocks are found within 1e-6.
    """
    if [tensor.shape for tensor in found] != [tensor.shape for tensor in expected]:
        return False
    for one, other in zip(found, expected, strict=True):
        bound = paddle.finfo(other.dtype).eps ** 0.5
        a, b = (tensor.astype("float64").numpy() for tensor in (one, other))
        largest = np.abs(b[np.isfinite(b)]).max(initial=0.0)
        if not np.allclose(a, b, rtol=0.0, atol=bound * largest, equal_nan=True):
            return False
    return True
