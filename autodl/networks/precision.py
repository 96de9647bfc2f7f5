"""Whether convolutions may multiply in bfloat16 on a CPU, as ``paddle.amp`` has it for a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import paddle

_REDUCED: ContextVar[bool] = ContextVar("products in bfloat16", default=False)


def reduced_products() -> bool:
    """Whether products are to be of bfloat16 now."""
    return _REDUCED.get()


@contextmanager
def mixed_precision(enabled: bool) -> Iterator[None]:
    """Compute what is called within faster, where the device can, by numbers of half the size.

    On a GPU this is ``paddle.amp`` with float16. On a CPU, convolutions that oneDNN trains round
    what they multiply to bfloat16 (8 significant bits), forth and back, and add it up in
    float32; this needs a processor with AMX, and has no effect on others. All else is computed in
    float32, weights are float32, and so is what ``eval()`` computes.

    Args:
        enabled: False computes all in float32.
    """
    if paddle.get_device().startswith("gpu"):
        with paddle.amp.auto_cast(enable=enabled, dtype="float16"):
            yield
        return
    before = _REDUCED.set(enabled)
    try:
        yield
    finally:
        _REDUCED.reset(before)
