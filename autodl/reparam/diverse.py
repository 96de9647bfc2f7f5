"""The diverse branch block, DBB (Ding et al., CVPR 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paddle import ParamAttr, nn
from paddle.nn import initializer

from autodl.reparam.block import MultiBranchConv2D
from autodl.reparam.branches import IdentityConv2D
from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.geometry import ConvGeometry, whole


class DiverseBranchBlock(MultiBranchConv2D):
    """Four branches: KxK; 1x1; 1x1 then KxK; 1x1 then average pooling. All with batch-norms.

    A depthwise convolution has no 1x1 branch, its average pooling reads the input itself, and its
    inner width is twice the channels. One with a multiplier, more outputs than inputs, is one of
    groups like any other, as in the authors' code. Kernels are odd, the padding is half of them,
    there is no dilation.

    Args:
        internal_channels: width between the 1x1 and the KxK convolution; None is the authors'
            choice. Where it is ``in_channels``, the 1x1 kernel starts as the identity.
        single_init: the batch-norms at the end of all branches but the first start from scale 0.
    """

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
        internal_channels: int | None = None,
        single_init: bool = False,
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
        shape = self.geometry
        if internal_channels is None:
            internal_channels = shape.in_channels * (2 if shape.is_depthwise else 1)
        internal_channels = whole("internal_channels", internal_channels)
        if internal_channels < 1 or internal_channels % shape.groups:
            raise ReparameterisationError(
                f"internal_channels must be a multiple of groups = {shape.groups}, got"
                f" {internal_channels}"
            )
        if deploy:
            return
        scale = 0.0 if single_init else 1.0
        self.dense = self._dense()
        if not shape.is_depthwise:
            point = self._conv(shape.in_channels, shape.out_channels, (1, 1), stride=shape.stride)
            self.point = nn.Sequential(point, self._norm(shape.out_channels, scale=scale))
        self.point_dense = self._point_dense(internal_channels, scale)
        self.point_average = self._point_average(scale)

    @classmethod
    def check(cls, geometry: ConvGeometry) -> None:
        """An odd kernel, padding of half its size, no dilation, more outputs than groups.

        Raises:
            ReparameterisationError: one of these does not hold.
        """
        geometry.require_odd()
        if geometry.dilation != (1, 1):
            raise ReparameterisationError(
                f"a diverse branch block has no dilation, got {list(geometry.dilation)}; use an"
                " asymmetric convolution block"
            )
        geometry.require_centred()
        if geometry.groups == geometry.out_channels > 1 and not geometry.is_depthwise:
            raise ReparameterisationError(
                f"groups {geometry.groups} must be fewer than out_channels, unless the convolution"
                f" is depthwise; in_channels is {geometry.in_channels}"
            )

    def _point_dense(self, width: int, scale: float) -> nn.Sequential:
        shape = self.geometry
        first: nn.Conv2D
        if width == shape.in_channels:
            first = IdentityConv2D(width, shape.groups, _zero(self._weight_attr))
        else:
            first = self._conv(shape.in_channels, width, (1, 1))
        return nn.Sequential(
            first,
            self._padded_norm(width, shape.padding),
            self._conv(width, shape.out_channels, shape.kernel, stride=shape.stride),
            self._norm(shape.out_channels, scale=scale),
        )

    def _point_average(self, scale: float) -> nn.Sequential:
        shape = self.geometry
        kernel, stride = list(shape.kernel), list(shape.stride)
        norm = self._norm(shape.out_channels, scale=scale)
        if shape.is_depthwise:
            padding = [shape.padding[0], shape.padding[2]]
            return nn.Sequential(nn.AvgPool2D(kernel, stride, padding, exclusive=False), norm)
        return nn.Sequential(
            self._conv(shape.in_channels, shape.out_channels, (1, 1)),
            self._padded_norm(shape.out_channels, shape.padding),
            nn.AvgPool2D(kernel, stride, 0, exclusive=False),
            norm,
        )


def _zero(weight_attr: Any) -> ParamAttr:
    """The same attributes for a weight that starts at zero."""
    zero = initializer.Constant(0.0)
    if not isinstance(weight_attr, ParamAttr):
        return ParamAttr(initializer=zero)
    return ParamAttr(
        initializer=zero,
        learning_rate=weight_attr.learning_rate,
        regularizer=weight_attr.regularizer,
        trainable=weight_attr.trainable,
    )
