"""Training one network: the one loop over epochs and batches, and what is kept to go on with it.

All randomness of an epoch is drawn from ``(seed, epoch)``, so a training that is resumed
from the end of any epoch continues exactly like one that was never interrupted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import paddle
from paddle import nn

from autodl.data.batches import batch_count
from autodl.errors import ConfigError
from autodl.networks.layers import DropPath
from autodl.plans.plan import for_input
from autodl.recipes.options import TrainOptions
from autodl.recipes.schedules import cosine_rate, linear_rate
from autodl.recipes.stopping import reason_to_stop
from autodl.system.state import decode_state, encode_state
from autodl.tasks.pictures import PictureTask
from autodl.tasks.task import Batch, Changes, Drawing, Task
from autodl.training.averaging import WeightAverage
from autodl.training.goal import Truth, goal_of
from autodl.training.optimizer_state import optimizer_arrays, restore_optimizer
from autodl.training.parallel import ALONE, Share
from autodl.training.rademacher import sampled_complexity
from autodl.training.shared_layers import share_layers
from autodl.training.weights import load_arrays
from autodl.training.whitening import whiten
from autodl.trial import TrialFailure

_RATES = {"cosine": cosine_rate, "linear": linear_rate}


def changes_of(options: TrainOptions) -> Changes:
    """How a ``Train`` section changes examples."""
    return Changes(
        pad_crop=options.pad_crop,
        flip=options.flip,
        cutout=options.cutout,
        mixup=options.mixup,
        first_size=options.first_size,
        grown=options.grown,
        grown_by=options.grown_by,
    )


def pictures_of(task: Task, option: str) -> PictureTask:
    """The task, if its examples are pictures.

    Raises:
        ConfigError: they are not, and ``option`` is for pictures.
    """
    if not isinstance(task, PictureTask):
        raise ConfigError(f"{option} is for pictures, the examples are {task.examples}")
    return task


def make_optimizer(network: nn.Layer, options: TrainOptions) -> paddle.optimizer.Momentum:
    """SGD with (Nesterov) momentum; weight decay on what the original decays.

    That is weights and batch-norm scales and shifts. Biases of convolutions and linear layers
    have none; batch-norm statistics, which Paddle lists among the parameters, are left out.
    """
    decayed: list[paddle.Tensor] = []
    plain: list[paddle.Tensor] = []
    for layer in network.sublayers(include_self=True):
        is_norm = isinstance(layer, nn.BatchNorm2D)
        for name, parameter in layer.named_parameters(include_sublayers=False):
            if not parameter.stop_gradient:
                (decayed if is_norm or not name.startswith("bias") else plain).append(parameter)
    for parameter in plain:  # not a group of its own: Paddle would clip each group by itself
        parameter.regularizer = paddle.regularizer.L2Decay(0.0)
    clip = options.gradient_clip
    return paddle.optimizer.Momentum(
        learning_rate=options.learning_rate,
        momentum=options.momentum,
        use_nesterov=options.nesterov,
        parameters=[*decayed, *plain],
        weight_decay=options.weight_decay,
        grad_clip=None if clip is None else nn.ClipGradByGlobalNorm(clip),
    )


class Trainer:
    """One network being trained on one task.

    ``curve`` has a mapping for every epoch so far: ``epoch`` from 1, mean training ``loss`` (all
    of its terms) and the task's metric (``accuracy``), the last ``learning_rate``, and ``seconds``
    in all and of ``compute_seconds`` (forward, backward and update; on a GPU, where these run on
    their own, the time to start them and that of waiting for the last one).

    Where several processes train together, each has a trainer of its own, of the same network,
    task and options, and ``batch_size`` is that of one process: an update is made from
    ``share.size`` times as many examples. Their curves and weights are those of one process that
    has the larger batch, to rounding.

    Raises:
        ConfigError: the only batch has fewer examples than the batch size, and cannot be shared, or
            there are no edges to drop.
    """

    def __init__(
        self,
        network: nn.Layer,
        task: Task,
        options: TrainOptions,
        seed: int,
        share: Share = ALONE,
    ) -> None:
        self.network = network
        self.curve: list[dict[str, float]] = []
        self._task = task
        self._options = options
        self._seed = seed
        self._share = share
        share_layers(network, share)
        if options.whiten:
            pictures = pictures_of(task, f"{options.SECTION}.whiten")
            whiten(network, pictures.train, pictures.normalisation)
        self._drop_paths = [layer for layer in network.sublayers() if isinstance(layer, DropPath)]
        if options.drop_path and not self._drop_paths:
            raise ConfigError(
                f"{options.SECTION}.drop_path {options.drop_path:g} is for networks with edges to"
                f" drop, as GenotypeNetwork; use {options.SECTION}.drop_path=0"
            )
        self._goal = goal_of(task, options.label_smoothing)
        self._changes = changes_of(options)
        if options.first_size is not None:
            self._check_sides(pictures_of(task, f"{options.SECTION}.first_size"))
        self._optimizer = make_optimizer(network, options)
        self._average = WeightAverage(network, options.averaging)
        self._batch_size = options.batch_size * share.size
        count = task.count("train")
        if count < self._batch_size and count % share.size:
            key = f"{options.SECTION}.batch_size"
            raise ConfigError(
                f"{key} {options.batch_size} in each of {share.size} processes exceeds the {count}"
                f" training {task.examples}, which they cannot share evenly; use"
                f" {key}={max(count // share.size, 2)}, or fewer processes"
            )
        self._steps = batch_count(count, self._batch_size, drop_last=True)
        # on a CPU Paddle's auto_cast does nothing but warn
        self._on_gpu = paddle.get_device().startswith("gpu")
        self._amp = options.amp and self._on_gpu
        self._scaler = paddle.amp.GradScaler(enable=self._amp)

    def fit(
        self,
        after_epoch: Callable[[Trainer], None] = lambda trainer: None,
        *,
        until: int | None = None,
        after_step: Callable[[], None] = lambda: None,
    ) -> str:
        """Train until the epochs are used up or early stopping says why to stop.

        Args:
            until: stop after so many epochs in all, the schedule being that of the full training.
            after_step: called after every update; it may change the weights.

        Returns:
            The reason for stopping early, or an empty string.

        Raises:
            TrialFailure: the loss, a weight or a batch-norm statistic is not finite.
        """
        end = self._options.epochs if until is None else min(until, self._options.epochs)
        while len(self.curve) < end:
            stop = reason_to_stop(
                [epoch["loss"] for epoch in self.curve],
                patience=self._options.patience,
                min_improvement=self._options.min_improvement,
                divergence=self._options.divergence,
            )
            if stop:
                self._average.apply()
                return stop
            self._train_epoch(after_step)
            after_epoch(self)
        return ""

    def _train_epoch(self, after_step: Callable[[], None]) -> None:
        start = time.perf_counter()
        options, epoch = self._options, len(self.curve)
        rng = np.random.default_rng((self._seed, epoch))
        paddle.seed(int(rng.integers(2**31)))  # dropout, dropped edges, Rademacher signs
        for layer in self._drop_paths:
            layer.p = options.drop_path * epoch / options.epochs
        self.network.train()
        loss_sum, counted, seen, compute_seconds, rate = 0.0, 0.0, 0, 0.0, 0.0
        batches = enumerate(self._batches(rng), start=epoch * self._steps)
        for step, batch in batches:
            rate = _RATES[options.schedule](
                step,
                options.epochs * self._steps,
                options.learning_rate,
                round(options.warmup_epochs * self._steps),
            )
            began = time.perf_counter()
            loss, tally = self._step(batch, rate)
            compute_seconds += time.perf_counter() - began
            after_step()
            if options.averaging:
                self._average.update()
            loss_sum, counted = loss_sum + loss * len(batch), counted + tally
            seen += len(batch)
        if self._on_gpu:
            began = time.perf_counter()
            paddle.device.synchronize()
            compute_seconds += time.perf_counter() - began
        loss_sum, counted = self._share.mean(loss_sum), self._share.mean(counted)
        mean_loss = float(loss_sum) / seen
        self._check_finite(mean_loss, f"epoch {epoch + 1} of {options.epochs}")
        if epoch + 1 == options.epochs:
            self._average.apply()
        self.curve.append(
            {
                "epoch": epoch + 1,
                "loss": mean_loss,
                self._task.metric.name: float(counted) / seen,
                "learning_rate": rate,
                "seconds": time.perf_counter() - start,
                "compute_seconds": compute_seconds,
            }
        )

    def _batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """This process's part of this epoch's batches, shuffled and changed.

        Each process makes the whole batch, so that what is drawn for an example depends on no
        one's part.
        """
        options, share = self._options, self._share
        drawing = Drawing(rng, self._changes, len(self.curve), options.epochs, self._seed)
        for batch in self._task.batches("train", self._batch_size, drawing):
            yield batch if share.size == 1 else batch.rows(share.part)

    def _check_sides(self, task: PictureTask) -> None:
        """Try every size the pictures will have, before hours are spent on the first ones."""
        plan, epochs, section = self.network.plan, self._options.epochs, self._options.SECTION
        for side in sorted({task.side(self._changes, epoch, epochs) for epoch in range(epochs)}):
            try:
                for_input(plan, (plan.input_shape[0], side, side))
            except ValueError as error:
                raise TrialFailure(
                    f"pictures of {side}x{side} do not fit this network ({error}); use"
                    f" {section}.first_size=null, or sizes that can be halved as often as it halves"
                    f" them ({section}.first_size=16 {section}.grown_by=8)"
                ) from None

    def _check_finite(self, mean_loss: float, when: str) -> None:
        section = self._options.SECTION
        mend = f"a lower {section}.learning_rate or {section}.gradient_clip may help"
        if not math.isfinite(mean_loss):
            raise TrialFailure(f"the training loss is {mean_loss} in {when}; {mend}")
        # a loss can be finite without the weights: on a CPU, Paddle's ReLU turns NaN into 0
        values = self.network.state_dict()
        # stacked on the device, so that a GPU is waited for once, not once for every tensor
        finite = paddle.stack([paddle.isfinite(value).all() for value in values.values()]).numpy()
        if not finite.all():
            name = list(values)[int(finite.argmin())]
            raise TrialFailure(f"{name} is not finite after {when}; {mend}")

    def _step(self, batch: Batch, rate: float) -> tuple[paddle.Tensor, paddle.Tensor]:
        """One update; the batch's mean loss and the tally of its metric, still on the device."""
        self._optimizer.set_lr(rate)
        truth = Truth.of(batch)
        loss, outputs = self._objective(paddle.to_tensor(batch.inputs), truth)
        # gradients are averaged over processes before the optimiser clips them
        self._share.backward(self._scaler.scale(loss), self.network.parameters())
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.clear_grad(set_to_zero=False)
        return loss.detach(), self._goal.tally(outputs.detach(), truth)

    def _objective(
        self, inputs: paddle.Tensor, truth: Truth
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """What an update makes smaller, and the outputs."""
        options, auxiliary = self._options, None
        with paddle.amp.auto_cast(enable=self._amp, dtype="float16"):
            if options.auxiliary_weight:
                outputs, auxiliary = self.network.with_auxiliary(inputs)
            else:
                outputs = self.network(inputs)
        outputs = outputs.astype("float32")
        loss = self._goal.loss(outputs, truth)
        if auxiliary is not None:
            head = self._goal.loss(auxiliary.astype("float32"), truth)
            loss = loss + options.auxiliary_weight * head
        if options.lrc_weight:
            # of mixed pictures the labels are those before mixing, as in the original
            complexity = sampled_complexity(outputs, truth.targets, self._share)
            loss = loss + options.lrc_weight * complexity
        return loss, outputs

    def state(self) -> dict[str, Any]:
        """Weights, statistics, optimiser and curve: all that the epochs so far have changed."""
        return {
            "network": {name: value.numpy() for name, value in self.network.state_dict().items()},
            "optimizer": optimizer_arrays(self._optimizer, dict(self.network.named_parameters())),
            "scaler": {k: _plain(v) for k, v in self._scaler.state_dict().items()},
            "curve": [dict(epoch) for epoch in self.curve],
            **({"average": self._average.arrays()} if self._options.averaging else {}),
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
        if state["scaler"]:
            self._scaler.load_state_dict(dict(state["scaler"]))
        if self._options.averaging:
            self._average.restore(state["average"])
        self.curve = list(state["curve"])


def _plain(value: Any) -> Any:
    return value.numpy() if isinstance(value, paddle.Tensor) else value
