"""Muon: updates of kernels that are made orthogonal, so that all directions move alike."""

from __future__ import annotations

from math import sqrt
from typing import Any

import paddle
from paddle import nn

from autodl.networks.layers import is_convolution
from autodl.recipes.parts import MuonOptions
from autodl.training.optimisers.parameters import (
    clip_of,
    let_learn,
    trained_parameters,
    trained_scales,
)

_QUINTIC = (3.4445, -4.7750, 2.0315)
_LEAST = 1e-7  # keeps a matrix of zeros one
_SHIFTS_OVER_SCALES = 64  # in rates, as ``shift_rate`` of the fast recipe says


def orthogonalised(matrix: paddle.Tensor, iterations: int) -> paddle.Tensor:
    """``U S' V^T`` of ``matrix = U S V^T``, where the numbers in ``S'`` are near 1.

    Each Newton-Schulz step applies ``3.4445 s - 4.775 s^3 + 2.0315 s^5`` to every singular value
    ``s``, which begin as shares of the root of the sum of their squares. The polynomial is as steep
    at 0 as it can be, and does not settle at 1: after five steps most values are in 0.7 to 1.2,
    after three the smallest are still on their way. A matrix of zeros stays one.

    Args:
        matrix: float32 ``[M, N]``.

    Source: Jordan et al., Muon, 2024; the iteration of Bernstein and Newhouse, arXiv:2409.20325.
    """
    a, b, c = _QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.t() if tall else matrix
    x = x / (x.norm() + _LEAST)
    for _ in range(iterations):
        square = paddle.matmul(x, x, transpose_y=True)
        x = a * x + paddle.matmul(b * square + c * paddle.matmul(square, square), x)
    return x.t() if tall else x


class Muon(paddle.optimizer.Optimizer):
    """Kernels by Muon, all else by SGD; both with Nesterov's momentum.

    A kernel ``w`` of ``O`` outputs is first brought to the norm ``sqrt(O)``; behind a batch-norm
    that changes nothing. Then ``v <- m v + g`` and ``w <- w - rate orthogonalised(g + m v)``, both
    as matrices of ``O`` rows. What is added to a kernel that is not learned keeps the norm it has.

    Args:
        kernels: names of the parameters that are kernels.
        additions: names of those that are added to a kernel, as DBB's to the identity.

    Source: Jordan et al., 2024, as in the record for 94 % on CIFAR-10.
    """

    def __init__(
        self,
        rate: float,
        parameters: list[paddle.Tensor],
        kernels: set[str],
        additions: set[str],
        options: MuonOptions,
    ) -> None:
        clip = clip_of(options.gradient_clip)
        super().__init__(learning_rate=rate, parameters=parameters, grad_clip=clip)
        self._kernels, self._orthogonal = kernels, kernels | additions
        self._options = options

    def _create_accumulators(self, block: Any, parameters: list[paddle.Tensor]) -> None:
        for parameter in parameters:
            if parameter.name not in self._already_create_accumulator:
                self._add_accumulator("velocity", parameter)
                self._already_create_accumulator.add(parameter.name)

    def _append_optimize_op(self, block: Any, pair: tuple[paddle.Tensor, paddle.Tensor]) -> None:
        parameter, gradient = pair
        by_muon, options = parameter.name in self._orthogonal, self._options
        momentum = options.momentum if by_muon else options.sgd_momentum
        velocity = self._get_accumulator("velocity", parameter)
        velocity.set_value(momentum * velocity + gradient)
        step, rate = gradient + momentum * velocity, self._create_param_lr(pair)
        if not by_muon:
            parameter.set_value(parameter - rate * step)
            return
        outputs, kernel = parameter.shape[0], parameter
        if parameter.name in self._kernels:
            kernel = parameter * (sqrt(outputs) / (parameter.norm() + _LEAST))
        step = orthogonalised(step.reshape([outputs, -1]), options.iterations)
        parameter.set_value(kernel - rate * step.reshape(parameter.shape))


def muon(network: nn.Layer, rate: float, options: MuonOptions) -> paddle.optimizer.Optimizer:
    """Muon of all convolutions' kernels, which do not decay; SGD of all else.

    Other matrices, those of LSTM and GRU too, have the rate of linear layers, scales of batch-norms
    a 64th of that of shifts, which is their share in the fast recipe with SGD.
    """
    parameters = trained_parameters(network, decay_biases=options.decay_biases)
    layers = network.sublayers(include_self=True)
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2D)]
    kernels = {layer.weight.name for layer in convolutions if is_convolution(layer)}
    additions = {layer.weight.name for layer in convolutions} - kernels
    scales = {scale.name for scale in trained_scales(network)}
    decayed = {p.name for p in parameters if getattr(p, "regularizer", None) is None}
    for parameter in parameters:
        if parameter.name in kernels | additions:
            continue
        if parameter.name in scales:
            own = options.shift_rate / _SHIFTS_OVER_SCALES
        else:
            own = options.linear_rate if parameter.ndim > 1 else options.shift_rate
        let_learn(parameter, own, options.weight_decay if parameter.name in decayed else 0.0)
    return Muon(rate, parameters, kernels, additions, options)
