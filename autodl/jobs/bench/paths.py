"""What an update of one path of a supernet costs beside that of the same network alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from autodl.recipes.parts import SGDOptions
from autodl.spaces.edge_cell.plan import edge_cell_plan
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.spaces.rows import random_row
from autodl.spaces.shuffle.plan import shuffle_plan
from autodl.spaces.shuffle.space import ShuffleSpace
from autodl.spaces.space import Integers
from autodl.supernets.single_path.blocks import MakePlan
from autodl.supernets.single_path.network import SinglePathNetwork
from autodl.training.optimisers.sgd import sgd


def paths(*, batch: int = 32, image_size: int = 16, architectures: int = 8) -> dict[str, Any]:
    """An update of random cells and of random shuffle networks, in a supernet and alone.

    For each architecture both are made in turns, three times, and their best times of the
    processor compared; ``..._ratio`` is the median over architectures.
    """
    cells = partial(edge_cell_plan, image_size=image_size, width=16, cells=1)
    shuffles = partial(
        shuffle_plan, image_size=image_size, stem_stride=1, widths=(24, 48, 96), head_width=128
    )
    spaces: dict[str, tuple[Any, MakePlan]] = {
        "cells": (EdgeCellSpace(), cells),
        "shuffles": (ShuffleSpace(repeats=(2, 4, 2)), shuffles),
    }
    found: dict[str, Any] = {}
    for name, (space, make_plan) in spaces.items():
        network = SinglePathNetwork(space, make_plan, 0)
        pairs = _pairs(network, batch, image_size, architectures)
        found[f"{name}_alone_ms"] = round(1e3 * median(alone for _, alone in pairs), 2)
        found[f"{name}_path_ms"] = round(1e3 * median(path for path, _ in pairs), 2)
        found[f"{name}_ratio"] = round(median(path / alone for path, alone in pairs), 3)
    return {**found, "batch": batch, "image_size": image_size, "architectures": architectures}


def _pairs(
    network: SinglePathNetwork, batch: int, image_size: int, architectures: int
) -> list[tuple[float, float]]:
    """Seconds of an update of each architecture in the supernet, and alone."""
    rng = np.random.default_rng(0)
    shape = (batch, 3, image_size, image_size)
    images = paddle.to_tensor(rng.standard_normal(shape).astype("float32"))
    labels = paddle.to_tensor(rng.integers(10, size=batch))
    in_supernet = _updating(network, labels)

    def pair(row: Integers) -> tuple[float, float]:
        alone = network.alone(row)
        by_itself = _updating(alone, labels)
        works = (
            lambda: in_supernet(lambda: network(images, row)),
            lambda: by_itself(lambda: alone(images)),
        )
        spans = [[_seconds(work) for work in works] for _ in range(4)][1:]  # the first warms up
        path, own = (min(span[part] for span in spans) for part in range(2))
        return path, own

    return [pair(random_row(network.space.sizes, rng)) for _ in range(architectures)]


def _updating(
    layer: nn.Layer, labels: paddle.Tensor
) -> Callable[[Callable[[], paddle.Tensor]], None]:
    optimizer = sgd(layer, 0.01, SGDOptions(nesterov=False))

    def update(forward: Callable[[], paddle.Tensor]) -> None:
        F.cross_entropy(forward(), labels).backward()
        optimizer.step()
        optimizer.clear_grad(set_to_zero=False)

    return update


def _seconds(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
