"""The configuration of a network that holds a space, and of its training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from autodl.config.components import Component, make_part
from autodl.config.job import Part, Sections
from autodl.config.reading import RawConfig
from autodl.config.sections import GlobalOptions, Section
from autodl.data.options import ExampleOptions
from autodl.errors import ConfigError
from autodl.recipes.options import PlainPart, TrainOptions, part
from autodl.recipes.recipe import Recipe, recipe_of
from autodl.supernets.relaxed.options import RelaxedOptions


class SinglePathOptions(Section):
    """``Supernet`` section: which architecture each update is of, or all of them at once."""

    path: Annotated[PlainPart, part("Path")] = Field(
        {"name": "Uniform"}, description="what draws it, name and options"
    )


@dataclass(frozen=True, slots=True)
class SupernetConfig(Sections):
    """A checked configuration of a supernet of paths, or of a relaxed one."""

    general: Annotated[GlobalOptions, Part("Global", free=("device",))]
    space: Annotated[Component, Part("Space")]
    network: Annotated[Component, Part("Network")]
    data: Annotated[ExampleOptions, Part("Data", free=("path", "test_path"))]
    supernet: Annotated[SinglePathOptions, Part("Supernet")]
    train: Annotated[TrainOptions, Part("Train")]

    @property
    def recipe(self) -> Recipe:
        """How it is trained: a path that is drawn for every update."""
        return replace(recipe_of(self.train), path=self._path)

    @property
    def relaxed(self) -> bool:
        """Whether all operations are trained at once, with weights on them."""
        return isinstance(self._path.options, RelaxedOptions)

    @property
    def _path(self) -> Component:
        return make_part("Path", self.supernet.path)

    def check(self, raw: RawConfig) -> None:
        """Refuse what is for a network of one architecture.

        Raises:
            ConfigError: a network without a space, weights to inherit, branches, terms of the loss,
                a step of the weights that cannot be unrolled.
        """
        if not self.network.entry.searched:
            raise ConfigError(
                f"Network.name {self.network.name} has nothing to choose, so there is no supernet"
                " of it; name a network that Space has architectures for"
            )
        recipe = self.recipe
        surplus = {
            "inherit": self.train.inherit,
            "branches or form": recipe.form.name != "none",
            "terms, auxiliary_weight and lrc_weight": recipe.terms,
        }
        if wrong := [key for key, said in surplus.items() if said]:
            raise ConfigError(
                f"Train.{wrong[0]}: for the network of one architecture, not for a supernet; leave"
                " it out"
            )
        options = self._path.options
        if isinstance(options, RelaxedOptions):
            options.check_optimiser(recipe.optimiser.options)


load_supernet_config = SupernetConfig.load
