"""The block behind ACB, DBB and RepVGG: parallel branches, summed, that become one kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.nn import initializer

from autodl.plans.layers import Padding, Pair
from autodl.reparam.branches import PaddedBatchNorm2D, fold
from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.functional import add_branches, pad_kernel
from autodl.reparam.geometry import ConvGeometry


class MultiBranchConv2D(nn.Layer):
    """Stands for a convolution and its batch-norm: the sum of its sublayers, each one a branch.

    After ``re_parameterize()`` it is one convolution with the parameters ``weight`` and ``bias``,
    named as those of ``paddle.nn.Conv2D``. Activations go behind the block.

    The positional arguments are those of ``paddle.nn.Conv2D`` in its order. ``bias_attr`` may be
    None or False, which is the same here: branches have no bias but the shift of their
    batch-norms. ``weight_attr`` holds for the kernels of all branches, so it has no name.

    Args:
        momentum, epsilon: of the batch-norms.
        deploy: build the deployed form, to load the weights of one.

    Raises:
        ReparameterisationError: arguments with which this kind of block is no single convolution.
    """

    main_branch: ClassVar[str] = "dense"  # the one whose kernel is the convolution's in size
    keeps_start: ClassVar[bool] = True  # hooks leave the first weights of branches as they are

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | str | Sequence[Any] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        padding_mode: str = "zeros",
        weight_attr: Any = None,
        bias_attr: Any = None,
        data_format: str = "NCHW",
        *,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        deploy: bool = False,
    ) -> None:
        super().__init__()
        self.geometry = ConvGeometry.read(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups
        )
        self.check(self.geometry)
        if padding_mode != "zeros" or data_format != "NCHW":
            raise ReparameterisationError(
                f"branches need padding_mode 'zeros' and data_format 'NCHW', got {padding_mode!r}"
                f" and {data_format!r}"
            )
        if bias_attr not in (None, False):
            raise ReparameterisationError(
                f"bias_attr must be None or False, got {bias_attr!r}: the branches' batch-norms"
                " hold the bias"
            )
        if getattr(weight_attr, "name", None):
            raise ReparameterisationError(
                f"weight_attr has the name {weight_attr.name!r}, which cannot serve several"
                " kernels; leave the name out"
            )
        self.is_repped = deploy
        self._weight_attr = weight_attr
        self._momentum, self._epsilon = momentum, epsilon
        if deploy:
            self._make_parameters(paddle.get_default_dtype())  # zeros, to be loaded

    @classmethod
    def check(cls, geometry: ConvGeometry) -> None:
        """Check that a convolution like this can take the form of this block.

        Raises:
            ReparameterisationError: it cannot.
        """
        geometry.require_odd()

    @classmethod
    def suits(cls, geometry: ConvGeometry) -> str:
        """Why the authors do not replace such a convolution, or an empty string.

        Both sides of the kernel are 3 or 5 in ACNet and DBB; ``check`` is a matter apart.
        """
        if min(geometry.kernel) < 3 or max(geometry.kernel) > 5:
            return f"the kernel {list(geometry.kernel)} is not between 3 and 5 on both sides"
        return ""

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """``[B, in_channels, H, W]`` to ``[B, out_channels, H', W']``."""
        if self.is_repped:
            shape = self.geometry
            return F.conv2d(
                x,
                self.weight,
                self.bias,
                list(shape.stride),
                shape.paddle_padding,
                list(shape.dilation),
                shape.groups,
            )
        first, *others = self.children()
        total = first(x)
        for branch in others:
            total = total + branch(x)
        return total

    def get_equivalent_kernel_bias(self) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Kernel ``[O, C / groups, kh, kw]`` and bias ``[O]`` in evaluation mode, differentiable.

        Half-precision branches are folded in float32 and give float32.

        Raises:
            ReparameterisationError: something in a branch cannot be folded; the message names it.
        """
        if self.is_repped:
            return self.weight, self.bias
        if type(self).forward is not MultiBranchConv2D.forward:
            raise ReparameterisationError(
                f"{type(self).__name__} has a forward of its own, which a kernel would ignore;"
                " compute in a layer around the block"
            )
        if self._forward_pre_hooks or self._forward_post_hooks:
            raise ReparameterisationError(
                "a forward hook may change what the block computes; remove it before fusing"
            )
        parts = []
        for name, branch in self.named_children():
            folded = fold(_layers_of(name, branch), self.geometry)
            parts.append((pad_kernel(folded.kernel, self.geometry.kernel), folded.bias))
        return add_branches(parts)

    def re_parameterize(self) -> None:
        """Become one convolution, in place; the branches are dropped. Again, it does nothing.

        Raises:
            ReparameterisationError: something in a branch cannot be folded; nothing is changed.
        """
        if self.is_repped:
            return
        with paddle.no_grad():
            kernel, bias = self.get_equivalent_kernel_bias()
        model = next(iter(self.parameters()))
        for name, _ in list(self.named_children()):
            delattr(self, name)
        self._make_parameters(model.dtype)
        self.to(device=model.place)
        for own, value in ((self.weight, kernel), (self.bias, bias)):
            own.set_value(value.astype(model.dtype))
            own.stop_gradient = model.stop_gradient
        self.is_repped = True

    convert_to_deploy = re_parameterize  # PaddleSlim's name

    def as_convolution(self) -> nn.Conv2D:
        """A ``paddle.nn.Conv2D`` that gives this block's outputs in evaluation mode.

        The block stays as it is. ``is_repped`` is set on the result.

        Raises:
            ReparameterisationError: something in a branch cannot be folded; the message names it.
        """
        shape = self.geometry
        with paddle.no_grad():
            kernel, bias = self.get_equivalent_kernel_bias()
        model = next(iter(self.parameters()))
        zero = initializer.Constant(0.0)  # draws nothing from the random generator
        convolution = nn.Conv2D(
            shape.in_channels,
            shape.out_channels,
            list(shape.kernel),
            list(shape.stride),
            shape.paddle_padding,
            list(shape.dilation),
            shape.groups,
            weight_attr=zero,
            bias_attr=zero,
        )
        convolution.to(device=model.place, dtype=model.dtype)
        for own, value in ((convolution.weight, kernel), (convolution.bias, bias)):
            own.set_value(value.astype(model.dtype))
            own.stop_gradient = model.stop_gradient
        convolution.training = self.training
        convolution.is_repped = True
        return convolution

    def main_layers(self) -> tuple[nn.Conv2D, nn.BatchNorm2D]:
        """The convolution of the full kernel and its batch-norm."""
        convolution, norm = self._sub_layers[self.main_branch].children()
        return convolution, norm

    def _make_parameters(self, dtype: Any) -> None:
        shape, zero = self.geometry, initializer.Constant(0.0)
        kernel = [shape.out_channels, shape.in_channels // shape.groups, *shape.kernel]
        self.weight = self.create_parameter(kernel, None, dtype, default_initializer=zero)
        self.bias = self.create_parameter(
            [shape.out_channels], None, dtype, is_bias=True, default_initializer=zero
        )

    def _conv(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Pair,
        *,
        stride: Pair = (1, 1),
        padding: Sequence[int] = (0, 0),
        dilation: Pair = (1, 1),
    ) -> nn.Conv2D:
        """A branch's convolution: the block's groups, no bias."""
        return nn.Conv2D(
            in_channels,
            out_channels,
            list(kernel),
            list(stride),
            list(padding),
            list(dilation),
            self.geometry.groups,
            weight_attr=self._weight_attr,
            bias_attr=False,
        )

    def _dense(
        self, scale: float = 1.0, *, weight_attr: Any = None, bias_attr: Any = None
    ) -> nn.Sequential:
        """The branch that is the convolution itself with its batch-norm; see ``_norm``."""
        shape = self.geometry
        convolution = self._conv(
            shape.in_channels,
            shape.out_channels,
            shape.kernel,
            stride=shape.stride,
            padding=shape.paddle_padding,
            dilation=shape.dilation,
        )
        norm = self._norm(
            shape.out_channels, scale=scale, weight_attr=weight_attr, bias_attr=bias_attr
        )
        return nn.Sequential(convolution, norm)

    def _norm(
        self,
        channels: int,
        *,
        scale: float = 1.0,
        weight_attr: Any = None,
        bias_attr: Any = None,
    ) -> nn.BatchNorm2D:
        """A batch-norm whose factors begin at ``scale``, unless ``weight_attr`` says otherwise."""
        return nn.BatchNorm2D(
            channels,
            momentum=self._momentum,
            epsilon=self._epsilon,
            weight_attr=weight_attr or initializer.Constant(scale),
            bias_attr=bias_attr,
        )

    def _padded_norm(self, channels: int, padding: Padding) -> PaddedBatchNorm2D:
        return PaddedBatchNorm2D(channels, padding, momentum=self._momentum, epsilon=self._epsilon)


def _layers_of(path: str, layer: nn.Layer) -> Iterator[tuple[str, nn.Layer]]:
    """The layers of a branch in order; sequences may nest."""
    if type(layer) is nn.Sequential:
        if layer._forward_pre_hooks or layer._forward_post_hooks:
            raise ReparameterisationError(
                "a forward hook may change what it computes; remove the hook before fusing", path
            )
        for name, child in layer._sub_layers.items():  # named_children() skips repetitions
            yield from _layers_of(f"{path}.{name}", child)
    else:
        yield path, layer
