"""The asymmetric convolution block of ACNet (Ding et al., ICCV 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paddle import nn

from autodl.plans.layers import Padding, Pair
from autodl.reparam.block import MultiBranchConv2D
from autodl.reparam.branches import Margin
from autodl.reparam.geometry import short_padding


class AsymmetricConvBlock(MultiBranchConv2D):
    """``BN(conv KhxKw) + BN(conv Khx1) + BN(conv 1xKw)``: strengthens the kernel's cross.

    Takes odd kernels with any stride, groups, dilation and padding, also one that differs between
    sides: where there are fewer zeros than the window reaches, the narrow branches crop their input
    instead of padding it.

    Args:
        initial_scale: of all batch-norms; the authors start CIFAR-10 from 1/3, ImageNet from 1.
    """

    main_branch = "square"

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
        initial_scale: float = 1.0,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        deploy: bool = False,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            padding_mode,
            weight_attr,
            bias_attr,
            data_format,
            momentum=momentum,
            epsilon=epsilon,
            deploy=deploy,
        )
        if deploy:
            return
        shape = self.geometry
        top, bottom, left, right = shape.padding
        above, below, before, behind = shape.margin
        self.square = self._dense(scale=initial_scale)
        self.vertical = self._narrow(
            (shape.kernel[0], 1), (top, bottom, before, behind), initial_scale
        )
        self.horizontal = self._narrow(
            (1, shape.kernel[1]), (above, below, left, right), initial_scale
        )

    def _narrow(self, kernel: Pair, padding: Padding, scale: float) -> nn.Sequential:
        """A branch of this kernel and padding, which may be negative."""
        shape = self.geometry
        fits = min(padding) >= 0
        convolution = self._conv(
            shape.in_channels,
            shape.out_channels,
            kernel,
            stride=shape.stride,
            padding=short_padding(padding) if fits else (0, 0),
            dilation=shape.dilation,
        )
        layers = [] if fits else [Margin(padding)]
        return nn.Sequential(*layers, convolution, self._norm(shape.out_channels, scale=scale))
