"""How fast this machine trains, from some updates of a small network."""

from __future__ import annotations

import time

import numpy as np

from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.jobs.fit.plan import Widths, network_work
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.spaces.classic.airbench import airbench_plan
from autodl.tasks.pictures import PictureTask

SIDE, WIDTHS, BATCH = 32, (32, 64, 64), 64
# without the hooks, which begin with an epoch; its first layer is trained, too
_RECIPE = {
    **{"name": "fast-muon", "uniform_start": False, "dirac_start": False, "whiten": False},
    **{"fast_norms": False, "scales": True},
}
_UPDATES = 4  # timed one by one; the median counts


def measure_rate(side: int = SIDE, widths: Widths = WIDTHS, batch: int = BATCH) -> float:
    """Work of a network (see ``network_work``) times training pictures, a second.

    Narrow networks and small batches do less of it, so what is planned is measured by itself.

    The first update, which makes Paddle choose its kernels, is not counted.
    """
    from autodl.reparam.training_form import training_network
    from autodl.training.fit import Trainer

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, side, side, 3)).astype(np.uint8)
    pictures = Pictures(images, np.arange(batch) % 10)
    task = PictureTask.alone(pictures, Normalisation.of(pictures))
    options = TrainOptions.model_validate({"recipe": _RECIPE, "batch_size": batch})
    network = training_network(airbench_plan(image_size=side, widths=widths), options, 0)
    trainer = Trainer(network, task, recipe_of(options), 0)
    trainer.updates(1, rng)
    seconds = []
    for _ in range(_UPDATES):
        began = time.perf_counter()
        trainer.updates(1, rng)
        seconds.append(time.perf_counter() - began)
    return batch * network_work(side, widths) / float(np.median(seconds))
