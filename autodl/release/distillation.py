"""A term of the loss: learning what a teacher says, beside the labels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from autodl.errors import CheckpointError, ConfigError
from autodl.recipes.parts import DistillationOptions
from autodl.release.teacher import Teacher, find_teacher
from autodl.tasks.pictures import PictureTask
from autodl.tasks.task import Task
from autodl.training.device import compute_clock
from autodl.training.goal import Truth
from autodl.training.hooks.hook import Hook
from autodl.training.setting import Epoch, Keeper, Setting
from autodl.training.terms.distillation import soft_divergence, softened
from autodl.training.terms.term import Step

FILE = "teacher.safetensors"
_LEAST, _PARTS = 256, 10  # pictures between two lines of progress, and how many lines at most


class Distillation(Hook):
    """Makes the loss ``(1 - weight) x that of the labels + weight x T^2 x that of the teacher``.

    That of the teacher is the divergence of the student's from the teacher's probabilities, both at
    the temperature T: the paper's cross-entropy but for a constant, see ``soft_divergence``. For
    those of an ensemble see ``Teacher.logits``.
    That of the labels is the goal's, with all label smoothing and mixing. A weight of 0 leaves the
    training as it is, bit for bit. Other terms are added as they are.

    The teacher sees every picture once, before the first update, as it is and mirrored; the student
    sees it cropped, mirrored, cut out, small. This is the form with a fixed teacher. Beyer et al.,
    CVPR 2022 (arXiv:2106.05237), find it worse in long trainings than a teacher that sees what the
    student sees. Of mixed pictures the teacher's probabilities are mixed like the labels.

    The paper takes the mean of several teachers at the temperature T; here an ensemble's is taken
    first, and softened then.

    What the teacher says is kept in ``teacher.safetensors`` of the run's folder, part by part, and
    is not computed again. ``teacher_seconds`` in the first row of the curve are those of the
    processor that it took. A training that keeps nothing and goes on later, as a trial of several
    stages does, asks again, and counts it again.

    Source: Hinton, Vinyals and Dean, arXiv:1503.02531.

    Raises:
        ConfigError: another task than pictures in classes, or a teacher of other classes.
        UnknownNameError: no such teacher.
    """

    sections = ("Teacher",)

    def __init__(self, setting: Setting, options: DistillationOptions) -> None:
        task, self._teacher = _checked(setting.task, options, setting.recipe.section)
        if setting.share.size > 1:
            raise ConfigError(
                f"the term Distillation of {setting.recipe.section}.terms is for one process:"
                " others would wait too long for the teacher; train in one, or leave it out"
            )
        self._task = task
        self._keeper = setting.keeper
        self._weight, self._temperature = options.weight, options.temperature
        self._soft: NDArray[np.float32] | None = None
        self._seconds, self._untold = 0.0, False
        self._told: dict[str, float] = {}

    @classmethod
    def identity(cls, task: Task, options: DistillationOptions, section: str) -> dict[str, Any]:
        """See ``Hook``: the teacher's name, and its weights."""
        return {"Teacher": _checked(task, options, section)[1].identity()}

    def prepare(self) -> bool:
        """Ask the teacher, before the first epoch of a start; to read what is kept is no asking."""
        self._chances()
        return self._untold

    def before_epoch(self, epoch: Epoch) -> None:
        """What the teacher took is told with the first epoch behind it."""
        counts = epoch.number == 0 or self._untold
        self._told = {"teacher_seconds": self._seconds} if counts else {}
        self._untold = False

    def after_epoch(self) -> Mapping[str, float]:
        """See ``Hook``: in the first epoch, and where it was asked anew, what the teacher took."""
        return self._told

    def loss(self, step: Step) -> paddle.Tensor:
        """See ``Term``: what turns the goal's loss into that of distillation."""
        chances = paddle.to_tensor(_mixed(self._chances(), step.truth))
        taught = soft_divergence(step.outputs, chances, self._temperature)
        return self._weight * (taught - step.goal.loss(step.outputs, step.truth))

    def _chances(self) -> NDArray[np.float32]:
        """The teacher's probabilities at the temperature, float32 ``[N, classes]``."""
        if self._soft is None:
            self._soft = softened(self._logits(), self._temperature)
        return self._soft

    def _logits(self) -> NDArray[np.float32]:
        """What the teacher says of all pictures: what is kept, and the rest computed."""
        images, keeper, clock = self._task.train.images, self._keeper, compute_clock()
        if keeper is not None and (other := self._teacher.unlike(self._task.identity())):
            keeper.tell(
                f"note: the teacher may have learned from pictures that are held out here: {other};"
                " then held-out accuracies say too much of the student; the test set counts"
            )
        said = self._kept()
        part = max(_LEAST, -(-len(images) // _PARTS))
        while len(said) < len(images):
            began = clock()
            said = np.concatenate([said, self._teacher.logits(images[len(said) :][:part])])
            self._seconds, self._untold = self._seconds + clock() - began, True
            if keeper is not None:
                keeper.save({**self._of(), "seconds": self._seconds, "logits": said}, FILE)
                keeper.tell(
                    f"[Teacher] {self._teacher.name}: {len(said)}/{len(images)} pictures,"
                    f" {self._seconds:.1f} seconds of the processor"
                )
        if keeper is not None:
            right = (said.argmax(axis=1) == self._task.train.labels).mean()
            keeper.tell(f"[Teacher] {self._teacher.name}: {right:.4f} of these pictures right")
        return said

    def _of(self) -> dict[str, Any]:
        """What logits are of, as a state holds it."""
        of = {**self._teacher.identity(), "pictures": self._task.identity()}
        return {"of": json.dumps(of, sort_keys=True)}

    def _kept(self) -> NDArray[np.float32]:
        """The rows that are kept, perhaps none.

        Raises:
            CheckpointError: they are of another teacher or of other pictures.
        """
        nothing = np.empty((0, len(self._task.classes)), np.float32)
        known = None if self._keeper is None else self._keeper.restored(FILE)
        if known is None:
            return nothing
        said, seconds = known.get("logits"), known.get("seconds")
        if (
            {"of": known.get("of")} != self._of()
            or not isinstance(said, np.ndarray)
            or not isinstance(seconds, float)
            or said.dtype != np.float32
            or said.shape[1:] != nothing.shape[1:]
            or len(said) > self._task.count("train")
        ):
            raise CheckpointError(
                f"{FILE} in the run's folder is of another teacher or of other pictures; remove it,"
                " and the teacher is asked anew"
            )
        self._seconds = seconds
        return said


def kept_seconds(keeper: Keeper) -> float:
    """Seconds of the processor that a teacher took in earlier starts; 0 if nothing is kept of it.

    Raises:
        CheckpointError: what is kept is damaged.
    """
    seconds = (keeper.restored(FILE) or {}).get("seconds")
    return seconds if isinstance(seconds, float) else 0.0


def _checked(task: Task, options: DistillationOptions, section: str) -> tuple[PictureTask, Teacher]:
    """The task and its teacher, if they fit each other.

    Raises:
        ConfigError: another task than pictures in classes, or a teacher of other classes.
        UnknownNameError: no such teacher.
    """
    if not isinstance(task, PictureTask):
        raise ConfigError(
            f"the term Distillation of {section}.terms is for pictures in classes, and here are"
            f" {task.examples}; leave it out"
        )
    teacher = find_teacher(options.teacher)
    if teacher.classes != task.classes:
        raise ConfigError(
            f"the teacher {teacher.name} knows {_shown(teacher.classes)}, and the pictures have"
            f" {_shown(task.classes)}: choose a teacher of the same classes in the same order"
        )
    return task, teacher


def _mixed(chances: NDArray[np.float32], truth: Truth) -> NDArray[np.float32]:
    """The rows of a batch, ``[B, classes]``; of mixed examples mixed by their weight."""
    if truth.positions is None:
        raise ConfigError("the term Distillation needs a task whose batches number their examples")
    own: NDArray[np.float32] = chances[truth.positions]
    if truth.partner_positions is None:
        return own
    weight = np.float32(truth.weight)
    return weight * own + (np.float32(1) - weight) * chances[truth.partner_positions]


def _shown(classes: tuple[str, ...]) -> str:
    return f"{len(classes)} classes ({', '.join(classes[:3])}, ...)"
