"""How long an update of the fast recipe's network takes, and its layers, one kind after another."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import paddle

from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.networks.layers import make_layer
from autodl.networks.precision import mixed_precision
from autodl.plans.layers import BatchNorm, Conv, Gelu, GlobalMaxPool, Layer, MaxPool
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.reparam.training_form import training_network
from autodl.spaces.classic.airbench import airbench_plan
from autodl.system.memory import freed_memory_kept
from autodl.tasks.pictures import PictureTask
from autodl.training.fit import Trainer

_KINDS: dict[type[Layer], str] = {
    Conv: "convolutions",
    Gelu: "gelu",
    MaxPool: "pools",
    GlobalMaxPool: "pools",
    BatchNorm: "norms",
}
_SIDE = 1024  # of the matrices whose product tells what the processor can do


def update(*, batch: int = 256, rounds: int = 5, amp: bool = False) -> dict[str, Any]:
    """Processor time of an update of ``Airbench`` by the fast recipe, a picture; the least.

    ``floor_ms`` is what its multiply-accumulates, forward and twice back, would take at the rate of
    a product of two matrices. ``..._ms`` of a kind of layers is forward and back of each alone, on
    random maps; the first convolution's pictures and kernels need no gradient.

    Args:
        batch: pictures of an update.
        rounds: of which the least counts; one more comes before them.
        amp: with mixed precision.
    """
    plan = airbench_plan()
    matrix = paddle.randn([_SIDE, _SIDE])
    trainer, layers = _trainer(batch, rounds + 1, amp), _layers(batch)
    spans: dict[str, list[float]] = defaultdict(list)
    with freed_memory_kept(), mixed_precision(amp):
        for epoch in range(rounds + 1):
            spans["product"].append(_seconds(lambda: paddle.matmul(matrix, matrix)))
            trainer.fit(until=epoch + 1)
            spans["step"].append(trainer.curve[-1]["compute_seconds"])
            for number, (_, work) in enumerate(layers):
                spans[f"layer {number}"].append(_seconds(work))
    least = {name: min(found[1:]) for name, found in spans.items()}  # the first warms up
    rate = _SIDE**3 / least["product"]
    ms, floor = 1e3 * least["step"] / batch, 3e3 * plan.macs / rate
    kinds: dict[str, float] = defaultdict(float)
    for number, (kind, _) in enumerate(layers):
        kinds[f"{kind}_ms"] += 1e3 * least[f"layer {number}"] / batch
    return {
        "ms_per_picture": round(ms, 2),
        "floor_ms": round(floor, 2),
        "ratio_to_floor": round(ms / floor, 3),
        "matrix_product_gmacs_per_second": round(rate / 1e9, 1),
        **{kind: round(found, 3) for kind, found in kinds.items()},
        "batch": batch,
        "rounds": rounds,
        "amp": amp,
    }


def _trainer(batch: int, rounds: int, amp: bool) -> Trainer:
    """For epochs of one update each, on random pictures."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, 32, 32, 3), dtype=np.uint8)
    pictures = Pictures(images, np.arange(batch) % 10)
    options = TrainOptions(recipe={"name": "fast"}, batch_size=batch, epochs=rounds, amp=amp)
    task = PictureTask.alone(pictures, Normalisation.of(pictures))
    network = training_network(airbench_plan(), options, 0)
    return Trainer(network, task, recipe_of(options), 0)


def _layers(batch: int) -> list[tuple[str, Callable[[], None]]]:
    """Forward and back of each layer that has a kind, on random maps of its own."""
    plan, found = airbench_plan(), list[tuple[str, Callable[[], None]]]()
    for record in plan.records:
        kind = _KINDS.get(type(record.layer))
        if kind is None:
            continue
        layer = make_layer(record.layer)
        x = paddle.randn([batch, *plan.records[record.inputs[0]].shape])
        x.stop_gradient = record.inputs[0] == 0
        if x.stop_gradient:
            layer.weight.stop_gradient = True  # whitened
        found.append((kind, _there_and_back(layer, x)))
    return found


def _there_and_back(layer: paddle.nn.Layer, x: paddle.Tensor) -> Callable[[], None]:
    gradient = paddle.randn(layer(x).shape)

    def work() -> None:
        paddle.autograd.backward([layer(x)], [gradient])
        x.clear_grad()
        layer.clear_gradients()

    return work


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
