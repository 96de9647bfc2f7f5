"""What the parts of a recipe are found to be of, before there is a network."""

from __future__ import annotations

from typing import Any

from autodl.recipes.recipe import Recipe
from autodl.tasks.task import Task
from autodl.training.hooks.hook import Hook


def recipe_identity(recipe: Recipe, task: Task) -> dict[str, Any]:
    """Sections for the identity of a run that trains by this recipe; mostly none.

    Whoever trains asks for it before anything is written, and a search before its first trial: what
    a part needs, such as a teacher, is refused here if it is not there or does not fit.

    Raises:
        AutoDLError: see the parts' ``identity``.
    """
    path = [] if recipe.path is None else [recipe.path]
    found: dict[str, Any] = {}
    for part in (*path, *recipe.hooks, *recipe.terms):
        factory = part.factory()
        if isinstance(factory, type) and issubclass(factory, Hook):
            found |= factory.identity(task, part.options, recipe.section)
    return found
