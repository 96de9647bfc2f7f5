"""The one place where a device is chosen."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import paddle

from autodl.errors import DeviceError
from autodl.networks.onednn import training_kernels

_LAUNCHED_GPU = "FLAGS_selected_gpus"  # set by paddle.distributed.launch in every process


def gpu_count() -> int:
    """GPUs that Paddle sees: those that CUDA_VISIBLE_DEVICES leaves, 0 without CUDA."""
    if not paddle.device.is_compiled_with_cuda():
        return 0
    return int(paddle.device.cuda.device_count())


def resolve_device(name: str) -> str:
    """The full name, ``cpu`` or ``gpu:N``, of a device that is there; nothing is switched.

    Args:
        name: ``auto`` (a GPU, or else the CPU), ``cpu``, ``gpu`` or ``gpu:N``. Without a number
            it is the GPU that ``paddle.distributed.launch`` gave this process, or the first.

    Raises:
        DeviceError: no such device here.
    """
    gpus = gpu_count()
    if name == "auto":
        name = "gpu" if gpus else "cpu"
    match = re.fullmatch(r"cpu|gpu(?::(\d+))?", name)
    if match is None:
        raise DeviceError(f"Global.device is auto, cpu, gpu or gpu:N, got {name!r}")
    if name == "cpu":
        return name
    number = int(match[1] or os.environ.get(_LAUNCHED_GPU, "0").split(",")[0])
    if number >= gpus:
        has_cuda = paddle.device.is_compiled_with_cuda()
        mend = "check its driver" if has_cuda else "install paddlepaddle-gpu"
        raise DeviceError(
            f"Global.device {name!r} is not there: this Paddle sees {gpus} GPUs;"
            f" use Global.device=cpu, or {mend}"
        )
    return f"gpu:{number}"


def noted_kernels(amp: bool) -> dict[str, str]:
    """Whose kernels a training of mixed precision computes by here, for ``run.json``.

    Those of float32 are not noted.
    """
    return {"kernels": training_kernels(amp)} if amp else {}


def select_device(name: str) -> str:
    """Make Paddle compute on a device and return its full name; see ``resolve_device``."""
    device = resolve_device(name)
    paddle.set_device(device)
    return device


def compute_clock() -> Callable[[], float]:
    """Seconds that computing takes: of all the processors' time on a CPU, of the wall on a GPU.

    The first do not grow with what else the machine does, but for shared caches and clock rates.
    """
    return time.perf_counter if paddle.get_device().startswith("gpu") else time.process_time


@contextmanager
def computing_on(name: str) -> Iterator[None]:
    """Compute on another device within a block; see ``resolve_device``."""
    before = paddle.get_device()
    paddle.set_device(resolve_device(name))
    try:
        yield
    finally:
        paddle.set_device(before)
