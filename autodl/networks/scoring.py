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

    For whoever looks at many examples: a kernel is compiled for every shape of maps. Sums are
    rounded in another order, all in float32. It is for layers that oneDNN trains, on a CPU.
    """
    before = _FAST.set(True)
    try:
        with paddle.no_grad():
            yield
    finally:
        _FAST.reset(before)
