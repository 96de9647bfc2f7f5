"""How fast this machine trains, looks at pictures and exports, by networks that learn nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.jobs.fit.candidates import on_cpu
from autodl.jobs.fit.plan import Widths, network_work
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.spaces.classic.airbench import airbench_plan
from autodl.system.memory import freed_memory_kept
from autodl.tasks.pictures import PictureTask

SIDE, WIDTHS, BATCH = 32, (32, 64, 64), 64
# without the hooks, which begin with an epoch; its first layer is trained, too
_RECIPE = {
    **{"name": "fast-muon", "uniform_start": False, "dirac_start": False, "whiten": False},
    **{"fast_norms": False, "scales": True},
}
_UPDATES, _LOOKS = 4, 2  # timed one by one; the median counts
LOOKED = 128  # pictures of a forward pass; more at a time are not faster


def measure_speed(
    side: int = SIDE, widths: Widths = WIDTHS, batch: int = BATCH, looked: int = LOOKED
) -> tuple[float, float]:
    """Work of a network (see ``network_work``) times pictures a second: training, and looking.

    Narrow networks and small batches do less of it, so what is planned is measured by itself.
    Looking goes by many pictures at a time, whatever the batch, and needs no optimiser, whose
    steps take the longer the smaller the batch: neither follows from the other.

    The first update and the first look, which make Paddle choose its kernels, are not counted.

    Args:
        side: of the pictures, in pixels.
        batch: pictures in an update.
        looked: pictures that there are to look at; more are not looked at here, nor more than 128.
    """
    from autodl.reparam.training_form import training_network
    from autodl.training.fit import Trainer
    from autodl.training.metrics import logits_of

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, side, side, 3)).astype(np.uint8)
    pictures = Pictures(images, np.arange(batch) % 10)
    normalisation = Normalisation.of(pictures)
    task = PictureTask.alone(pictures, normalisation)
    options = TrainOptions.model_validate({"recipe": _RECIPE, "batch_size": batch, "amp": on_cpu()})
    network = training_network(airbench_plan(image_size=side, widths=widths), options, 0)
    trainer = Trainer(network, task, recipe_of(options), 0)
    shown = pictures.take(np.arange(max(1, min(looked, LOOKED))) % batch)
    work = network_work(side, widths)
    with freed_memory_kept():
        training = _median_seconds(lambda: trainer.updates(1, rng), _UPDATES)
    looking = _median_seconds(lambda: logits_of(network, shown, normalisation), _LOOKS)
    return batch * work / training, len(shown) * work / looking


def measure_exporting() -> float:
    """Seconds to export a small network, with what a first time needs."""
    from autodl.jobs.export import export_network
    from autodl.networks.network import PlanNetwork
    from autodl.trained.network import TrainedNetwork

    network = PlanNetwork(airbench_plan(image_size=SIDE, widths=WIDTHS), 0)
    network.eval()
    with TemporaryDirectory() as scratch:
        trained = TrainedNetwork(
            folder=Path(scratch),
            network=network,
            image_size=SIDE,
            classes=tuple(map(str, range(10))),
            normalisation=Normalisation((0.5,) * 3, (0.25,) * 3),
            mirrored=False,
            held_out_accuracy=None,
            weights_sha256=None,
            single_accuracy=None,
        )
        began = time.perf_counter()
        export_network(trained, Path(scratch) / "out")
        return time.perf_counter() - began


def _median_seconds(act: Callable[[], object], times: int) -> float:
    """Of so many calls behind a first one."""
    act()
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))
