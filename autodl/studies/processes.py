"""Work side by side in processes of their own, in which Paddle and PARL can be imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, set_start_method
from typing import Protocol, TypeVar

from autodl.errors import AutoDLError
from autodl.system.parent import end_with_parent

T = TypeVar("T")
R = TypeVar("R")


class Mapped(Protocol):
    """``map``: a function of one value, over values, in their order."""

    def __call__(self, function: Callable[[T], R], values: Iterable[T], /) -> Iterable[R]: ...


@contextmanager
def pool(workers: int) -> Iterator[Mapped]:
    """A ``map`` over processes; in this one for a single worker.

    Raises:
        AutoDLError: a worker process died.
    """
    if workers < 2:
        yield map
        return
    context = get_context("spawn")  # a forked Paddle hangs
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin) as executor:
        try:
            yield executor.map
        except BrokenProcessPool:
            raise AutoDLError(
                f"one of the {workers} worker processes died, perhaps for want of memory; take"
                " fewer workers"
            ) from None


def _begin() -> None:
    """Let PARL start the process that it starts when it is imported: it cannot be spawned."""
    set_start_method("fork", force=True)
    end_with_parent()
