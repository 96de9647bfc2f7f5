"""Training one network: the loop over epochs, and what has to be kept to go on with it.

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
import paddle.nn.functional as F
from paddle import nn

from autodl.data.augment import augmenter, mixup
from autodl.data.batches import Normalisation, batch_count, iterate
from autodl.data.dataset import Pictures
from autodl.data.resize import resize_batch
from autodl.errors import CheckpointError, ConfigError
from autodl.networks.layers import DropPath
from autodl.plans.plan import for_input
from autodl.recipes.options import TrainOptions
from autodl.recipes.schedules import cosine_rate, linear_rate, picture_side
from autodl.recipes.stopping import reason_to_stop
from autodl.system.state import decode_state, encode_state
from autodl.training.averaging import WeightAverage
from autodl.training.optimizer_state import optimizer_arrays, restore_optimizer
from autodl.training.parallel import ALONE, Share
from autodl.training.rademacher import sampled_complexity
from autodl.training.shared_layers import share_layers
from autodl.training.whitening import whiten
from autodl.trial import TrialFailure

_RATES = {"cosine": cosine_rate, "linear": linear_rate}


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
                (decayed if is_norm or not name.endswith("bias") else plain).append(parameter)
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
    """One network being trained on one set of pictures.

    ``curve`` has a mapping for every epoch so far: ``epoch`` from 1, mean training ``loss`` (all
    of its terms) and ``accuracy``, the last ``learning_rate``, and ``seconds`` in all and of
    ``compute_seconds`` (forward, backward and update; on a GPU, where these run on their own, the
    time to start them and that of waiting for the last one).

    Where several processes train together, each has a trainer of its own, of the same network,
    pictures and options, and ``batch_size`` is that of one process: an update is made from
    ``share.size`` times as many pictures. Their curves and weights are those of one process that
    has the larger batch, to rounding.

    Raises:
        ConfigError: the only batch has fewer pictures than the batch size, and cannot be shared, or
            there are no edges to drop.
    """

    def __init__(
        self,
        network: nn.Layer,
        pictures: Pictures,
        normalisation: Normalisation,
        options: TrainOptions,
        seed: int,
        share: Share = ALONE,
    ) -> None:
        self.network = network
        self.curve: list[dict[str, float]] = []
        self._pictures = pictures
        self._normalisation = normalisation
        self._options = options
        self._seed = seed
        self._share = share
        share_layers(network, share)
        if options.whiten:
            whiten(network, pictures, normalisation)
        self._drop_paths = [layer for layer in network.sublayers() if isinstance(layer, DropPath)]
        if options.drop_path and not self._drop_paths:
            raise ConfigError(
                f"Train.drop_path {options.drop_path:g} is for networks with edges to drop, as"
                " GenotypeNetwork; use Train.drop_path=0"
            )
        if options.first_size is not None:
            self._check_sides()
        self._optimizer = make_optimizer(network, options)
        self._average = WeightAverage(network, options.averaging)
        self._batch_size = options.batch_size * share.size
        if len(pictures) < self._batch_size and len(pictures) % share.size:
            raise ConfigError(
                f"Train.batch_size {options.batch_size} in each of {share.size} processes exceeds"
                f" the {len(pictures)} training pictures, which they cannot share evenly; use"
                f" Train.batch_size={max(len(pictures) // share.size, 2)}, or fewer processes"
            )
        self._steps = batch_count(len(pictures), self._batch_size, drop_last=True)
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
        loss_sum, right, seen, compute_seconds, rate = 0.0, 0.0, 0, 0.0, 0.0
        batches = enumerate(self._batches(rng), start=epoch * self._steps)
        for step, (images, labels, targets) in batches:
            rate = _RATES[options.schedule](
                step,
                options.epochs * self._steps,
                options.learning_rate,
                round(options.warmup_epochs * self._steps),
            )
            began = time.perf_counter()
            loss, hits = self._step(images, labels, targets, rate)
            compute_seconds += time.perf_counter() - began
            after_step()
            if options.averaging:
                self._average.update()
            loss_sum, right = loss_sum + loss * len(labels), right + hits
            seen += len(labels)
        if self._on_gpu:
            began = time.perf_counter()
            paddle.device.synchronize()
            compute_seconds += time.perf_counter() - began
        loss_sum, right = self._share.mean(loss_sum), self._share.mean(right)
        mean_loss = float(loss_sum) / seen
        self._check_finite(mean_loss, f"epoch {epoch + 1} of {options.epochs}")
        if epoch + 1 == options.epochs:
            self._average.apply()
        self.curve.append(
            {
                "epoch": epoch + 1,
                "loss": mean_loss,
                "accuracy": float(right) / seen,
                "learning_rate": rate,
                "seconds": time.perf_counter() - start,
                "compute_seconds": compute_seconds,
            }
        )

    def _batches(
        self, rng: np.random.Generator
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
        """This process's part of this epoch's batches: images, labels and perhaps soft targets.

        They are shuffled, changed and normalised, without a last smaller one. Each process makes
        the whole batch, so that what is drawn for a picture depends on no one's part.
        """
        options, part, epoch = self._options, self._share.part, len(self.curve)
        side = self._side(epoch)
        augment = augmenter(
            padding=options.pad_crop,
            flip_rule=options.flip,
            cutout_size=options.cutout,
            fill=self._normalisation.mean_colour,
            epoch=epoch,
            seed=self._seed,
        )
        for images, labels in iterate(
            self._pictures,
            self._batch_size,
            normalisation=self._normalisation,
            rng=rng,
            augment=augment,
            drop_last=True,
        ):
            images, targets = self._targets(resize_batch(images, side), labels, rng)
            yield part(images), part(labels), None if targets is None else part(targets)

    def _side(self, epoch: int) -> int:
        options, full = self._options, self._pictures.images.shape[1]
        growth = (options.first_size, options.grown, options.grown_by)
        return picture_side(epoch, options.epochs, full, *growth)

    def _check_sides(self) -> None:
        """Try every size the pictures will have, before hours are spent on the first ones."""
        plan, epochs = self.network.plan, range(self._options.epochs)
        for side in sorted({self._side(epoch) for epoch in epochs}):
            try:
                for_input(plan, (plan.input_shape[0], side, side))
            except ValueError as error:
                raise TrialFailure(
                    f"pictures of {side}x{side} do not fit this network ({error}); use"
                    " Train.first_size=null, or sizes that can be halved as often as it halves them"
                    " (Train.first_size=16 Train.grown_by=8)"
                ) from None

    def _check_finite(self, mean_loss: float, when: str) -> None:
        mend = "a lower Train.learning_rate or Train.gradient_clip may help"
        if not math.isfinite(mean_loss):
            raise TrialFailure(f"the training loss is {mean_loss} in {when}; {mend}")
        # a loss can be finite without the weights: on a CPU, Paddle's ReLU turns NaN into 0
        values = self.network.state_dict()
        # stacked on the device, so that a GPU is waited for once, not once for every tensor
        finite = paddle.stack([paddle.isfinite(value).all() for value in values.values()]).numpy()
        if not finite.all():
            name = list(values)[int(finite.argmin())]
            raise TrialFailure(f"{name} is not finite after {when}; {mend}")

    def _targets(
        self, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Images, and soft targets ``[B, classes]`` where mixup asks for them."""
        if not self._options.mixup:
            return images, None
        mixed = mixup(images, labels, rng, self._options.mixup)
        classes = self.network.plan.output_shape[0]
        hot = np.eye(classes, dtype=np.float32)
        weight = np.float32(mixed.weight)
        soft = weight * hot[mixed.labels] + (1 - weight) * hot[mixed.partners]
        return mixed.images, soft

    def _step(
        self, images: np.ndarray, labels: np.ndarray, targets: np.ndarray | None, rate: float
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """One update; the batch's mean loss and number of hits, still on the device."""
        self._optimizer.set_lr(rate)
        truth = paddle.to_tensor(labels)
        loss, logits = self._objective(paddle.to_tensor(images), truth, targets)
        # gradients are averaged over processes before the optimiser clips them
        self._share.backward(self._scaler.scale(loss), self.network.parameters())
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.clear_grad(set_to_zero=False)
        return loss.detach(), (logits.detach().argmax(axis=1) == truth).sum().astype("float32")

    def _objective(
        self, images: paddle.Tensor, truth: paddle.Tensor, targets: np.ndarray | None
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """What an update makes smaller, and the logits."""
        options, auxiliary = self._options, None
        with paddle.amp.auto_cast(enable=self._amp, dtype="float16"):
            if options.auxiliary_weight:
                logits, auxiliary = self.network.with_auxiliary(images)
            else:
                logits = self.network(images)
        logits = logits.astype("float32")
        loss = self._loss(logits, truth, targets)
        if auxiliary is not None:
            head = self._loss(auxiliary.astype("float32"), truth, targets)
            loss = loss + options.auxiliary_weight * head
        if options.lrc_weight:
            # of mixed pictures the labels are those before mixing, as in the original
            complexity = sampled_complexity(logits, truth, self._share)
            loss = loss + options.lrc_weight * complexity
        return loss, logits

    def _loss(
        self, logits: paddle.Tensor, truth: paddle.Tensor, targets: np.ndarray | None
    ) -> paddle.Tensor:
        smoothing = self._options.label_smoothing
        if targets is None and not smoothing:
            return F.cross_entropy(logits, truth)
        classes = logits.shape[1]
        soft = F.one_hot(truth, classes) if targets is None else paddle.to_tensor(targets)
        soft = (1.0 - smoothing) * soft + smoothing / classes
        return F.cross_entropy(logits, soft, soft_label=True)

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


def load_arrays(network: nn.Layer, arrays: Mapping[str, np.ndarray]) -> None:
    """Give a network its weights and statistics; nothing is changed unless all of them fit.

    Raises:
        CheckpointError: a missing or surplus name, another shape or type of number.
    """
    own = network.state_dict()
    for name in own:
        if name not in arrays:
            raise CheckpointError(f"the saved weights lack {name!r}: they are of another network")
    for name, array in arrays.items():
        if name not in own:
            raise CheckpointError(f"the network has no {name!r}: the weights are of another one")
        if list(own[name].shape) != list(array.shape):
            raise CheckpointError(
                f"saved {name!r} has shape {list(array.shape)}, the network {list(own[name].shape)}"
            )
        if array.dtype.name != own[name].dtype.name.lower():
            raise CheckpointError(
                f"saved {name!r} holds {array.dtype}, the network {own[name].dtype.name.lower()}"
            )
    for name, array in arrays.items():
        own[name].set_value(paddle.to_tensor(array))
