"""Pictures that grow over the epochs, held against the network before hours are spent."""

from __future__ import annotations

from autodl.config.sections import NoOptions
from autodl.errors import ConfigError
from autodl.plans.plan import Plan, for_input
from autodl.tasks.pictures import PictureTask
from autodl.training.hooks.hook import Hook
from autodl.training.setting import Setting
from autodl.trial import TrialFailure


class GrowingPictures(Hook):
    """Tries every size that the pictures will have; they grow where the task makes its batches.

    Raises:
        ConfigError: the examples are no pictures, the network has a plan for each path, or the
            training may be ended by its clock before the pictures have grown.
        TrialFailure: the network cannot take a size.
    """

    def __init__(self, setting: Setting, options: NoOptions) -> None:
        recipe, network, task = setting.recipe, setting.network, setting.task
        if not isinstance(task, PictureTask):
            raise ConfigError(
                f"{recipe.section}.first_size is for pictures, the examples are {task.examples}"
            )
        epochs, section = recipe.epochs, recipe.section
        plan: Plan | None = getattr(network, "plan", None)
        if plan is None:
            raise ConfigError(
                "pictures that grow need a network of one plan, this is a"
                f" {type(network).__name__}; use {section}.first_size=null"
            )
        if recipe.max_seconds is not None:
            raise ConfigError(
                f"{section}.max_seconds={recipe.max_seconds:g} may end the training before its"
                f" pictures have their full size; use {section}.first_size=null, or no max_seconds"
            )
        for side in sorted({task.side(recipe.changes, epoch, epochs) for epoch in range(epochs)}):
            try:
                for_input(plan, (plan.input_shape[0], side, side))
            except ValueError as error:
                raise TrialFailure(
                    f"pictures of {side}x{side} do not fit this network ({error}); use"
                    f" {section}.first_size=null, or sizes that can be halved as often as it halves"
                    f" them ({section}.first_size=16 {section}.grown_by=8)"
                ) from None
