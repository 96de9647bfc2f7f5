"""What a step of a supernet costs beside that of the same plain network."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from autodl.networks.network import PlanNetwork
from autodl.recipes.parts import SGDOptions
from autodl.spaces.width.space import make_width_space
from autodl.supernets.width.affine_sharing import AffineConv, Sharing
from autodl.supernets.width.annealing import Descent
from autodl.supernets.width.projection_descent import ProjectionDescent
from autodl.supernets.width.supernet import Supernet, meta_widths
from autodl.training.optimisers.sgd import sgd

_CANDIDATES = (4, 8, 16)


def width(*, batch: int = 128, image_size: int = 16, repetitions: int = 30) -> dict[str, Any]:
    """One update of a ResNet-20's supernet, of the same plain network, and of the projections.

    The architecture has the middle candidate everywhere and all shortcuts. ``projections_ms`` is
    the time to project all kernels, forward and backward, and to move P and Q; ``ratio`` that of
    the supernet's update to the plain one's and the projections' together. Medians of processor
    time, the parts taken in turns.
    """
    space = make_width_space("resnet20", _CANDIDATES, image_size=image_size)
    choices = np.array([len(widths) // 2 for widths in space.candidates])
    network = Supernet(space, Sharing(), meta_widths(space, _CANDIDATES[-1], None), 0)
    plain = PlanNetwork(network.slim(choices).plan, 0)
    descent = ProjectionDescent(network, Descent(), rate=1e-3)
    rng = np.random.default_rng(0)
    shape = (batch, 3, image_size, image_size)
    images = paddle.to_tensor(rng.standard_normal(shape).astype("float32"))
    labels = paddle.to_tensor(rng.integers(10, size=batch))

    def updating(layer: nn.Layer, forward: Callable[[], paddle.Tensor]) -> Callable[[], None]:
        optimizer = sgd(layer, 0.1, SGDOptions(nesterov=False))

        def update() -> None:
            F.cross_entropy(forward(), labels).backward()
            optimizer.step()
            optimizer.clear_grad(set_to_zero=False)

        return update

    train_supernet = updating(network, lambda: network(images, choices))

    def project() -> None:
        project_all(network, choices)
        descent.step()

    def whole() -> None:
        train_supernet()
        descent.step()

    parts = {
        "plain_ms": updating(plain, lambda: plain(images)),
        "projections_ms": project,
        "supernet_ms": whole,
    }
    taken = _times(parts, repetitions)
    ratio = taken["supernet_ms"] / (taken["plain_ms"] + taken["projections_ms"])
    return {
        **{name: round(1e3 * seconds, 2) for name, seconds in taken.items()},
        "ratio": round(ratio, 3),
        "batch": batch,
        "repetitions": repetitions,
    }


def project_all(network: Supernet, choices: np.ndarray[Any, Any]) -> None:
    """Compute the kernels of an architecture, and the gradients of their meta weights."""
    total = paddle.zeros([])
    for layer, pair in network.pairs(choices):
        if isinstance(layer, AffineConv):
            total = total + layer.kernel(pair).sum()
    total.backward()
    network.clear_gradients(set_to_zero=False)


def _times(parts: dict[str, Callable[[], None]], repetitions: int) -> dict[str, float]:
    spans: dict[str, list[float]] = {name: [] for name in parts}
    for repetition in range(repetitions + 2):
        for name, work in parts.items():
            began = time.process_time()
            work()
            if repetition >= 2:  # the first warm Paddle up
                spans[name].append(time.process_time() - began)
    return {name: median(times) for name, times in spans.items()}
