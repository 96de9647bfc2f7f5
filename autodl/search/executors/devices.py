"""Which GPU a worker sees, and how many workers that makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

VISIBLE = "CUDA_VISIBLE_DEVICES"


def gpus_to_share(asked: str, count: int, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the GPUs that workers are spread over; empty where all use the same device.

    Args:
        asked: ``Global.device``; ``gpu:N`` is that one alone.
        count: GPUs that CUDA sees in this process.
        environment: its variables. What CUDA_VISIBLE_DEVICES holds (numbers, UUIDs, MIG names) is
            kept: CUDA goes by its order and stops at the first entry that is no GPU here.
    """
    if asked not in ("auto", "gpu"):
        return ()
    visible = environment.get(VISIBLE)
    if visible is None:
        return tuple(map(str, range(count)))
    return tuple(name.strip() for name in visible.split(","))[:count]


def gpu_of_worker(worker: int, gpus: Sequence[str]) -> dict[str, str]:
    """Environment in which a worker sees one of the GPUs, round-robin; nothing without GPUs."""
    return {VISIBLE: gpus[worker % len(gpus)]} if gpus else {}


def gpu_share(workers: int, gpus: int) -> float:
    """The part of a GPU that each worker has where so many share them evenly, at most 1."""
    return 1.0 / ceil(workers / gpus)
