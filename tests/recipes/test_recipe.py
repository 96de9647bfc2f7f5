"""Flat sections read into recipes; parts are named, checked and completed in their section."""

from __future__ import annotations

import pytest
from pydantic import Field

from autodl.config.components import make_part, register
from autodl.config.reading import RawConfig
from autodl.config.sections import Section, validate
from autodl.errors import ConfigError, UnknownNameError
from autodl.recipes.options import TrainOptions
from autodl.recipes.parts import SGDOptions
from autodl.recipes.recipe import recipe_of


def read(**values):
    return validate(TrainOptions, values, RawConfig({}), ("Train",))


def test_the_default_section_is_plain_sgd():
    recipe = recipe_of(TrainOptions())
    assert recipe.optimiser.name == "SGD"
    assert recipe.optimiser.options == SGDOptions()
    assert recipe.schedule.to_plain() == {
        "name": "cosine", "learning_rate": 0.1, "warmup_epochs": 0.0,
        "lowest_rate": 0.0, "schedule_epochs": None, "first_rate": 0.0, "fall_from_start": False,
    }  # fmt: skip
    assert (recipe.terms, recipe.hooks, recipe.path, recipe.form.name) == ((), (), None, "none")


def test_flat_keys_become_parts():
    recipe = recipe_of(
        TrainOptions(
            auxiliary_weight=0.4, lrc_weight=0.1, whiten=True, drop_path=0.2, averaging=0.9,
            branches="acb", branch_scale=0.5, momentum=0.8, mixup=0.3, patience=5,
        )
    )  # fmt: skip
    assert [part.to_plain() for part in recipe.terms] == [
        {"name": "Auxiliary", "weight": 0.4},
        {"name": "Rademacher", "weight": 0.1},
    ]
    assert [part.to_plain() for part in recipe.hooks] == [
        {"name": "Whitening", "bias_epochs": None},
        {"name": "DropPath", "rate": 0.2, "of": "pictures"},
        {"name": "Averaging", "decay": 0.9},
    ]
    assert recipe.form.to_plain() == {"name": "acb", "scale": 0.5}
    assert recipe.optimiser.to_plain()["momentum"] == 0.8
    assert (recipe.changes.mixup, recipe.stop.patience) == (0.3, 5)


def test_runs_that_name_no_parts_keep_their_identity():
    assert not {"optimiser", "terms", "hooks", "form", "rate"} & set(TrainOptions().identity())


def test_named_parts_are_complete_and_an_average_comes_last():
    options = read(
        optimiser={"name": "AdamW", "beta2": 0.95},
        averaging=0.9,
        whiten=True,
        hooks=[{"name": "Lookahead"}],
        terms=[{"name": "Rademacher", "weight": 0.5}],
    )
    assert options.identity()["optimiser"] == {
        "name": "AdamW", "beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8, "weight_decay": 0.01,
        "gradient_clip": None,
    }  # fmt: skip
    recipe = recipe_of(options)
    assert recipe.optimiser.name == "AdamW"
    assert [part.name for part in recipe.hooks] == ["Whitening", "Lookahead", "Averaging"]
    assert [part.name for part in recipe.terms] == ["Rademacher"]
    assert read(**options.to_plain()) == options


@pytest.mark.parametrize(
    "values, said",
    [
        ({"optimiser": {"name": "Adamw"}}, r"^Train\.optimiser: .*Adamw.*AdamW"),
        ({"optimiser": {"name": "AdamW", "beta3": 1}}, r"^Train\.optimiser: .*AdamW\.beta3"),
        ({"terms": [{"name": "Rademacher"}]}, r"^Train\.terms\.0: .*weight is missing"),
        ({"hooks": [{"name": "Averaging", "decay": 2}]}, r"^Train\.hooks\.0: .*decay.*less than 1"),
        (
            {"optimiser": {"name": "AdamW"}, "momentum": 0.5},
            r"^Train\.momentum 0\.5 is of SGD; give it in optimiser",
        ),
        ({"rate": {"name": "stepp"}}, r"^Train\.rate: .*'stepp'.*step"),
        (
            {"rate": {"name": "step"}, "learning_rate": 0.2},
            r"learning_rate 0\.2 and rate step both say what the learning rate is",
        ),
        ({"form": {"name": "abc"}}, r"^Train\.form: .*'abc'.*acb"),
        (
            {"form": {"name": "dbb"}, "branches": "acb"},
            r"branches acb and form dbb both say what is trained; leave one out",
        ),
    ],
)
def test_mistakes_name_the_key(values, said):
    with pytest.raises(ConfigError, match=said):
        read(**values)


class Halving(Section):
    every: int = Field(2, ge=1)


@pytest.mark.usefixtures("own_tables")
def test_a_plugin_adds_a_part_by_one_call():
    register("Schedule", "halves", Halving, lambda options, epochs, steps: lambda step: 0.5**step)
    part = make_part("Schedule", {"name": "halves"})
    assert part.factory()(part.options, 3, 4)(2) == 0.25
    with pytest.raises(UnknownNameError, match="halfs"):
        make_part("Schedule", {"name": "halfs"})


@pytest.mark.usefixtures("own_tables")
def test_a_form_of_a_plugin_is_chosen_in_the_section():
    register("Form", "halved", Halving, lambda network, options: network)
    options = read(form={"name": "halved", "every": 3})
    assert recipe_of(options).form.to_plain() == {"name": "halved", "every": 3}
    assert read(**options.to_plain()) == options
    same = read(form={"name": "acb", "scale": 0.5})
    assert recipe_of(same).form == recipe_of(read(branches="acb", branch_scale=0.5)).form


@pytest.mark.usefixtures("own_tables")
def test_a_schedule_of_the_catalogue_or_of_a_plugin_is_chosen_in_the_section():
    step = recipe_of(read(epochs=4, rate={"name": "step", "learning_rate": 0.2})).schedule
    rates = [step.factory()(step.options, 4, 1)(done) for done in range(4)]
    assert rates == pytest.approx([0.2, 0.2, 0.02, 0.002])  # rounding of float64
    register("Schedule", "halving", Halving, lambda options, epochs, steps: lambda step: 0.5)
    options = read(rate={"name": "halving", "every": 3})
    assert recipe_of(options).schedule.to_plain() == {"name": "halving", "every": 3}
    assert read(**options.to_plain()) == options
    same = read(rate={"name": "linear", "learning_rate": 0.3})
    assert (
        recipe_of(same).schedule == recipe_of(read(schedule="linear", learning_rate=0.3)).schedule
    )
