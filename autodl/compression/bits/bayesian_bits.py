"""Bits and levels of all layers in one training: mixtures, and weights drawn to their levels.

The objective is cross-entropy plus the description length of the weights, which is minus the bound
of a mixture for each layer. Updates of the first alternate with rounds of inference; after each
round every weight takes a proximal step towards its nearest level, with a precision that rises.

How much rounding a layer tolerates is settled first: with the loss's curvature ``F_l`` (the mean
squared gradient of a weight), a rounding of variance ``D_l`` costs ``F_l D_l / 2`` for each weight,
and the bits saved by tolerating more are the same in every layer where ``F_l D_l`` is. So the
tolerance of a layer is in proportion to ``1 / sqrt(F_l)``.

Source: Wang, Bai and others, "Bayesian automatic model compression", JSTSP 14(4), 2020, from its
abstract and prototype.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from autodl.compression.bits.levels import Levels
from autodl.compression.bits.mixture.dirichlet import (
    LEAST_TOLERANCE,
    MixtureFit,
    check_weights,
    fit_mixture,
)
from autodl.compression.bits.options import BayesianBitsOptions
from autodl.compression.bits.rounded_layers import (
    FloatArray,
    average_bits,
    weight_count,
    weights_of,
)
from autodl.compression.choice import Choice, Task, levels_from_state, levels_to_state
from autodl.compression.errors import CompressionError
from autodl.data.batches import batch_count, iterate
from autodl.recipes.recipe import recipe_of
from autodl.tasks.pictures import PictureTask
from autodl.training.device import compute_clock
from autodl.training.fit import Trainer

_MOST_CONTRAST = 4.0  # between a layer's tolerance and the average one
_CURVATURE_BATCHES = 20
_HALVINGS = 10  # of a tolerance that leaves a layer too few bits


def proximal_step(weights: FloatArray, levels: Levels, pull: float) -> FloatArray:
    """``argmin_u (u - w)^2 / 2 + pull (u - q(w))^2 = (w + 2 pull q(w)) / (1 + 2 pull)``.

    ``q(w)`` is the nearest level. A pull of 0 changes nothing, levels stay where they are.
    """
    share = np.float32(2.0 * pull / (1.0 + 2.0 * pull))
    moved: FloatArray = weights + share * (levels.rounded(weights) - weights)
    return moved


def tolerances(
    curvatures: Mapping[str, float], layers: Mapping[str, nn.Layer], mean: float
) -> dict[str, float]:
    """A tolerance for each layer, as a share of its weights' deviation.

    Their geometric mean over all weights is ``mean`` where none is cut off at 4 times, or a quarter
    of, the average one.

    Args:
        curvatures: mean squared gradient of a weight, at least 0, by layer.
    """
    counts = np.array([weight_count(layer) for layer in layers.values()], np.float64)
    scales = np.array([weights_of(layer).std() for layer in layers.values()], np.float64)
    curved = np.array([curvatures[path] for path in layers], np.float64)
    curved = np.maximum(curved, curved.max() * 1e-12 + 1e-300)
    logs = -0.5 * np.log(curved) - np.log(np.maximum(scales, 1e-30))
    logs -= counts @ logs / counts.sum()
    shares = np.exp(np.clip(logs, -np.log(_MOST_CONTRAST), np.log(_MOST_CONTRAST)))
    return {path: float(mean * share) for path, share in zip(layers, shares, strict=True)}


def curvatures_of(task: Task) -> dict[str, float]:
    """Mean squared gradient of a weight of each layer, over batches; the network is unchanged.

    The gradient of a batch of ``B`` has the variance of a picture's gradient over ``B``, which is
    the same factor for all layers.

    Raises:
        CompressionError: a gradient is not finite, as from a batch-norm that is not.
    """
    sums = dict.fromkeys(task.layers, 0.0)
    task.network.eval()  # batch-norms as trained, no dropout
    batches = iterate(
        task.pictures,
        task.train.batch_size,
        normalisation=task.normalisation,
        rng=np.random.default_rng((task.seed, 7)),
        drop_last=True,
    )
    for _, (images, labels) in zip(range(_CURVATURE_BATCHES), batches, strict=False):
        logits = task.network(paddle.to_tensor(images))
        F.cross_entropy(logits, paddle.to_tensor(labels)).backward()
        for path, layer in task.layers.items():
            sums[path] += float((layer.weight.grad**2).mean())
        task.network.clear_gradients(set_to_zero=False)
    if bad := [path for path, value in sums.items() if not isfinite(value)]:
        raise CompressionError(
            f"the loss has no finite gradient in {bad[0]}: some numbers of the network are not"
            " finite; train it anew"
        )
    return sums


class BayesianBits:
    """Infers the levels of every layer while the network is trained."""

    def __init__(self, options: BayesianBitsOptions | None = None) -> None:
        """Without ``options`` all are the defaults."""
        self._options = options or BayesianBitsOptions()

    def choose(self, task: Task) -> Choice:
        """See ``Method``; a checkpoint is kept after every epoch.

        ``details`` has, by layer, the tolerances, the last mixtures' bounds and how much higher
        they were without binning (nats), and what every round of inference came to.

        Raises:
            CompressionError: a layer is constant, smaller than the truncation or not finite.
            TrialFailure: the training loss is not finite.
        """
        run = _Run(task, self._options)
        if task.saved is not None:
            run.restore(task.saved)
        else:
            run.start()

        def end_epoch(trainer: Trainer) -> None:
            task.save(run.state())
            epoch = trainer.curve[-1]
            task.progress(
                f"[Compress][Epoch {len(trainer.curve)}/{task.train.epochs}]"
                f" loss: {epoch['loss']:.4f}, top1: {epoch['accuracy']:.4f},"
                f" average bits: {run.average_bits():.3f}"
            )

        stopped = run.trainer.fit(end_epoch, after_step=run.after_step)
        run.infer()
        return Choice(
            run.levels,
            run.seconds(),
            {
                "tolerances": run.tolerances,
                "average_bits": run.history,
                "bounds": run.bounds,
                "binning_change": run.binning_changes,
                "inference_seconds": run.inferring,
                "stopped_early": stopped,
                "updates": run.updates,
            },
            epochs=len(run.trainer.curve),
        )


class _Run:
    """One training with its mixtures."""

    def __init__(self, task: Task, options: BayesianBitsOptions) -> None:
        pictures = PictureTask.alone(task.pictures, task.normalisation)
        self.trainer = Trainer(task.network, pictures, recipe_of(task.train), task.seed)
        self.levels: dict[str, Levels] = {}
        self.bounds: dict[str, float] = {}
        self.binning_changes: dict[str, float] = {}
        self.tolerances: dict[str, float] = {}
        self.history: list[float] = []
        self.updates = 0
        self.inferring = 0.0
        self._clock = compute_clock()
        self._began, self._before = self._clock(), 0.0
        self._task, self._options = task, options
        batches = batch_count(len(task.pictures), task.train.batch_size, drop_last=True)
        self._last_update = batches * task.train.epochs

    def seconds(self) -> float:
        return self._before + self._clock() - self._began

    def start(self) -> None:
        """Check the weights, settle the tolerances and fit every layer's first mixture."""
        mean, layers = self._options.tolerance, self._task.layers
        for path, layer in layers.items():
            with _named(path):
                check_weights(weights_of(layer), self._options.truncation)
        self.tolerances = dict.fromkeys(layers, mean)
        if self._options.by_sensitivity:
            self.tolerances = tolerances(curvatures_of(self._task), layers, mean)
        self.infer()

    def after_step(self) -> None:
        """Count an update; every so many, infer and pull."""
        self.updates += 1
        if self.updates % self._options.interval == 0:
            if not all(
                np.isfinite(weights_of(layer)).all() for layer in self._task.layers.values()
            ):
                return  # it has diverged: at the end of the epoch the trainer says so
            self.infer()
            first, last = self._options.first_pull, self._options.last_pull
            self._pull(first + (last - first) * self.updates / self._last_update)

    def infer(self) -> None:
        """Fit every layer's mixture, from its levels so far, and take its levels."""
        began = self._clock()
        for path, layer in self._task.layers.items():
            with _named(path):
                fit = self._fit(path, weights_of(layer))
            self.levels[path], self.bounds[path] = fit.levels, fit.bound
            self.binning_changes[path] = fit.binning_change
        self.history.append(self.average_bits())
        self.inferring += self._clock() - began

    def _fit(self, path: str, weights: FloatArray) -> MixtureFit:
        tolerance = self.tolerances[path]
        for _ in range(_HALVINGS):
            fit = self._mixture(path, weights, tolerance)
            if fit.bits >= self._options.least_bits:
                return fit
            tolerance = max(tolerance / 2.0, LEAST_TOLERANCE)
        # nearly all weights are equal: no tolerance gives the few others a share of the mass
        return self._mixture(path, weights, tolerance, self._options.least_bits)

    def _mixture(
        self, path: str, weights: FloatArray, tolerance: float, least_bits: int = 0
    ) -> MixtureFit:
        options, known = self._options, self.levels.get(path)
        return fit_mixture(
            weights,
            truncation=options.truncation,
            alpha=options.alpha,
            variant=options.variant,
            seed=self._task.seed,
            tolerance=tolerance,
            mass=options.mass,
            start=None if known is None else np.unique(known.values),
            sweeps=options.sweeps,
            most_points=options.points,
            least_bits=least_bits,
        )

    def _pull(self, pull: float) -> None:
        for path, layer in self._task.layers.items():
            layer.weight.set_value(proximal_step(weights_of(layer), self.levels[path], pull))

    def average_bits(self) -> float:
        counts = {path: weight_count(layer) for path, layer in self._task.layers.items()}
        return average_bits({path: own.bits for path, own in self.levels.items()}, counts)

    def state(self) -> dict[str, Any]:
        return {
            "trainer": self.trainer.state(),
            "levels": levels_to_state(self.levels),
            "tolerances": self.tolerances,
            "history": list(self.history),
            "updates": self.updates,
            "inferring": self.inferring,
            "seconds": self.seconds(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.trainer.restore(state["trainer"])
        self.levels = levels_from_state(state["levels"])
        self.tolerances, self.history = dict(state["tolerances"]), list(state["history"])
        self.updates, self.inferring = state["updates"], state["inferring"]
        self._before = state["seconds"]


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Say in an error which layer it is about, and how to leave it out."""
    try:
        yield
    except CompressionError as error:
        raise CompressionError(f"{path}: {error}; Layers.keep=[{path}] leaves it out") from None
