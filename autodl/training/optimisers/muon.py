"""Muon: updates of kernels that are made orthogonal, so that all directions move alike."""

from __future__ import annotations

from math import sqrt
from typing import Any

import paddle
from paddle import nn

from autodl.networks.layers import is_convolution
from autodl.recipes.parts import MuonOptions
from autodl.training.optimisers.parameters import clip_of, let_learn, trained_parameters

_QUINTIC = (3.4445, -4.7750, 2.0315)
_LEAST = 1e-7  # keeps a matrix of zeros one


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
    as matrices of ``O`` rows.

    Args:
        kernels: names of the parameters that are kernels.

    Source: Jordan et al., 2024, as in the record for 94 % on CIFAR-10.
    """

    def __init__(
        self, rate: float, parameters: list[paddle.Tensor], kernels: set[str], options: MuonOptions
    ) -> None:
        clip = clip_of(options.gradient_clip)
        super().__init__(learning_rate=rate, parameters=parameters, grad_clip=clip)
        self._kernels, self._options = kernels, options

    def _create_accumulators(self, block: Any, parameters: list[paddle.Tensor]) -> None:
        for parameter in parameters:
            if parameter.name not in self._already_create_accumulator:
                self._add_accumulator("velocity", parameter)
                self._already_create_accumulator.add(parameter.name)

    def _append_optimize_op(self, block: Any, pair: tuple[paddle.Tensor, paddle.Tensor]) -> None:
        parameter, gradient = pair
        is_kernel, options = parameter.name in self._kernels, self._options
        momentum = options.momentum if is_kernel else options.sgd_momentum
        velocity = self._get_accumulator("velocity", parameter)
        velocity.set_value(momentum * velocity + gradient)
        step, rate = gradient + momentum * velocity, self._create_param_lr(pair)
        if not is_kernel:
            parameter.set_value(parameter - rate * step)
            return
        outputs = parameter.shape[0]
        kernel = parameter * (sqrt(outputs) / (parameter.norm() + _LEAST))
        step = orthogonalised(step.reshape([outputs, -1]), options.iterations)
        parameter.set_value(kernel - rate * step.reshape(parameter.shape))


def muon(network: nn.Layer, rate: float, options: MuonOptions) -> paddle.optimizer.Optimizer:
    """Muon of all convolutions' kernels, which do not decay; SGD of all else."""
    parameters = trained_parameters(network, decay_biases=options.decay_biases)
    layers = network.sublayers(include_self=True)
    kernels = {layer.weight.name for layer in layers if is_convolution(layer)}
    linear = {layer.weight.name for layer in layers if isinstance(layer, nn.Linear)}
    decayed = {p.name for p in parameters if getattr(p, "regularizer", None) is None}
    for parameter in parameters:
        if parameter.name not in kernels:
            own = options.linear_rate if parameter.name in linear else options.shift_rate
            let_learn(parameter, own, options.weight_decay if parameter.name in decayed else 0.0)
    return Muon(rate, parameters, kernels, options)
