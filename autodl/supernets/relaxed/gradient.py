"""The gradient of the held-out loss by an architecture's logits, as the weights are or will be.

Weights ``w`` that minimise the training loss ``T`` depend on the logits ``a``. One step of SGD
stands for the minimum::

    w' = w - rate (momentum m + grad_w T(w, a) + decay w)

and the held-out loss ``V(w', a)`` has the gradient ::

    grad_a V(w', a) - rate (grad_a T(w + e v, a) - grad_a T(w - e v, a)) / (2 e)

with ``v = grad_w' V(w', a)`` and ``e = 0.01 / |v|``. At the rate 0, the first order, ``w'`` is
``w``.

Source: Liu et al., DARTS, ICLR 2019, equations 5 to 8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import paddle

Tensors = Sequence[paddle.Tensor]
Loss = Callable[[], paddle.Tensor]
_DISTANCE = 0.01  # between the weights and either side, of the finite difference


def first_order(weights: Tensors, logits: Tensors, held_out: Loss) -> list[paddle.Tensor]:
    """``grad_a V(w, a)``.

    Args:
        weights, logits: leaves without gradients.
        held_out: the loss, a scalar, with the values that weights and logits have when it is
            called.
    """
    return _slopes(held_out, logits, constant=weights)


def _slopes(loss: Loss, by: Tensors, *, constant: Tensors = ()) -> list[paddle.Tensor]:
    """The gradients of a loss by leaves, which have none afterwards.

    Args:
        constant: leaves by which nothing is derived, so that it costs nothing.
    """
    known = [one.stop_gradient for one in constant]
    for one in constant:
        one.stop_gradient = True
    try:
        loss().backward()  # paddle.grad does not go through layers of one's own
        return [one.grad.clone() for one in by]  # clearing takes the memory of what it clears
    finally:
        for one, was in zip(constant, known, strict=True):
            one.stop_gradient = was
        for one in by:
            one.clear_gradient(False)


def second_order(
    weights: Tensors,
    logits: Tensors,
    train: Loss,
    held_out: Loss,
    *,
    rate: float,
    carried: Tensors,
) -> list[paddle.Tensor]:
    """The gradient above. Weights are moved on the way, and in the end what they were, bit for bit.

    Args:
        weights, logits: leaves without gradients.
        train, held_out: losses, scalars, with the values that weights and logits have when they
            are called; ``train`` gives the same for the same values.
        rate: of the step, from 0.
        carried: of each weight ``momentum m + decay w``.
    """
    start = [weight.clone().detach() for weight in weights]

    def move(by: float, along: Tensors) -> None:
        with paddle.no_grad():
            for weight, origin, direction in zip(weights, start, along, strict=True):
                paddle.assign(origin + by * direction, weight)

    try:
        slopes = _slopes(train, weights, constant=logits)
        move(-rate, [slope + more for slope, more in zip(slopes, carried, strict=True)])
        found = _slopes(held_out, [*logits, *weights])
        by_logits, by_weights = found[: len(logits)], found[len(logits) :]
        norm = float(sum((one.square().sum() for one in by_weights), start=paddle.zeros([])).sqrt())
        if norm == 0.0:  # nothing that the weights do changes the loss
            return list(by_logits)
        step = _DISTANCE / norm
        sides = []
        for side in (step, -step):
            move(side, by_weights)
            sides.append(_slopes(train, logits, constant=weights))
    finally:
        move(0.0, start)
    return [
        direct - rate * (above - below) / (2.0 * step)
        for direct, above, below in zip(by_logits, *sides, strict=True)
    ]
