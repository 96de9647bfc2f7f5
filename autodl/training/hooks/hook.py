"""What a hook may do. Its class does the ones it wants; the others do nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autodl.tasks.task import Task
from autodl.training.setting import Epoch, Update


class Hook:
    """Acts during a training; made before the optimiser, with a setting and its options.

    What it changes and the network does not hold belongs to its state, which a checkpoint keeps
    under ``key``: a training that is resumed after any epoch goes on like an unbroken one.
    """

    key = ""  # none: there is no state
    sections: tuple[str, ...] = ()  # names of those that ``identity`` gives
    sets_first_weights = False  # when it is made; a trained network is not trained on with it

    @classmethod
    def identity(cls, task: Task, options: Any, section: str) -> Mapping[str, Any]:
        """What it is found to be of, by sections of the run's identity, such as other weights.

        Args:
            task: that is trained on.
            options: its own.
            section: that names it, for messages.

        Raises:
            AutoDLError: what it needs is not there, or does not fit the task.
        """
        return {}

    def prepare(self) -> bool:
        """Before every epoch, outside its seconds: compute what is computed once.

        Returns:
            Whether something was computed; its seconds are ``prepared_seconds`` in the curve.
        """
        return False

    def before_epoch(self, epoch: Epoch) -> None:
        """Before the first batch of an epoch is drawn."""

    def before_step(self, update: Update) -> None:
        """Before every update of the weights, which has its batch already."""

    def after_step(self) -> None:
        """After every update of the weights."""

    def after_epoch(self) -> Mapping[str, float]:
        """After the last update of an epoch; numbers for the curve."""
        return {}

    def finish(self) -> None:
        """After the last epoch, or when the training stops early."""

    def state(self) -> Any:
        """What is needed to go on, as ``autodl.system.state`` can store it."""
        return {}

    def restore(self, state: Any) -> None:
        """Go on from what ``state()`` gave, the network having its weights."""


class Path(Hook):
    """Chooses what part of a supernet each update is of."""

    def choose(self) -> tuple[Any, ...]:
        """What the network is called with behind its inputs; after the batch has been drawn."""
        raise NotImplementedError

    def choices(self) -> Sequence[tuple[Any, ...]]:
        """The same for each path of an update; there is one, or the gradients are added."""
        return (self.choose(),)
