"""The block of RepVGG (Ding et al., CVPR 2021), and what its training needs beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import paddle
from paddle import ParamAttr, nn
from paddle.nn import initializer
from paddle.regularizer import L2Decay

from autodl.reparam.block import MultiBranchConv2D
from autodl.reparam.branches import batch_norm_terms
from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.geometry import ConvGeometry


class RepVGGBlock(MultiBranchConv2D):
    """``BN(conv 3x3) + BN(conv 1x1) + BN(x)``; the last only where the shape is kept.

    The activation, and squeeze-and-excitation where there is one, go behind the block. As in the
    authors' training, no weight decay acts on shifts, nor on the scales behind the 3x3 and the 1x1
    convolution: these parameters carry ``L2Decay(0)``, which Paddle's optimisers prefer to their
    own. (AdamW decays by names instead; give it ``apply_decay_param_fun``.)

    Args:
        custom_l2: the kernels carry ``L2Decay(0)`` too, because ``custom_l2(network)`` is added to
            the loss.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int] = 3,
        stride: int | Sequence[int] = 1,
        padding: int | str | Sequence[Any] = 1,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        padding_mode: str = "zeros",
        weight_attr: Any = None,
        bias_attr: Any = None,
        data_format: str = "NCHW",
        *,
        custom_l2: bool = False,
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
        self.custom_l2 = custom_l2
        if deploy:
            return
        shape, free = self.geometry, L2Decay(0.0)
        shift = ParamAttr(initializer=initializer.Constant(0.0), regularizer=free)
        scale = ParamAttr(initializer=initializer.Constant(1.0), regularizer=free)
        self.dense = self._dense(weight_attr=scale, bias_attr=shift)
        self.point = nn.Sequential(
            self._conv(shape.in_channels, shape.out_channels, (1, 1), stride=shape.stride),
            self._norm(shape.out_channels, weight_attr=scale, bias_attr=shift),
        )
        if shape.in_channels == shape.out_channels and shape.stride == (1, 1):
            self.identity = self._norm(shape.in_channels, bias_attr=shift)
        if custom_l2:
            self.decay_in_loss()

    def decay_in_loss(self) -> None:
        """Leave the decay of the kernels to ``custom_l2``: they carry ``L2Decay(0)``, too."""
        self.custom_l2 = True
        for branch in (self.dense, self.point):
            branch[0].weight.regularizer = L2Decay(0.0)

    @classmethod
    def check(cls, geometry: ConvGeometry) -> None:
        """A 3x3 kernel whose padding is its reach.

        Raises:
            ReparameterisationError: another kernel or padding.
        """
        geometry.require_odd()
        if geometry.kernel != (3, 3):
            raise ReparameterisationError(
                f"a RepVGG block has a 3x3 kernel, got {list(geometry.kernel)}"
            )
        geometry.require_centred()


def custom_l2(network: nn.Layer) -> paddle.Tensor:
    """The authors' L2 term of all ``RepVGGBlock(custom_l2=True)``: a scalar with gradient.

    Per block, with the factors t = gamma / sigma of the batch-norms held constant: the squares of
    the 3x3 kernel off its centre, plus those of the fused centre over ``t3^2 + t1^2`` (zero where
    both are zero). Add ``0.5 * weight_decay * custom_l2(network)`` to the loss. (RepVGG's training
    code; the authors found later that it matters little.)

    Raises:
        ReparameterisationError: the network holds no such block in its training form.
    """
    terms = [
        _block_l2(layer)
        for layer in network.sublayers(include_self=True)
        if isinstance(layer, RepVGGBlock) and layer.custom_l2 and not layer.is_repped
    ]
    if not terms:
        raise ReparameterisationError(
            "no RepVGGBlock with custom_l2=True in its training form; build the blocks with it"
        )
    return paddle.add_n(terms)


def _block_l2(block: RepVGGBlock) -> paddle.Tensor:
    (dense, dense_norm), (point, point_norm) = block.dense.children(), block.point.children()
    factors = []
    for norm in (dense_norm, point_norm):
        gamma, _, _, variance, epsilon = batch_norm_terms(norm)
        factor = gamma / paddle.sqrt(variance + epsilon)
        factors.append(factor.reshape([-1, 1, 1, 1]).detach())
    centre = dense.weight[:, :, 1:2, 1:2]
    circle = (dense.weight**2).sum() - (centre**2).sum()
    fused = centre * factors[0] + point.weight * factors[1]
    size = factors[0] ** 2 + factors[1] ** 2
    size = paddle.where(size > 0, size, paddle.ones_like(size))  # there the fused centre is 0
    return circle + (fused**2 / size).sum()
