"""Layers that depend on all pictures of a batch, of which a process has only its part.

A batch-norm takes its statistics over the batch, and a dropout draws its mask for the batch.
Here they do so for the batch of all processes, so that several processes compute what one would
with all pictures, to rounding. ``paddle.nn.SyncBatchNorm`` has no kernel for the CPU.

A plugin's own layer that mixes pictures or draws random numbers in another way is left as it is:
it then works on each process's part by itself.
"""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import nn
from paddle.autograd import PyLayer

from autodl.training.parallel import Share


def share_layers(network: nn.Layer, share: Share) -> None:
    """Make batch-norms and dropouts, and their subclasses, work on the batch of all processes.

    The layers stay the same objects with the same parameters; alone, nothing is done.
    """
    if share.size == 1:
        return
    for layer in network.sublayers(include_self=True):
        for plain, shared in ((nn.BatchNorm2D, SharedBatchNorm), (nn.Dropout, SharedDropout)):
            if isinstance(layer, plain):
                own = type(layer)
                # before the plain class in the order of methods, behind a subclass of it, whose
                # call of super() then ends here
                layer.__class__ = shared if own is plain else type(own.__name__, (own, shared), {})
                layer.share = share


class SharedBatchNorm(nn.BatchNorm2D):
    """Batch-norm over the pictures of all processes, each of which has the same number of them."""

    share: Share

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """``[B, C, H, W]`` to the same; in evaluation mode the layer is as usual."""
        if not self.training or self._use_global_stats:
            return super().forward(x)
        with paddle.no_grad():
            mean, variance = self._statistics(x)
            for running, value in ((self._mean, mean), (self._variance, variance)):
                running.set_value(self._momentum * running + (1.0 - self._momentum) * value)
        weight = paddle.ones_like(mean) if self.weight is None else self.weight
        bias = paddle.zeros_like(mean) if self.bias is None else self.bias
        return _Normalise.apply(x, weight, bias, mean, variance, self._epsilon, self.share)

    def _statistics(self, x: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Mean and population variance of each channel over all processes.

        Variances are combined as Chan et al. (1979) do it, without a difference of large numbers.
        """
        parts = self.share.gather(paddle.stack(moments(x)))
        means, variances = parts[:, 0], parts[:, 1]
        mean = means.mean(axis=0)
        return mean, variances.mean(axis=0) + (means - mean).square().mean(axis=0)


def moments(x: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Mean and population variance of each channel, float32 ``[C]``, without gradient.

    On a CPU Paddle's batch-norm gives them 20 times faster than its mean and variance do.
    """
    x = x.detach()
    if x.place.is_cpu_place():
        mean, variance, shift, scale = (paddle.zeros([x.shape[1]]) for _ in range(4))
        # with a momentum of 0 it leaves the batch's in place of the running ones
        F.batch_norm(x, mean, variance, scale, shift, training=True, momentum=0.0)
        return mean, variance
    x = x.astype("float32")
    return x.mean(axis=[0, 2, 3]), x.var(axis=[0, 2, 3], unbiased=False)


class _Normalise(PyLayer):
    """``weight * (x - mean) / sqrt(variance + epsilon) + bias``, mean and variance being of x.

    With all processes' ``N`` numbers in a channel and ``y' = (x - mean) / sqrt(variance +
    epsilon)``, the gradient is ``weight / sqrt(variance + epsilon) * (g - sum(g) / N - y' *
    sum(g * y') / N)`` (Ioffe and Szegedy, 2015). Its first term, and this process's part of the
    sums, are the gradients of a batch-norm with constant statistics, which Paddle has; the rest
    is such a batch-norm itself.
    """

    @staticmethod
    def forward(
        context: Any,
        x: paddle.Tensor,
        weight: paddle.Tensor,
        bias: paddle.Tensor,
        mean: paddle.Tensor,
        variance: paddle.Tensor,
        epsilon: float,
        share: Share,
    ) -> paddle.Tensor:
        context.save_for_backward(x, weight, bias, mean, variance)
        context.epsilon, context.share = epsilon, share
        context.constant = [tensor.stop_gradient for tensor in (x, weight, bias)]
        return F.batch_norm(x, mean, variance, weight, bias, epsilon=epsilon)

    @staticmethod
    def backward(context: Any, gradient: paddle.Tensor) -> tuple[paddle.Tensor | None, ...]:
        x, weight, bias, mean, variance = (tensor.detach() for tensor in context.saved_tensor())
        epsilon, share = context.epsilon, context.share
        wanted = (x, weight, bias)
        for tensor in wanted:
            tensor.stop_gradient = False
        with paddle.enable_grad():
            y = F.batch_norm(x, mean, variance, weight, bias, epsilon=epsilon)
            direct, to_weight, to_bias = paddle.grad(y, wanted, gradient)
        with paddle.no_grad():
            count = x.size // x.shape[1]
            means = share.mean(paddle.stack([to_weight, to_bias])) / count
            scale, shift = means * weight / paddle.sqrt(variance + epsilon)
            indirect = F.batch_norm(x, mean, variance, scale, shift, epsilon=epsilon)
        found = (direct - indirect, to_weight, to_bias)
        # Paddle refuses a gradient of what needs none
        return tuple(
            None if constant else value
            for constant, value in zip(context.constant, found, strict=True)
        )


class SharedDropout(nn.Dropout):
    """Dropout whose mask is this process's part of the one for the batch of all processes."""

    share: Share

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """``[B, ...]`` to the same; in evaluation mode the layer is as usual."""
        if not self.training:
            return super().forward(x)
        rank, size, count = self.share.rank, self.share.size, x.shape[0]
        ones = paddle.ones([size * count, *x.shape[1:]], x.dtype)
        mask = F.dropout(ones, self.p, self.axis, training=True, mode=self.mode)
        return x * mask[rank * count : (rank + 1) * count]
