"""What a recipe says of the identity of a run, asked of the classes of its parts."""

from __future__ import annotations

import pytest

from autodl.config.components import Entry, table
from autodl.config.sections import NoOptions
from autodl.errors import ConfigError, PluginError
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.training.hooks.hook import Hook
from autodl.training.identity import recipe_identity, recipe_sections, refuse_first_weights


class Guided(Hook):
    """Of another thing than the training's own."""

    sections = ("Guide",)

    @classmethod
    def identity(cls, task, options, section):
        return {"Guide": {"of": task, "section": section}}


class Unnamed(Guided):
    sections = ()


class Plain:
    """A term that is no hook."""


def made_by_a_function(setting, options):
    return Guided()


@pytest.fixture
def recipe(monkeypatch):
    """A recipe with a hook or a term that a plugin registered."""

    def recipe(kind, factory):
        monkeypatch.setitem(table(kind), "Mine", Entry(NoOptions, factory, plugin=True))
        return recipe_of(TrainOptions(**{f"{kind.lower()}s": ({"name": "Mine"},)}))

    return recipe


@pytest.mark.parametrize("kind", ["Hook", "Term"])
def test_hooks_and_terms_that_are_hooks_are_asked(recipe, kind):
    found = recipe(kind, Guided)
    assert recipe_sections(found) == ("Guide",)
    assert recipe_identity(found, "pictures") == {"Guide": {"of": "pictures", "section": "Train"}}


def test_others_say_nothing(recipe):
    for found in (recipe_of(TrainOptions(whiten=True)), recipe("Term", Plain)):
        assert recipe_sections(found) == ()
        assert recipe_identity(found, "pictures") == {}


@pytest.mark.parametrize("kind", ["Hook", "Term"])
def test_a_function_cannot_be_asked(recipe, kind):
    found = recipe(kind, made_by_a_function)
    for ask in (recipe_sections, lambda recipe: recipe_identity(recipe, "pictures")):
        with pytest.raises(PluginError, match=f"factory of {kind} 'Mine' is no class"):
            ask(found)


def test_sections_are_named_before_they_are_found(recipe):
    with pytest.raises(PluginError, match=r"'Guide', which Unnamed\.sections does not name"):
        recipe_identity(recipe("Hook", Unnamed), "pictures")


@pytest.mark.parametrize(
    "said, names",
    [
        ({"whiten": True}, "Whitening"),
        ({"recipe": {"name": "fast", "dirac_start": False}}, "UniformStart, Whitening"),
        ({"hooks": [{"name": "ReleasedStart", "network": "x"}]}, "ReleasedStart"),
    ],
)
def test_hooks_that_set_first_weights_are_named(said, names):
    with pytest.raises(ConfigError, match=rf"^Train has {names}, and so would set first weights"):
        refuse_first_weights(recipe_of(TrainOptions(**said)))


def test_what_is_left_of_the_fast_recipe_trains_on():
    recipe = {"name": "fast", "uniform_start": False, "dirac_start": False, "whiten": False}
    refuse_first_weights(recipe_of(TrainOptions(recipe=recipe, averaging=0.9)))
