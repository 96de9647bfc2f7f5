"""One training by several processes: which part of the work is this process's.

``python -m paddle.distributed.launch`` starts the processes, ``join`` connects them: by NCCL on
GPUs, by gloo on CPUs. Everything else takes a ``Share`` and does the same whatever its size:
alone, a part is the whole, and a mean over the processes the value itself. Each process trains
on its part of every batch; gradients are averaged before they are clipped, so that all processes
make the same update, and ``shared_layers.py`` takes care of the layers that mix pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import paddle
import paddle.distributed as dist
from numpy.typing import NDArray

from autodl.errors import DeviceError
from autodl.training.device import select_device

Number = TypeVar("Number", bound=np.generic)

_LEADER = 0
_LOST = "another process of this training has ended or does not answer"


@dataclass(frozen=True, slots=True)
class Share:
    """This process's share of a training that ``size`` processes do together.

    All processes have to call the same methods in the same order; a process waits in each of
    them (but ``part``) for all others.

    Raises:
        DeviceError: in every method that communicates, another process has ended or has kept
            this one waiting for too long (gloo: 30 seconds).
    """

    rank: int = _LEADER
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the one process that prints and writes files."""
        return self.rank == _LEADER

    def part(self, whole: NDArray[Number]) -> NDArray[Number]:
        """This process's rows: a view; the parts of all processes in turn are ``whole``."""
        count = len(whole)
        return whole[count * self.rank // self.size : count * (self.rank + 1) // self.size]

    def total(self, value: paddle.Tensor) -> paddle.Tensor:
        """Sum over all processes of a tensor, which has the same shape in each."""
        if self.size == 1:
            return value
        summed = value.clone()
        with _connected():
            dist.all_reduce(summed)
        return summed

    def mean(self, value: paddle.Tensor) -> paddle.Tensor:
        """Mean over all processes of a tensor, which has the same shape in each."""
        return value if self.size == 1 else self.total(value) / self.size

    def gather(self, value: paddle.Tensor) -> paddle.Tensor:
        """The tensors of all processes: ``[size, ...]``. For small ones.

        As a sum with zeros, which is exact: on a CPU that takes a sixth of Paddle's all_gather.
        """
        rows = [
            value if rank == self.rank else paddle.zeros_like(value) for rank in range(self.size)
        ]
        return self.total(paddle.stack(rows))

    def broadcast(self, data: bytes) -> bytes:
        """What the leading process gave; what the others gave does not matter."""
        if self.size == 1:
            return data
        length = paddle.to_tensor([len(data)], dtype="int64")
        with _connected():
            dist.broadcast(length, _LEADER)
            content = np.zeros(int(length), np.uint8)
            if self.leads:
                content[:] = np.frombuffer(data, np.uint8)
            tensor = paddle.to_tensor(content)
            dist.broadcast(tensor, _LEADER)
        received: bytes = tensor.numpy().tobytes()
        return received

    def backward(self, loss: paddle.Tensor, parameters: Iterable[paddle.Tensor]) -> None:
        """Give the parameters the gradients of the mean of all processes' losses.

        Args:
            loss: scalar, of this process.
            parameters: those without a gradient are left without.
        """
        with _connected_layers():
            loss.backward()
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        # in one go: what a communication costs is mostly the waiting
        flat = self.mean(paddle.concat([gradient.reshape([-1]) for gradient in gradients]))
        means = flat.split([gradient.size for gradient in gradients])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.set_value(mean.reshape(gradient.shape))


ALONE = Share()
"""The share of a process that trains by itself: everything."""


def join(device: str) -> Share:
    """Connect to the processes that ``paddle.distributed.launch`` has started with this one.

    Args:
        device: ``Global.device``; with several processes on GPUs, each takes the GPU that the
            launcher gave it, so ``gpu:N`` is for one process only.

    Returns:
        ``ALONE`` in a process that was started by itself.

    Raises:
        DeviceError: no such device here, one GPU for several processes, or a process is missing.
    """
    size = dist.get_world_size()
    if size == 1:
        return ALONE
    if ":" in device:
        raise DeviceError(
            f"Global.device {device!r} is one device for {size} processes; use Global.device=gpu,"
            " and choose the devices by --devices of paddle.distributed.launch"
        )
    on_cpu = select_device(device) == "cpu"
    # else a GPU build would take NCCL for tensors on the CPU
    os.environ["PADDLE_DISTRI_BACKEND"] = "gloo" if on_cpu else "nccl"
    with _connected():
        dist.init_parallel_env()
    return Share(dist.get_rank(), size)


@contextmanager
def _connected() -> Iterator[None]:
    """Say what a failed communication means; the library's message is about sockets."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise DeviceError(
            f"{_LOST}; the log of the one that failed first says why, and --resume goes on"
            f" ({reason[0]})"
        ) from None


@contextmanager
def _connected_layers() -> Iterator[None]:
    """The same for what layers say to each other in a backward pass."""
    try:
        yield
    except OSError as error:  # into which Paddle packs what a PyLayer's backward raises
        told = [line.partition(_LOST)[2] for line in str(error).splitlines() if _LOST in line]
        if not told:
            raise
        raise DeviceError(_LOST + told[0]) from None
