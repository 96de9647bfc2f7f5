"""Training one network: the one loop over epochs and batches, and what is kept to go on with it.

All randomness of an epoch is drawn from ``(seed, epoch)``, so a training that is resumed
from the end of any epoch continues exactly like one that was never interrupted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain, count, islice
from typing import Any

import numpy as np
import paddle
from paddle import nn

from autodl.data.batches import batch_count
from autodl.errors import ConfigError
from autodl.networks.precision import mixed_precision
from autodl.recipes.pace import Pace
from autodl.recipes.recipe import Recipe
from autodl.recipes.schedules import Rate
from autodl.recipes.stopping import reason_to_stop
from autodl.system.memory import freed_memory_kept
from autodl.system.state import decode_state, encode_state
from autodl.tasks.task import Batch, Drawing, Task
from autodl.training.device import compute_clock
from autodl.training.goal import Truth, goal_of
from autodl.training.hooks.hook import Hook, Path
from autodl.training.optimizer_state import optimizer_arrays, restore_optimizer
from autodl.training.parallel import ALONE, Share
from autodl.training.setting import Epoch, Keeper, Setting, Update
from autodl.training.shared_layers import share_layers
from autodl.training.terms.term import Step, Term
from autodl.training.weights import load_arrays
from autodl.trial import TrialFailure

_CUT = "the time is up"
_WHOLE: tuple[tuple[Any, ...], ...] = ((),)  # the network without a path: one call, of inputs alone


def make_optimizer(network: nn.Layer, recipe: Recipe, rate: float) -> paddle.optimizer.Optimizer:
    """The recipe's optimiser over all that is trained, at a first learning rate."""
    optimizer: paddle.optimizer.Optimizer = recipe.optimiser.factory()(
        network, rate, recipe.optimiser.options
    )
    return optimizer


@dataclass(slots=True)
class _Totals:
    """Sums over the batches of a pass; on the device, so that no batch is waited for."""

    loss: paddle.Tensor | float = 0.0
    tally: paddle.Tensor | float = 0.0
    examples: int = 0
    compute_seconds: float = 0.0
    rate: float = 0.0
    cut: bool = False


class Trainer:
    """One network being trained on one task.

    ``curve`` has a mapping for every epoch so far: ``epoch`` from 1, mean training ``loss`` (all
    of its terms) and the task's metric (``accuracy``), the last ``learning_rate``, what the hooks
    tell, and ``seconds`` in all and of ``compute_seconds`` (forward, backward and update, in
    processor time; on a GPU, where these run on their own, the time to start them and that of
    waiting for the last one), and ``prepared_seconds`` where parts computed something before it.
    The last one has ``cut`` if it was ended before its last update.

    Where several processes train together, each has a trainer of its own, of the same network,
    task and recipe, and ``batch_size`` is that of one process: an update is made from
    ``share.size`` times as many examples. Their curves and weights are those of one process that
    has the larger batch, to rounding.

    Args:
        network: called with a batch's inputs and, where the recipe has a path, what that chooses.
        seed: of all that is drawn.
        stream: numbers that tell this training's random numbers from others of the same seed.
        keeper: where parts keep what they do not compute twice.

    Raises:
        ConfigError: the only batch has fewer examples than the batch size, and cannot be shared, or
            a part of the recipe does not fit the network or the task.
    """

    def __init__(
        self,
        network: nn.Layer,
        task: Task,
        recipe: Recipe,
        seed: int,
        share: Share = ALONE,
        *,
        stream: tuple[int, ...] = (),
        keeper: Keeper | None = None,
    ) -> None:
        self.network, self.task = network, task
        self.curve: list[dict[str, float]] = []
        self._recipe, self._seeds, self._share = recipe, (seed, *stream), share
        if recipe.max_seconds is not None and share.size > 1:
            raise ConfigError(
                f"{recipe.section}.max_seconds is for one process, whose clock counts; here are"
                f" {share.size}: leave it out"
            )
        self._batch_size = recipe.batch_size * share.size
        self._steps = self._check_batches()
        share_layers(network, share)
        setting = Setting(network, task, recipe, seed, share, self._steps, keeper)
        self.hooks: list[Hook] = [part.factory()(setting, part.options) for part in recipe.hooks]
        self.path: Path | None = None
        if recipe.path is not None:
            self.path = recipe.path.factory()(setting, recipe.path.options)
        self._terms: list[Term] = [part.factory()(setting, part.options) for part in recipe.terms]
        self._goal = goal_of(task, recipe.label_smoothing)
        schedule = recipe.schedule
        self._rate: Rate = schedule.factory()(schedule.options, recipe.epochs, self._steps)
        self._pace = Pace(recipe.epochs * self._steps, recipe.max_seconds)
        self._optimizer = make_optimizer(network, recipe, self._rate(0))
        self._parameters = network.parameters()  # once: Paddle walks over all layers for them
        self._on_gpu = paddle.get_device().startswith("gpu")
        self._clock = compute_clock()
        self._amp = recipe.amp
        # bfloat16, on a CPU, has the range of float32
        self._scaler = paddle.amp.GradScaler(enable=self._amp and self._on_gpu)

    def _check_batches(self) -> int:
        """Number of updates in an epoch."""
        size, share, examples = self._recipe.batch_size, self._share, self.task.count("train")
        if examples < self._batch_size and self._recipe.whole_batches:
            section = self._recipe.section
            raise ConfigError(
                f"{section}.recipe has the rate of batches of {self._batch_size}, and there are"
                f" only {examples} training {self.task.examples}; use a {section}.batch_size of"
                f" {max(examples // (4 * share.size), 2)} or so, which sets the rate with it"
            )
        if examples < self._batch_size and examples % share.size:
            section = self._recipe.section
            raise ConfigError(
                f"{section}.batch_size {size} in each of {share.size} processes exceeds the"
                f" {examples} training {self.task.examples}, which they cannot share evenly; use"
                f" {section}.batch_size={max(examples // share.size, 2)}, or fewer processes"
            )
        return batch_count(examples, self._batch_size, drop_last=True)

    @property
    def _parts(self) -> list[Hook]:
        """All that acts beside the updates, in its order; a term may be a hook, too."""
        path = [] if self.path is None else [self.path]
        return [*path, *self.hooks, *(term for term in self._terms if isinstance(term, Hook))]

    @property
    def seconds(self) -> float:
        """Of all epochs so far, and of what was computed before them."""
        return sum(row["seconds"] + row.get("prepared_seconds", 0.0) for row in self.curve)

    def fit(
        self,
        after_epoch: Callable[[Trainer], None] = lambda trainer: None,
        *,
        until: int | None = None,
        after_step: Callable[[], None] = lambda: None,
        leave: Callable[[], bool] = lambda: False,
    ) -> str:
        """Train until the epochs are used up or early stopping says why to stop.

        Args:
            until: stop after so many epochs in all, the schedule being that of the full training.
            after_step: called after every update; it may change the weights.
            leave: asked after every update whether to end with it.

        Returns:
            The reason for stopping early, or an empty string.

        Raises:
            TrialFailure: the loss, a weight or a batch-norm statistic is not finite.
        """
        recipe = self._recipe
        end = recipe.epochs if until is None else min(until, recipe.epochs)
        began = time.perf_counter() - self.seconds

        def elapsed() -> float:
            return time.perf_counter() - began

        with freed_memory_kept():
            while len(self.curve) < end and not self._was_cut():
                stop = reason_to_stop(
                    [epoch["loss"] for epoch in self.curve],
                    patience=recipe.stop.patience,
                    min_improvement=recipe.stop.min_improvement,
                    divergence=recipe.stop.divergence,
                )
                if stop:
                    self._finish()
                    return stop
                self._train_epoch(after_step, elapsed, leave)
                after_epoch(self)
        return _CUT if self._was_cut() else ""

    def updates(self, number: int, rng: np.random.Generator) -> None:
        """Make so many updates on batches that ``rng`` draws, which belong to no epoch.

        Learning rates are those from the first update on.
        """
        passes = (self._batches(Drawing(rng, self._recipe.changes)) for _ in count())
        self._updates(islice(chain.from_iterable(passes), number), 0)

    def _was_cut(self) -> bool:
        return bool(self.curve) and "cut" in self.curve[-1]

    def _finish(self) -> None:
        for part in self._parts:
            part.finish()

    def _train_epoch(
        self,
        after_step: Callable[[], None],
        elapsed: Callable[[], float],
        leave: Callable[[], bool],
    ) -> None:
        recipe, epoch, asked = self._recipe, len(self.curve), time.perf_counter()
        prepared = [part.prepare() for part in self._parts]
        start = time.perf_counter()
        rng = np.random.default_rng((*self._seeds, epoch))
        seed = int(rng.integers(2**31))
        paddle.seed(seed)  # dropout, dropped edges, Rademacher signs
        for part in self._parts:
            part.before_epoch(Epoch(epoch, rng, seed))
        drawing = Drawing(rng, recipe.changes, epoch, recipe.epochs, self._seeds[0])

        def ends() -> bool:
            return leave() or self._pace.over(elapsed())

        totals = self._updates(
            self._batches(drawing), epoch * self._steps, after_step, elapsed, ends
        )
        if self._on_gpu:
            began = self._clock()
            paddle.device.synchronize()
            totals.compute_seconds += self._clock() - began
        loss_sum, tally = self._share.mean(totals.loss), self._share.mean(totals.tally)
        mean_loss = float(loss_sum) / totals.examples
        self._check_finite(mean_loss, f"epoch {epoch + 1} of {recipe.epochs}")
        told = [part.after_epoch() for part in self._parts]
        if totals.cut or epoch + 1 == recipe.epochs:
            self._finish()
        self.curve.append(
            {
                "epoch": epoch + 1,
                "loss": mean_loss,
                self.task.metric.name: float(tally) / totals.examples,
                "learning_rate": totals.rate,
                **{name: value for numbers in told for name, value in numbers.items()},
                "seconds": time.perf_counter() - start,
                "compute_seconds": totals.compute_seconds,
                **({"prepared_seconds": start - asked} if any(prepared) else {}),
                **({"cut": 1.0} if totals.cut else {}),
            }
        )

    def _batches(self, drawing: Drawing) -> Iterator[Batch]:
        """This process's part of the batches of a pass, shuffled and changed.

        Each process makes the whole batch, so that what is drawn for an example depends on no
        one's part.
        """
        share = self._share
        for batch in self.task.batches("train", self._batch_size, drawing):
            yield batch if share.size == 1 else batch.rows(share.part)

    def _updates(
        self,
        batches: Iterable[Batch],
        first: int,
        after_step: Callable[[], None] = lambda: None,
        elapsed: Callable[[], float] = lambda: 0.0,
        ends: Callable[[], bool] = lambda: False,
    ) -> _Totals:
        """The loop: an update for every batch, the first of which has the number ``first``.

        Args:
            elapsed: seconds of the whole training so far.
            ends: asked after every update whether it was the last.
        """
        self.network.train()
        totals = _Totals()
        for step, batch in enumerate(batches, start=first):
            paths = _WHOLE if self.path is None else self.path.choices()
            position = self._pace.position(step, elapsed())
            totals.rate = self._rate(position)
            began = self._clock()
            for part in self._parts:
                part.before_step(Update(batch, totals.rate, self._optimizer, position))
            loss, tally = self._step(batch, totals.rate, paths)
            totals.compute_seconds += self._clock() - began
            after_step()
            for part in self._parts:
                part.after_step()
            totals.loss, totals.tally = totals.loss + loss * len(batch), totals.tally + tally
            totals.examples += len(batch)
            if ends():
                totals.cut = True
                break
        return totals

    def _check_finite(self, mean_loss: float, when: str) -> None:
        mend = self._recipe.remedy
        if not math.isfinite(mean_loss):
            raise TrialFailure(f"the training loss is {mean_loss} in {when}", mend)
        # a loss can be finite without the weights: on a CPU, Paddle's ReLU turns NaN into 0
        values = self.network.state_dict()
        # stacked on the device, so that a GPU is waited for once, not once for every tensor
        finite = paddle.stack([paddle.isfinite(value).all() for value in values.values()]).numpy()
        if not finite.all():
            name = list(values)[int(finite.argmin())]
            raise TrialFailure(f"{name} is not finite after {when}", mend)

    def _step(
        self, batch: Batch, rate: float, paths: Sequence[tuple[Any, ...]]
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """One update; the batch's mean loss and the tally of its metric, still on the device.

        Of several paths the gradients are added; loss and tally are means over them.
        """
        self._optimizer.set_lr(rate)
        truth, inputs = Truth.of(batch), paddle.to_tensor(batch.inputs)
        told = []
        for chosen in paths:
            loss, outputs = self._objective(inputs, truth, *chosen)
            # gradients are averaged over processes before the optimiser clips them
            self._share.backward(self._scaler.scale(loss), self._parameters)
            told.append((loss.detach(), self._goal.tally(outputs.detach(), truth)))
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.clear_grad(set_to_zero=False)
        if len(told) == 1:
            return told[0]
        losses, tallies = zip(*told, strict=True)
        return paddle.stack(losses).mean(), paddle.stack(tallies).astype("float32").mean()

    def _precision(self) -> AbstractContextManager[None]:
        return mixed_precision(self._amp)

    def _objective(
        self, inputs: paddle.Tensor, truth: Truth, *chosen: Any
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """What an update makes smaller, and the outputs."""
        with self._precision():
            outputs = self.network(inputs, *chosen)
        outputs = outputs.astype("float32")
        loss = self._goal.loss(outputs, truth)
        if self._terms:
            share, precision = self._share, self._precision
            step = Step(self.network, inputs, outputs, truth, self._goal, share, precision)
            for term in self._terms:
                loss = loss + term.loss(step)
        return loss, outputs

    def state(self) -> dict[str, Any]:
        """Weights, statistics, optimiser, curve, hooks: all that the epochs so far have changed."""
        return {
            "network": {name: value.numpy() for name, value in self.network.state_dict().items()},
            "optimizer": optimizer_arrays(self._optimizer, dict(self.network.named_parameters())),
            "scaler": {k: _plain(v) for k, v in self._scaler.state_dict().items()},
            "curve": [dict(epoch) for epoch in self.curve],
            **{part.key: part.state() for part in self._parts if part.key},
        }

    def align(self) -> None:
        """Let all processes go on from the state of the leading one."""
        if self._share.size > 1:
            state = self._share.broadcast(encode_state(self.state()))
            if not self._share.leads:
                self.restore(decode_state(state))

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state()`` gave.

        Raises:
            CheckpointError: it belongs to another network.
        """
        load_arrays(self.network, state["network"])
        restore_optimizer(
            self._optimizer, dict(self.network.named_parameters()), state["optimizer"]
        )
        if state["scaler"] and self._amp and self._on_gpu:  # elsewhere there is nothing to scale
            self._scaler.load_state_dict(dict(state["scaler"]))
        for part in self._parts:
            if part.key:
                part.restore(state[part.key])
        self.curve = list(state["curve"])


def _plain(value: Any) -> Any:
    return value.numpy() if isinstance(value, paddle.Tensor) else value
