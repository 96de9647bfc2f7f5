"""Learning the weights on operations, before every update of all other weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import paddle

from autodl.errors import ConfigError, DataError
from autodl.networks.layers import trainable
from autodl.supernets.relaxed.gradient import first_order, second_order
from autodl.supernets.relaxed.network import RelaxedNetwork, statistics_kept
from autodl.supernets.relaxed.options import RelaxedOptions
from autodl.supernets.relaxed.progress import mean_entropy
from autodl.tasks.task import Batch, Drawing
from autodl.training.goal import Truth, goal_of
from autodl.training.hooks.hook import Path
from autodl.training.optimisers.parameters import decay_of
from autodl.training.optimizer_state import optimizer_arrays, restore_optimizer, velocities
from autodl.training.setting import Epoch, Setting, Update

_HELD_OUT = 9  # stream of random numbers beside those of the training


class Relaxed(Path):
    """Moves the logits by Adam, on a batch of held-out examples that is drawn for every update.

    The batch is drawn from all of them, of the training's size and changed as training examples
    are; which it is depends on the seed and the number of the update alone. The logits are constant
    in the update of the weights, and batch-norms keep no statistics of what is computed for them.
    They are learned in float32, also where ``Train.amp`` trains the weights in mixed precision.

    Tells the mean ``entropy`` of the rows' weights, in nats, and the weights by table, edge and
    operation.

    Raises:
        ConfigError: the network is no mixture, the second order is asked for of another optimiser
            than plain SGD, or several processes train.
        DataError: nothing is held out.

    Source: Liu et al., DARTS, ICLR 2019, algorithm 1.
    """

    key = "relaxed"

    def __init__(self, setting: Setting, options: RelaxedOptions) -> None:
        if not isinstance(setting.network, RelaxedNetwork):
            raise ConfigError(
                "the path Relaxed is for a mixture of a space's operations, got a"
                f" {type(setting.network).__name__}"
            )
        if setting.share.size > 1:
            raise ConfigError("the path Relaxed is for one process, which moves the logits")
        if not setting.task.count("held_out"):
            raise DataError("the path Relaxed learns from held-out examples, and there are none")
        self._network, self._setting = setting.network, setting
        self._rule = options.check_optimiser(setting.recipe.optimiser.options)
        self._goal = goal_of(setting.task, setting.recipe.label_smoothing)
        self._epoch = self._number = 0
        with self._network.learning() as logits:
            self._adam = paddle.optimizer.Adam(
                learning_rate=options.learning_rate,
                beta1=options.beta1,
                beta2=options.beta2,
                parameters=logits,
                weight_decay=options.weight_decay,
            )

    def before_epoch(self, epoch: Epoch) -> None:
        """Count updates from the epoch's first one on."""
        self._epoch, self._number = epoch.number, epoch.number * self._setting.steps

    def choose(self) -> tuple[()]:
        """Nothing: the whole network computes."""
        return ()

    def before_step(self, update: Update) -> None:
        """Move the logits."""
        held_out = self._drawn()
        with self._network.learning() as logits, statistics_kept(self._network):
            for one, gradient in zip(logits, self._gradient(update, held_out, logits), strict=True):
                (one * gradient).sum().backward()
            self._adam.step()
            self._adam.clear_grad(set_to_zero=False)

    def _drawn(self) -> Batch:
        """The update's held-out examples."""
        setting, recipe = self._setting, self._setting.recipe
        rng = np.random.default_rng((setting.seed, _HELD_OUT, self._number))
        self._number += 1
        drawing = Drawing(rng, recipe.changes, self._epoch, recipe.epochs, setting.seed)
        return next(iter(setting.task.batches("held_out", recipe.batch_size, drawing)))

    def _gradient(
        self, update: Update, held_out: Batch, logits: list[paddle.Tensor]
    ) -> list[paddle.Tensor]:
        held = {id(one) for one in logits}
        weights = [one for one in trainable(self._network) if id(one) not in held]
        if self._rule is None:
            return first_order(weights, logits, lambda: self._loss(held_out))
        carried = [
            self._rule.momentum * velocity + decay_of(weight, self._rule.weight_decay) * weight
            for weight, velocity in zip(weights, velocities(update.optimizer, weights), strict=True)
        ]
        return second_order(
            weights,
            logits,
            lambda: self._loss(update.batch),
            lambda: self._loss(held_out),
            rate=update.rate,
            carried=[one.detach() for one in carried],
        )

    def _loss(self, batch: Batch) -> paddle.Tensor:
        outputs = self._network(paddle.to_tensor(batch.inputs)).astype("float32")
        return self._goal.loss(outputs, Truth.of(batch))

    def after_epoch(self) -> Mapping[str, float]:
        """See the class."""
        weights = self._network.weights()
        numbers = {"entropy": mean_entropy(self._network)}
        for table in self._network.space.tables:
            for edge, row in zip(table.edges, weights[table.name], strict=True):
                for operation, weight in zip(table.operations, row, strict=True):
                    numbers[f"{table.name}/{edge}/{operation}"] = float(weight)
        return numbers

    def state(self) -> dict[str, Any]:
        """Adam's; the logits are the network's."""
        return {"adam": optimizer_arrays(self._adam, self._network.logits)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state()`` gave."""
        with self._network.learning():
            restore_optimizer(self._adam, self._network.logits, state["adam"])
