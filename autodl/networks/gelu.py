"""Paddle's GELU, trained faster on a CPU."""

from __future__ import annotations

from ctypes import c_float
from functools import lru_cache

import paddle
from paddle import nn
from paddle.autograd import PyLayer, PyLayerContext

from autodl.networks import onednn
from autodl.networks.batch_kernel import (
    BatchKernel,
    Operand,
    Role,
    check_unchanged,
    versions,
)
from autodl.networks.onednn import Description, Layout, Unsupported
from autodl.networks.scoring import scores_fast


class _Kernels:
    """OneDNN's kernels of examples of one shape: the function and its gradient."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        x = Operand(onednn.SOURCE, shape, Role.INPUT)
        gradient = Operand(onednn.OF_RESULT, shape, Role.INPUT)
        y = Operand(onednn.RESULT, shape, Role.OUTPUT)
        by_x = Operand(onednn.OF_SOURCE, shape, Role.OUTPUT)
        self.forward = BatchKernel(self._forward, (x, y))
        self.backward = BatchKernel(self._backward, (x, gradient, by_x))

    def _forward(self, examples: int) -> Description:
        rows = Layout((examples, *self._shape))
        return Description(
            "dnnl_eltwise_forward_primitive_desc_create",
            onednn.FORWARD,
            onednn.GELU,
            rows.value,
            rows.value,
            c_float(0),  # parameters that GELU has not
            c_float(0),
        )

    def _backward(self, examples: int) -> Description:
        rows = Layout((examples, *self._shape))
        forward = self._forward(examples)  # has to live until the call is done
        return Description(
            "dnnl_eltwise_backward_primitive_desc_create",
            onednn.GELU,
            rows.value,
            rows.value,
            rows.value,
            c_float(0),
            c_float(0),
            forward.value,
        )


@lru_cache(maxsize=512)
def _kernels(shape: tuple[int, ...]) -> _Kernels | None:
    try:
        return _Kernels(shape)
    except Unsupported:
        return None


class _ByKernels(PyLayer):
    """GELU by oneDNN. Its gradient cannot be differentiated once more."""

    @staticmethod
    def forward(context: PyLayerContext, kernels: _Kernels, x: paddle.Tensor) -> paddle.Tensor:
        context.kernels = kernels
        context.save_for_backward(x)
        context.versions = versions([x])
        (y,) = kernels.forward(x)
        return y

    @staticmethod
    def backward(context: PyLayerContext, gradient: paddle.Tensor) -> paddle.Tensor:
        (x,) = context.saved_tensor()
        check_unchanged([x], context.versions)
        (by_x,) = context.kernels.backward(x, gradient)
        return by_x


class Gelu(nn.GELU):
    """``x`` times the share of the standard normal below ``x``.

    In training on a CPU, and in ``fast_scoring``, by oneDNN, whose polynomial is within 4e-7 of
    it, as Paddle's is; in evaluation otherwise, as it is exported, Paddle's own.
    """

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """A tensor of any shape."""
        kernels = _kernels(tuple(x.shape[1:])) if self._compiled(x) else None
        if kernels is None:
            return super().forward(x)
        return _ByKernels.apply(kernels, x) if self.training else kernels.forward(x)[0]

    def _compiled(self, x: paddle.Tensor) -> bool:
        """Whether it is for oneDNN's kernels."""
        return bool(
            (self.training or scores_fast())
            and paddle.in_dynamic_mode()
            and x.place.is_cpu_place()
            and x.dtype == paddle.float32
            and x.ndim > 0
            and x.size > 0
            and onednn.available()
        )
