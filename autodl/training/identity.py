"""What the parts of a recipe say of themselves, before there is a network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autodl.config.components import Component
from autodl.errors import ConfigError, PluginError
from autodl.recipes.recipe import Recipe
from autodl.tasks.task import Task
from autodl.training.hooks.hook import Hook


def recipe_sections(recipe: Recipe) -> tuple[str, ...]:
    """Names of the sections of ``recipe_identity``, told without what they are of.

    Raises:
        PluginError: a plugin's hook, path or term is no class.
    """
    return tuple(name for _, hook in _hooks(recipe) for name in hook.sections)


def recipe_identity(recipe: Recipe, task: Task) -> dict[str, Any]:
    """Sections for the identity of a run that trains by this recipe; mostly none.

    Whoever trains asks for it before anything is written, and a search before its first trial: what
    a part needs, such as a teacher, is refused here if it is not there or does not fit.

    Raises:
        AutoDLError: see the parts' ``identity``.
        PluginError: a plugin's hook, path or term is no class, or has not named its sections.
    """
    found: dict[str, Any] = {}
    for part, hook in _hooks(recipe):
        own = hook.identity(task, part.options, recipe.section)
        if unnamed := [name for name in own if name not in hook.sections]:
            raise PluginError(
                f"the identity of {part.section} {part.name!r} has the section {unnamed[0]!r},"
                f" which {hook.__name__}.sections does not name; a finished run needs the names"
            )
        found |= own
    return found


def refuse_first_weights(recipe: Recipe) -> None:
    """Check that a recipe is one by which a trained network can be trained on.

    Raises:
        ConfigError: one of its hooks sets first weights, in the place of the trained ones.
        PluginError: a plugin's hook, path or term is no class.
    """
    if found := [part.name for part, hook in _hooks(recipe) if hook.sets_first_weights]:
        section = recipe.section
        raise ConfigError(
            f"{section} has {', '.join(found)}, and so would set first weights in the place of the"
            f" trained ones; leave that out, of a recipe by {section}.recipe={{name: fast,"
            " uniform_start: false, dirac_start: false, whiten: false}"
        )


def _hooks(recipe: Recipe) -> Iterator[tuple[Component, type[Hook]]]:
    """Parts that act beside the updates, and their classes, which are asked before they are made.

    Raises:
        PluginError: a hook, a path or a term is made by a function, which cannot be asked.
    """
    path = [] if recipe.path is None else [recipe.path]
    for part in (*path, *recipe.hooks, *recipe.terms):
        factory = part.factory()
        if not isinstance(factory, type):
            raise PluginError(
                f"the factory of {part.section} {part.name!r} is no class, so what it is of cannot"
                " be asked before it is made; register a class"
            )
        if issubclass(factory, Hook):
            yield part, factory
