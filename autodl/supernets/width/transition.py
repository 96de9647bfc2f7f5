"""Training a supernet while its sharing is annealed (APS-T).

In the warm-up widths are uniform and the projections fixed. After it, each iteration has a step of
the controller on held-out pictures, one of the weights on an architecture that the controller
drew, and one of the projections, on which no picture has an influence. The randomness of an epoch
is drawn from ``(seed, epoch)``, so a resumed training goes on like one that was never interrupted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray

from autodl.agents.options import ControllerOptions
from autodl.agents.width_controller import Learned, WidthController, reward
from autodl.agents.width_policy import PricedDecisions
from autodl.data.augment import augmenter
from autodl.data.batches import Batch, batch_count, iterate
from autodl.data.load import SearchData
from autodl.recipes.options import TrainOptions
from autodl.recipes.schedules import cosine_rate
from autodl.spaces.width.space import WidthSpace
from autodl.supernets.width.annealing import Descent
from autodl.supernets.width.options import SupernetOptions
from autodl.supernets.width.projection_descent import ProjectionDescent, report
from autodl.supernets.width.supernet import Choices, Supernet
from autodl.training.fit import make_optimizer
from autodl.training.optimizer_state import optimizer_arrays, restore_optimizer
from autodl.training.weights import load_arrays
from autodl.trial import TrialFailure

_TRAINING, _RANKING = 2, 3  # streams of random numbers beside those of the supernet


def descent_of(options: SupernetOptions) -> Descent:
    """The settings of the projections' descent."""
    return Descent(
        momentum=options.projection_momentum,
        weight=options.projection_weight,
        kind=options.projection_loss,
        overlap=options.overlap,
        noise=options.noise,
    )


def step_rate(epoch: int, epochs: int, peak: float) -> float:
    """``peak``, a tenth of it after half, a hundredth after three quarters of the epochs."""
    return peak * 0.1 ** ((2 * epoch >= epochs) + (4 * epoch >= 3 * epochs))


class SupernetTrainer:
    """A supernet, its projections and its controller being trained.

    ``curve`` has a mapping for every epoch: ``loss``, ``accuracy``, ``learning_rate``, ``phi`` and
    its parts, ``smallest_singular_value``, mean ``macs`` of the trained architectures, ``seconds``
    and, of annealed epochs, ``reward``, ``baseline`` and ``entropy``.

    Args:
        space: what is searched.
        network: over that space.
        data: trained on the training pictures, rewarded on the held-out ones.
        budget: F_max, in the space's convention.
        rate: of the projections' descent; None leaves them as they are.
        seed: of the controller and of all that is drawn.
    """

    def __init__(
        self,
        space: WidthSpace,
        network: Supernet,
        data: SearchData,
        options: SupernetOptions,
        controller: ControllerOptions,
        *,
        budget: float,
        rate: float | None,
        seed: int,
    ) -> None:
        self.space, self.network, self.data = space, network, data
        self.curve: list[dict[str, float]] = []
        self._options, self._controls = options, controller
        self._budget, self._seed = budget, seed
        decisions = PricedDecisions(space.sizes, added=space.added_cost, budget=budget)
        self.controller = WidthController(decisions, controller, seed)
        self._optimizer = make_optimizer(
            network,
            TrainOptions(
                learning_rate=options.learning_rate,
                momentum=options.momentum,
                nesterov=False,
                weight_decay=options.weight_decay,
            ),
        )
        self._descent = None
        if rate is not None:
            self._descent = ProjectionDescent(network, descent_of(options), rate)
        self._steps = batch_count(len(data.train), options.batch_size, drop_last=True)

    def fit(self, after_epoch: Callable[[SupernetTrainer], None] = lambda trainer: None) -> None:
        """Train until the epochs are used up.

        Raises:
            TrialFailure: the loss is not finite.
        """
        while len(self.curve) < self._options.epochs:
            self._train_epoch()
            after_epoch(self)

    def _train_epoch(self) -> None:
        began, epoch = time.perf_counter(), len(self.curve)
        rng = np.random.default_rng((self._seed, _TRAINING, epoch))
        annealed = epoch >= self._options.warmup_epochs
        if annealed and self._descent and not self._options.detach:
            self._descent.let_in()  # after the optimiser was made: it shall not own them
        held_out = self._held_out_batches(np.random.default_rng(rng.integers(2**31)))
        losses, hits, seen, spent, learned = [], [], 0, 0.0, list[Learned]()
        rate = 0.0
        for step, (images, labels) in enumerate(self._batches(rng), start=epoch * self._steps):
            if annealed:
                learned.append(self._teach(next(held_out), rng))
                choices = self.controller.sample(rng)[0]
            else:
                choices = self.space.uniform(rng, 1)[0]
            rate = self._rate(step, epoch)
            loss, right = self._step(images, labels, choices, rate)
            if annealed and self._descent:
                # counted from the first annealed iteration, as in the simulation
                since = step - self._options.warmup_epochs * self._steps
                moves = since % self._options.projection_interval == 0
                (self._descent.step if moves else self._descent.forget)()
            losses.append(loss)
            hits.append(right)
            seen += len(labels)
            spent += float(self.space.macs(choices[None])[0])
        loss = float(paddle.stack(losses).mean())
        if not math.isfinite(loss):
            raise TrialFailure(
                f"the supernet's loss is {loss} in epoch {epoch + 1};"
                " a lower Supernet.learning_rate may help"
            )
        self.curve.append(
            {
                "epoch": epoch + 1,
                "loss": loss,
                "accuracy": float(paddle.stack(hits).sum()) / seen,
                "learning_rate": rate,
                "macs": spent / self._steps,
                **_sharing_numbers(self.network),
                **_controller_numbers(learned),
                "seconds": time.perf_counter() - began,
            }
        )

    def _rate(self, step: int, epoch: int) -> float:
        options = self._options
        if options.schedule == "step":
            return step_rate(epoch, options.epochs, options.learning_rate)
        return cosine_rate(step, options.epochs * self._steps, options.learning_rate)

    def _batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        augment = augmenter(
            padding=self._options.pad_crop,
            flip_rule=self._options.flip,
            fill=self.data.normalisation.mean_colour,
            epoch=len(self.curve),
            seed=self._seed,
        )
        return iterate(
            self.data.train,
            self._options.batch_size,
            normalisation=self.data.normalisation,
            rng=rng,
            augment=augment,
            drop_last=True,
        )

    def _held_out_batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Batches of held-out pictures without end."""
        while True:
            yield from iterate(
                self.data.held_out,
                self._options.batch_size,
                normalisation=self.data.normalisation,
                rng=rng,
                drop_last=True,
            )

    def _teach(self, batch: Batch, rng: np.random.Generator) -> Learned:
        """Reward drawn architectures on a held-out batch and let the controller learn."""
        images, labels = paddle.to_tensor(batch[0]), batch[1]
        drawn = self.controller.sample(rng, self._controls.samples)
        rewards = []
        # the batch's own statistics, and none of them is kept: pictures that score train nothing
        with paddle.no_grad(), self.network.norms_in("batch"):
            for choices, cost in zip(drawn, self.space.macs(drawn), strict=True):
                right = self.network(images, choices).numpy().argmax(axis=1) == labels
                rewards.append(
                    reward(float(right.mean()), cost, self._budget, self._controls.exponent)
                )
        return self.controller.learn(drawn, np.array(rewards))

    def _step(
        self, images: NDArray[np.float32], labels: NDArray[np.int64], choices: Choices, rate: float
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """One update of the weights; the mean loss and the number of hits."""
        self._optimizer.set_lr(rate)
        truth = paddle.to_tensor(labels)
        logits = self.network(paddle.to_tensor(images), choices)
        loss = F.cross_entropy(logits, truth)
        loss.backward()
        self._optimizer.step()
        self._optimizer.clear_grad(set_to_zero=False)
        return loss.detach(), (logits.detach().argmax(axis=1) == truth).sum()

    def shared_accuracy(self, choices: Choices) -> float:
        """Accuracy on all held-out pictures with shared weights and statistics estimated anew.

        The statistics are those of training pictures, always the same ones, without augmentation.
        """
        options, rng = self._options, np.random.default_rng((self._seed, _RANKING))
        taken = iterate(
            self.data.train,
            options.batch_size,
            normalisation=self.data.normalisation,
            rng=rng,
            drop_last=True,
        )
        batches = [
            paddle.to_tensor(images)
            for (images, _), _ in zip(taken, range(options.statistics_batches), strict=False)
        ]
        right = 0
        with paddle.no_grad(), self.network.statistics_of(choices, batches):
            for images, labels in iterate(
                self.data.held_out, 256, normalisation=self.data.normalisation
            ):
                logits = self.network(paddle.to_tensor(images), choices).numpy()
                right += int((logits.argmax(axis=1) == labels).sum())
        return right / len(self.data.held_out)

    def state(self) -> dict[str, Any]:
        """All that the epochs so far have changed."""
        named = dict(self.network.named_parameters())
        return {
            "network": {name: value.numpy() for name, value in self.network.state_dict().items()},
            "optimizer": optimizer_arrays(self._optimizer, named),
            "projections": self._descent.state() if self._descent else {},
            "controller": self.controller.state(),
            "curve": [dict(epoch) for epoch in self.curve],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state()`` gave.

        Raises:
            CheckpointError: it belongs to another network.
        """
        load_arrays(self.network, state["network"])
        named = dict(self.network.named_parameters())
        restore_optimizer(self._optimizer, named, state["optimizer"])
        if self._descent:
            self._descent.restore(state["projections"])
        self.controller.restore(state["controller"])
        self.curve = list(state["curve"])


def _sharing_numbers(network: Supernet) -> dict[str, float]:
    found = report(network)
    return {
        "phi": found.level,
        "phi_output": found.output,
        "phi_input": found.input,
        "smallest_singular_value": found.smallest_singular_value,
    }


def _controller_numbers(learned: list[Learned]) -> dict[str, float]:
    if not learned:
        return {}
    return {
        name: float(np.mean([getattr(one, name) for one in learned]))
        for name in ("reward", "baseline", "entropy")
    }
