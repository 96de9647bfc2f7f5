"""Training a supernet while its sharing is annealed (APS-T): what acts beside the updates.

In the warm-up widths are uniform and the projections fixed. After it, each iteration has a step of
the controller on held-out pictures, one of the weights on an architecture that the controller
drew, and one of the projections, on which no picture has an influence. The loop is that of every
training, ``training/fit.py``: a path chooses the widths, a hook moves the projections.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import paddle

from autodl.agents.options import ControllerOptions
from autodl.agents.width_controller import Learned, WidthController, reward
from autodl.agents.width_policy import PricedDecisions
from autodl.config.components import Component, make_part
from autodl.errors import ConfigError
from autodl.recipes.recipe import Recipe
from autodl.supernets.width.annealing import Descent
from autodl.supernets.width.options import DescentOptions, PathOptions, SupernetOptions
from autodl.supernets.width.projection_descent import ProjectionDescent, report
from autodl.supernets.width.supernet import Choices, Supernet
from autodl.tasks.task import Batch, Changes, Drawing, Task
from autodl.training.fit import Trainer
from autodl.training.hooks.hook import Hook, Path
from autodl.training.setting import Epoch, Setting

_TRAINING, _RANKING = 2, 3  # streams of random numbers beside those of the supernet


def descent_of(options: SupernetOptions | DescentOptions) -> Descent:
    """The settings of the projections' descent."""
    return Descent(
        momentum=options.projection_momentum,
        weight=options.projection_weight,
        kind=options.projection_loss,
        overlap=options.overlap,
        noise=options.noise,
        decay=options.projection_decay,
    )


def supernet_trainer(
    network: Supernet,
    task: Task,
    options: SupernetOptions,
    controller: ControllerOptions,
    *,
    budget: float,
    rate: float | None,
    seed: int,
) -> Trainer:
    """The training of a supernet; its ``curve`` has what the path and the hook tell as well.

    Args:
        network: over the space that is searched.
        task: trained on its training examples, rewarded on the held-out ones.
        budget: F_max, in the space's convention.
        rate: of the projections' descent; None leaves them as they are.
        seed: of the controller and of all that is drawn.
    """
    recipe = supernet_recipe(options, controller, budget=budget, rate=rate)
    return Trainer(network, task, recipe, seed, stream=(_TRAINING,))


def supernet_recipe(
    options: SupernetOptions, controller: ControllerOptions, *, budget: float, rate: float | None
) -> Recipe:
    """What the sections ``Supernet`` and ``Controller`` say; see ``supernet_trainer``."""
    sgd = {
        "momentum": options.momentum,
        "nesterov": False,
        "weight_decay": options.weight_decay,
        "decay_biases": options.decay_biases,
    }
    rate_options: dict[str, Any] = {"learning_rate": options.learning_rate}
    if options.schedule == "cosine":
        rate_options["lowest_rate"] = options.lowest_rate
    path = PathOptions(
        **controller.model_dump(), budget=budget, warmup_epochs=options.warmup_epochs
    )
    shared = options.model_dump(include=set(DescentOptions.model_fields))
    descent = DescentOptions(**shared, rate=rate)
    return Recipe(
        epochs=options.epochs,
        batch_size=options.batch_size,
        schedule=make_part("Schedule", {"name": options.schedule, **rate_options}),
        optimiser=make_part("Optimiser", {"name": "SGD", **sgd}),
        changes=Changes(pad_crop=options.pad_crop, border=options.border, flip=options.flip),
        path=Component("Path", "Controller", path),
        hooks=(Component("Hook", "ProjectionDescent", descent),),
        section="Supernet",
        remedy="a lower Supernet.learning_rate may help",
    )


class ControlledWidths(Path):
    """Widths of every update: uniform in the warm-up, then drawn by a controller that learns.

    Tells the mean ``macs`` of the trained architectures and, of annealed epochs, the controller's
    mean ``reward``, ``baseline`` and ``entropy``.

    Raises:
        ConfigError: the network has no widths to choose.
    """

    key = "controller"

    def __init__(self, setting: Setting, options: PathOptions) -> None:
        if not isinstance(setting.network, Supernet):
            raise ConfigError(
                "the path Controller is for supernets of widths (supernet/width-demo.yaml); here"
                " Supernet.path may be Uniform"
            )
        self._network, self._task, self._options = setting.network, setting.task, options
        self._size, self._steps = setting.recipe.batch_size, setting.steps
        self._space = setting.network.space
        decisions = PricedDecisions.of(self._space, options.budget)
        self.controller = WidthController(decisions, options, setting.seed)
        self._rng = np.random.default_rng()
        self._held_out: Iterator[Batch] | None = None
        self._learned: list[Learned] = []
        self._spent = 0.0

    def before_epoch(self, epoch: Epoch) -> None:
        """Begin to draw from the epoch's generator."""
        self._rng, self._learned, self._spent = epoch.rng, [], 0.0
        annealed = epoch.number >= self._options.warmup_epochs
        self._held_out = self._without_end(np.random.default_rng(epoch.seed)) if annealed else None

    def _without_end(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Batches of held-out pictures, as they are."""
        while True:
            yield from self._task.batches("held_out", self._size, Drawing(rng))

    def choose(self) -> tuple[Choices]:
        """The choices of one architecture, int64 ``[decisions]``."""
        if self._held_out is None:
            choices = self._space.uniform(self._rng, 1)[0]
        else:
            self._learned.append(self._teach(next(self._held_out)))
            choices = self.controller.sample(self._rng)[0]
        self._spent += float(self._space.macs(choices[None])[0])
        return (choices,)

    def _teach(self, batch: Batch) -> Learned:
        """Reward drawn architectures on a held-out batch and let the controller learn."""
        inputs, options = paddle.to_tensor(batch.inputs), self._options
        drawn = self.controller.sample(self._rng, options.samples)
        rewards = []
        # the batch's own statistics, and none of them is kept: pictures that score train nothing
        with paddle.no_grad(), self._network.norms_in("batch"):
            for choices, cost in zip(drawn, self._space.macs(drawn), strict=True):
                right = self._network(inputs, choices).numpy().argmax(axis=1) == batch.targets
                rewards.append(reward(float(right.mean()), cost, options.budget, options.exponent))
        return self.controller.learn(drawn, np.array(rewards))

    def after_epoch(self) -> Mapping[str, float]:
        """See the class."""
        numbers = {"macs": self._spent / self._steps}
        if self._learned:
            for name in ("reward", "baseline", "entropy"):
                numbers[name] = float(np.mean([getattr(one, name) for one in self._learned]))
        return numbers

    def state(self) -> dict[str, Any]:
        """The controller's."""
        return self.controller.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state()`` gave."""
        self.controller.restore(state)


class AnnealedProjections(Hook):
    """Moves the projections once in so many annealed updates; without a rate they stay.

    Tells ``phi`` and its parts, and the ``smallest_singular_value`` of all projections.
    """

    key = "projections"

    def __init__(self, setting: Setting, options: DescentOptions) -> None:
        self._network, self._options = setting.network, options
        self._descent = None
        if options.rate is not None:
            self._descent = ProjectionDescent(setting.network, descent_of(options), options.rate)
        self._warmup = options.warmup_epochs * setting.steps
        self._steps, self._update = setting.steps, 0

    def before_epoch(self, epoch: Epoch) -> None:
        """Let the cross-entropy in with the first annealed epoch, where it is wanted."""
        self._update = epoch.number * self._steps
        annealed = epoch.number >= self._options.warmup_epochs
        if annealed and self._descent and not self._options.detach:
            self._descent.let_in()  # after the optimiser was made: it shall not own them

    def after_step(self) -> None:
        """Move them, or drop the gradients of an update in which they do not move."""
        # counted from the first annealed iteration, as in the simulation
        since = self._update - self._warmup
        self._update += 1
        if since >= 0 and self._descent:
            moves = since % self._options.projection_interval == 0
            (self._descent.step if moves else self._descent.forget)()

    def after_epoch(self) -> Mapping[str, float]:
        """See the class."""
        found = report(self._network)
        return {
            "phi": found.level,
            "phi_output": found.output,
            "phi_input": found.input,
            "smallest_singular_value": found.smallest_singular_value,
        }

    def state(self) -> dict[str, Any]:
        """The velocities; the projections themselves are the network's."""
        return self._descent.state() if self._descent else {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state()`` gave."""
        if self._descent:
            self._descent.restore(state)


def controller_of(trainer: Trainer) -> WidthController:
    """The controller of a supernet's training.

    Raises:
        TypeError: the training has none.
    """
    if not isinstance(trainer.path, ControlledWidths):
        raise TypeError("this training has no controller")
    return trainer.path.controller


def shared_accuracy(
    network: Supernet, task: Task, choices: Choices, options: SupernetOptions, seed: int
) -> float:
    """Accuracy on all held-out pictures with shared weights and statistics estimated anew.

    The statistics are those of training pictures, always the same ones, without augmentation.
    """
    rng = np.random.default_rng((seed, _RANKING))
    taken = task.batches("train", options.batch_size, Drawing(rng))
    batches = [
        paddle.to_tensor(batch.inputs)
        for batch, _ in zip(taken, range(options.statistics_batches), strict=False)
    ]
    right = 0
    with paddle.no_grad(), network.statistics_of(choices, batches):
        for batch in task.batches("held_out", 256):
            logits = network(paddle.to_tensor(batch.inputs), choices).numpy()
            right += int((logits.argmax(axis=1) == batch.targets).sum())
    return right / task.count("held_out")
