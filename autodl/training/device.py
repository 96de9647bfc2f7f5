"""The one place where a device is chosen."""

from __future__ import annotations

import re

import paddle

from autodl.errors import DeviceError


def select_device(name: str) -> str:
    """Make Paddle compute on a device and return its full name, ``cpu`` or ``gpu:N``.

    Args:
        name: ``auto`` (the first GPU, or else the CPU), ``cpu``, ``gpu`` or ``gpu:N``.

    Raises:
        DeviceError: no such device here.
    """
    gpus = paddle.device.cuda.device_count() if paddle.device.is_compiled_with_cuda() else 0
    if name == "auto":
        name = "gpu:0" if gpus else "cpu"
    if name == "gpu":
        name = "gpu:0"
    match = re.fullmatch(r"cpu|gpu:(\d+)", name)
    if match is None:
        raise DeviceError(f"Global.device is auto, cpu, gpu or gpu:N, got {name!r}")
    if match[1] is not None and int(match[1]) >= gpus:
        compiled = paddle.device.is_compiled_with_cuda()
        hint = "check the driver" if compiled else "install paddlepaddle-gpu"
        raise DeviceError(
            f"Global.device {name!r} is not there: this Paddle sees {gpus} GPUs; use"
            f" Global.device=cpu, or {hint}"
        )
    paddle.set_device(name)
    return name
