"""Paddle's convolution, trained faster on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.autograd import PyLayer, PyLayerContext
from paddle.hapi.dynamic_flops import register_hooks

from autodl.networks import onednn
from autodl.networks.batch_kernel import (
    BatchKernel,
    Operand,
    Role,
    check_unchanged,
    versions,
)
from autodl.networks.onednn import Description, Layout, Unsupported, numbers
from autodl.networks.precision import reduced_products
from autodl.networks.scoring import scores_fast


@dataclass(frozen=True)
class _Geometry:
    """A convolution without groups: everything but the number of pictures.

    ``inputs`` is ``(C, H, W)``, ``weight`` ``(O, C, h, w)``; ``padding`` is that of the top, left,
    bottom and right.
    """

    inputs: tuple[int, ...]
    weight: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[int, int, int, int]
    bias: bool

    @property
    def outputs(self) -> tuple[int, int, int]:
        """``(O, H', W')``."""
        height, width = (
            (self.inputs[1 + axis] + self.padding[axis] + self.padding[2 + axis] - reach - 1)
            // self.stride[axis]
            + 1
            for axis in (0, 1)
            for reach in [self.dilation[axis] * (self.weight[2 + axis] - 1)]
        )
        return self.weight[0], height, width


class _Kernels:
    """OneDNN's kernels of a convolution: itself, and its gradients by its input and its weight.

    Args:
        reduced: what is multiplied is rounded to bfloat16; sums and results are float32.

    Raises:
        Unsupported: oneDNN has no fast one.
    """

    def __init__(self, geometry: _Geometry, reduced: bool) -> None:
        self._geometry = geometry
        self._factors = onednn.BFLOAT16 if reduced else onednn.FLOAT32
        inputs, outputs, weights = geometry.inputs, geometry.outputs, geometry.weight
        x = Operand(onednn.SOURCE, inputs, Role.INPUT)
        weight = Operand(onednn.WEIGHTS, weights, Role.CONSTANT)
        bias = [Operand(onednn.BIAS, weights[:1], Role.CONSTANT)] if geometry.bias else []
        y = Operand(onednn.RESULT, outputs, Role.OUTPUT)
        of_y = Operand(onednn.OF_RESULT, outputs, Role.INPUT)
        of_x = Operand(onednn.OF_SOURCE, inputs, Role.OUTPUT)
        of_weight = Operand(onednn.OF_WEIGHTS, weights, Role.SUM)
        self.forward = BatchKernel(self._forward, (x, weight, *bias, y))
        self.by_x = BatchKernel(self._by_x, (of_y, weight, of_x))
        self.by_weight = BatchKernel(self._by_weight, (x, of_y, of_weight))
        kernels = (self.forward, self.by_x, self.by_weight)
        if reduced and not all("amx" in kernel.implementation for kernel in kernels):
            raise Unsupported("without AMX bfloat16 is slower than float32")

    def _arrays(self, pictures: int, product: int) -> tuple[Layout, Layout, Layout]:
        """Input, weight and output, of which ``product`` is the place of what is computed."""
        shapes = (
            (pictures, *self._geometry.inputs),
            self._geometry.weight,
            (pictures, *self._geometry.outputs),
        )
        x, weight, y = (
            Layout(shape, free=True, kind=onednn.FLOAT32 if place == product else self._factors)
            for place, shape in enumerate(shapes)
        )
        return x, weight, y

    @property
    def _steps(self) -> tuple[object, ...]:
        geometry = self._geometry
        return (
            numbers(geometry.stride),
            numbers([step - 1 for step in geometry.dilation]),
            numbers(geometry.padding[:2]),
            numbers(geometry.padding[2:]),
        )

    def _forward(self, pictures: int) -> Description:
        x, weight, y = self._arrays(pictures, product=2)
        bias = Layout(self._geometry.weight[:1]) if self._geometry.bias else None
        return Description(
            "dnnl_convolution_forward_primitive_desc_create",
            onednn.FORWARD,
            onednn.DIRECT,
            x.value,
            weight.value,
            bias and bias.value,
            y.value,
            *self._steps,
        )

    def _by_x(self, pictures: int) -> Description:
        x, weight, y = self._arrays(pictures, product=0)
        forward = self._forward(pictures)  # has to live until the call is done
        return Description(
            "dnnl_convolution_backward_data_primitive_desc_create",
            onednn.DIRECT,
            x.value,
            weight.value,
            y.value,
            *self._steps,
            forward.value,
        )

    def _by_weight(self, pictures: int) -> Description:
        x, weight, y = self._arrays(pictures, product=1)
        forward = self._forward(pictures)  # has to live until the call is done
        return Description(
            "dnnl_convolution_backward_weights_primitive_desc_create",
            onednn.DIRECT,
            x.value,
            weight.value,
            None,
            y.value,
            *self._steps,
            forward.value,
        )


def _sides(padding: Sequence[int]) -> tuple[int, int, int, int]:
    """Paddle's padding of two or four sides as top, left, bottom and right."""
    each = 1 if len(padding) == 4 else 2
    top, bottom, left, right = (side for side in padding for _ in range(each))
    return top, left, bottom, right


@lru_cache(maxsize=512)
def _kernels(geometry: _Geometry, reduced: bool) -> _Kernels | None:
    """OneDNN's kernels for this, all three; of float32 where not of bfloat16; None: of neither."""
    try:
        return _Kernels(geometry, reduced)
    except Unsupported:
        return _kernels(geometry, False) if reduced else None


class _ByKernels(PyLayer):
    """A convolution by oneDNN. Its gradient cannot be differentiated once more."""

    @staticmethod
    def forward(
        context: PyLayerContext,
        kernels: _Kernels,
        x: paddle.Tensor,
        weight: paddle.Tensor,
        *bias: paddle.Tensor,
    ) -> paddle.Tensor:
        context.kernels = kernels
        context.save_for_backward(x, weight)
        context.versions = versions([x, weight])
        context.wanted = [not tensor.stop_gradient for tensor in (x, weight, *bias)]
        (y,) = kernels.forward(x, weight, *bias)
        return y

    @staticmethod
    def backward(
        context: PyLayerContext, gradient: paddle.Tensor
    ) -> tuple[paddle.Tensor | None, ...]:
        x, weight = context.saved_tensor()
        check_unchanged([x, weight], context.versions)
        kernels, (by_x, by_weight, *by_bias) = context.kernels, context.wanted
        return (
            kernels.by_x(gradient, weight)[0] if by_x else None,
            kernels.by_weight(x, gradient)[0] if by_weight else None,
            *(gradient.flatten(2).sum([0, 2]) if wanted else None for wanted in by_bias),
        )


def _shifted(maps: paddle.Tensor, bias: paddle.Tensor) -> paddle.Tensor:
    """A bias ``[C]`` added to ``[B, C, H, W]``, as to maps of one dimension less.

    On a CPU Paddle adds it to four so slowly, forth and back, that it takes half as long as the
    convolution before it.
    """
    return (maps.flatten(2) + bias.unsqueeze(1)).reshape(maps.shape)


class _BackByConvolution(PyLayer):
    """Adds a bias, and gives a convolution's input its gradient, which is a convolution too.

    That of the outputs' gradient with the kernels turned by 180 degrees, from outputs to inputs;
    the stride is 1. Paddle spreads it out to a matrix of all windows and adds that up, which on a
    CPU takes 1.0 to 1.9 times as long.
    """

    @staticmethod
    def forward(
        context: PyLayerContext,
        maps: paddle.Tensor,
        x: paddle.Tensor,
        weight: paddle.Tensor,
        padding: int,
        *bias: paddle.Tensor,
    ) -> paddle.Tensor:
        """``maps`` is the convolution of ``x`` as a constant, for the weight's gradient alone."""
        context.weight, context.around = weight, weight.shape[2] - 1 - padding
        context.with_bias = bool(bias)
        return _shifted(maps, *bias) if bias else maps.clone()  # Paddle wants a new tensor

    @staticmethod
    def backward(context: PyLayerContext, gradient: paddle.Tensor) -> tuple[paddle.Tensor, ...]:
        turned = context.weight.flip([2, 3]).transpose([1, 0, 2, 3])
        by_x = F.conv2d(gradient, turned, padding=context.around)
        by_bias = [gradient.flatten(2).sum([0, 2])] if context.with_bias else []
        return gradient, by_x, None, *by_bias


class Convolution(nn.Conv2D):
    """A convolution that trains faster on a CPU than Paddle's, and is Paddle's otherwise.

    Sums are rounded in another order. In evaluation it is Paddle's own, to the last bit, except
    within ``fast_scoring``. In training ``paddle.grad`` by the input alone, or by some of the
    parameters, needs ``stop_gradient`` on the others: Paddle cannot tell a Python function what it
    is not asked for.
    """

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """``[B, C, H, W]`` to ``[B, O, H', W']``."""
        bias = [] if self.bias is None else [self.bias]
        if not self.training:  # as it is exported
            kernels = self._compiled(x, reduced=False) if scores_fast() else None
            if kernels is None:
                return super().forward(x)
            return kernels.forward(x, self.weight, *bias)[0]
        kernels = self._compiled(x, reduced_products() and onednn.multiplies_bfloat16())
        if kernels is not None:
            return _ByKernels.apply(kernels, x, self.weight, *bias)
        return self._by_paddle(x)

    def _compiled(self, x: paddle.Tensor, reduced: bool) -> _Kernels | None:
        """OneDNN's kernels, where they pay: products of single pixels Paddle computes faster."""
        if not (
            paddle.in_dynamic_mode()
            and x.place.is_cpu_place()
            and x.dtype == self.weight.dtype == paddle.float32
            and self._groups == 1
            and prod(self._kernel_size) > 1
            and onednn.available()
        ):
            return None
        return _kernels(
            _Geometry(
                tuple(x.shape[1:]),
                tuple(self.weight.shape),
                tuple(self._stride),
                tuple(self._dilation),
                _sides(self._updated_padding),
                self.bias is not None,
            ),
            reduced,
        )

    def _by_paddle(self, x: paddle.Tensor) -> paddle.Tensor:
        back = self._backs_by_convolution(x)
        maps = F.conv2d(
            x.detach() if back else x,
            self.weight,
            stride=self._stride,
            padding=self._updated_padding,
            dilation=self._dilation,
            groups=self._groups,
        )
        bias = [] if self.bias is None else [self.bias]
        if back:
            padding = self._updated_padding[0]
            return _BackByConvolution.apply(maps, x, self.weight.detach(), padding, *bias)
        return _shifted(maps, *bias) if bias else maps

    def _backs_by_convolution(self, x: paddle.Tensor) -> bool:
        height, width = self._kernel_size
        padding = self._updated_padding
        return (
            x.place.is_cpu_place()
            and not x.stop_gradient
            and not self.weight.stop_gradient
            and self._groups == 1
            # of many more outputs than inputs all windows would be the larger matrix
            and self._out_channels <= 2 * self._in_channels
            and height == width > 1
            and all(step == 1 for step in (*self._stride, *self._dilation))
            and len(set(padding)) == 1
            and padding[0] < height
        )


# paddle.flops goes by the exact type: it would count 0 for these, and say nothing
register_hooks[Convolution] = register_hooks[nn.Conv2D]
