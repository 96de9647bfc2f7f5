"""Whether ``eval()`` computes by the fast kernels that training has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import paddle

_FAST: ContextVar[bool] = ContextVar("fast kernels in evaluation", default=False)


def scores_fast() -> bool:
    """Whether what is evaluated now may be computed in another order than Paddle's."""
    return _FAST.get()


@contextmanager
def fast_scoring() -> Iterator[None]:
    """Compute convolutions and GELUs of networks in evaluation as in training, without gradients.

    For whoever looks at many examples. Sums are rounded in another order, all in float32; on a
    CPU a network takes a third to a half of its time. Elsewhere it has no effect.
    """
    before = _FAST.set(True)
    try:
        with paddle.no_grad():
            yield
    finally:
        _FAST.reset(before)
