"""What is chosen by its name: where the catalogue of each kind is, and the default."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of component: ``module:table`` of its catalogue, and the name that is the default.

    ``keeps`` is whether other options stay when a config or ``-o`` changes the name; those of all
    pictures are the same.
    """

    catalogue: str
    default: str
    keeps: bool = False


KINDS = {
    "Data": Kind("autodl.tasks.catalogue:TASKS", "cifar10-mini", keeps=True),
    "Space": Kind("autodl.spaces.catalogue:SPACES", "CellSpace"),
    "Network": Kind("autodl.spaces.catalogue:NETWORKS", "CellNetwork"),
    "Strategy": Kind("autodl.strategies.catalogue:STRATEGIES", "AutoDLAgent"),
    "Fidelity": Kind("autodl.search.fidelity.catalogue:RULES", "AsynchronousSuccessiveHalving"),
    "Evaluator": Kind("autodl.evaluation.catalogue:EVALUATORS", "TrainEvaluator"),
    "Compression": Kind("autodl.compression.catalogue:METHODS", "BayesianBits"),
}
"""The sections that choose a component."""

PARTS = {
    "Recipe": Kind("autodl.recipes.catalogue:RECIPES", ""),
    "Schedule": Kind("autodl.recipes.catalogue:SCHEDULES", "cosine"),
    "Optimiser": Kind("autodl.recipes.catalogue:OPTIMISERS", "SGD"),
    "Form": Kind("autodl.recipes.catalogue:FORMS", "none"),
    "Term": Kind("autodl.recipes.catalogue:TERMS", ""),
    "Hook": Kind("autodl.recipes.catalogue:HOOKS", ""),
    "Path": Kind("autodl.recipes.catalogue:PATHS", ""),
    "Goal": Kind("autodl.tasks.catalogue:GOALS", ""),
    "Score": Kind("autodl.evaluation.zero_cost.catalogue:SCORES", "naswot"),
}
"""What recipes are made of, goals and scores: components that are no section of their own."""
