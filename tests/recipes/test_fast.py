"""Whole recipes by name: the published numbers, what they become, and what is said beside them."""

from __future__ import annotations

import re

import pytest

from autodl.config.reading import RawConfig
from autodl.config.sections import read_section
from autodl.errors import ConfigError
from autodl.recipes.fast import coupled
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of


def read(**values):
    return read_section(TrainOptions, RawConfig({"Train": values}), "Train")


def names(options):
    return [hook["name"] for hook in options.hooks]


def test_coupled_numbers_are_the_sources():
    """Its SGD sums losses: rate 11.5 / k, decay 0.0153 B / k / rate, k = 1024 (1 + 1 / 0.15)."""
    for batch in (256, 1024, 2000):
        scale = 1024 * (1 + 1 / (1 - 0.85))
        summed, decay = 11.5 / scale, 0.0153 * batch / scale
        rate, l2 = coupled(11.5, 0.0153, 0.85, batch)
        assert rate == pytest.approx(summed * batch, rel=1e-12)
        assert rate * l2 == pytest.approx(decay, rel=1e-12)  # what an update takes off
    assert coupled(11.5, 0.0153, 0.85, 1024)[0] == pytest.approx(1.5, rel=1e-12)


def test_the_whole_recipe():
    options = read(recipe="fast")
    assert (options.batch_size, options.epochs, options.label_smoothing) == (1024, 11, 0.2)
    assert (options.pad_crop, options.border, options.flip) == (2, "reflected", "alternating")
    assert names(options) == ["UniformStart", "DiracStart", "Whitening", "BatchNorms", "Lookahead"]
    assert options.hooks[2]["bias_epochs"] == 3
    assert (options.hooks[3]["momentum"], options.hooks[3]["scale"]) == (0.6, False)
    assert options.optimiser["shift_rate"] == 64
    rate = recipe_of(options).schedule
    found = rate.factory()(rate.options, 11, 46)
    # 506 updates: 0.3 at first, 1.5 after 116, 0.105 at the end
    assert [found(0), found(116), found(506)] == pytest.approx([0.3, 1.5, 0.105], rel=1e-12)


def test_with_muon():
    """0.053 for a sum of 2000 losses is 106 for their mean, in units of the kernels' 0.24."""
    options = read(recipe="fast-muon")
    assert (options.batch_size, options.epochs) == (2000, 8)
    assert names(options) == ["UniformStart", "DiracStart", "Whitening", "BatchNorms"]
    own = options.optimiser
    assert own["shift_rate"] * 0.24 == pytest.approx(106, rel=1e-12)
    assert own["linear_rate"] * 0.24 == pytest.approx(0.67 * 2000 * (9 / 256) ** 2, rel=1e-12)
    assert own["weight_decay"] * 0.24 == pytest.approx(0.004, rel=1e-12)
    rate = recipe_of(options).schedule
    found = rate.factory()(rate.options, 8, 20)
    assert [found(0), found(80), found(160)] == pytest.approx([0.24, 0.12, 0.0], abs=1e-12)


@pytest.mark.parametrize(
    "left_out, hook",
    [
        ("uniform_start", "UniformStart"),
        ("dirac_start", "DiracStart"),
        ("whiten", "Whitening"),
        ("lookahead", "Lookahead"),
    ],
)
def test_a_part_can_be_left_out(left_out, hook):
    options = read(recipe={"name": "fast", left_out: False})
    assert set(names(read(recipe="fast"))) - set(names(options)) == {hook}


def test_what_the_section_says_counts():
    options = read(
        recipe="fast",
        batch_size=512,
        epochs=3,
        flip="random",
        hooks=[{"name": "Lookahead", "every": 7}, {"name": "Averaging", "decay": 0.9}],
    )
    assert (options.epochs, options.flip) == (3, "random")
    assert options.rate["learning_rate"] == pytest.approx(0.75, rel=1e-12)
    assert names(options)[-2:] == ["Lookahead", "Averaging"]
    assert options.hooks[-2]["every"] == 7


def test_null_takes_the_sections_own_schedule():
    options = read(recipe="fast", rate=None, learning_rate=0.5, schedule="linear")
    assert recipe_of(options).schedule.name == "linear"


def test_a_complete_section_reads_the_same_again():
    options = read(recipe={"name": "fast", "dirac_start": False}, batch_size=250)
    assert read(**options.to_plain()) == options


def test_identity_names_the_recipe_and_all_it_says():
    identity = read(recipe="fast").identity()
    assert identity["recipe"]["name"] == "fast"
    assert identity["recipe"]["rate"] == 11.5
    assert identity["border"] == "reflected"
    assert "recipe" not in TrainOptions().identity()


@pytest.mark.parametrize(
    "values, said",
    [
        ({"recipe": "fats"}, r"^Train\.recipe: unknown recipe 'fats'\. Did you mean 'fast'\?"),
        ({"recipe": {"name": "fast", "dirac": 1}}, r"^Train\.recipe: unknown key fast\.dirac"),
        ({"recipe": 3}, r"^Train\.recipe: .*got 3"),
        ({"recipe": "fast", "batch_size": "many"}, r"^Train\.batch_size: .*got 'many'"),
        ({"recipe": "fast", "hooks": [3]}, r"^Train\.hooks\.0: .*got 3"),
        ({"recipe": "fast", "learning_rate": 0.5}, r"learning_rate 0\.5 and the recipe's rate, t"),
        ({"recipe": "fast", "learning_rate": 0.1}, r"learning_rate 0\.1 and .*set rate=null"),
        ({"recipe": "fast", "momentum": 0.9}, r"momentum 0\.9 and the recipe's optimiser, SGD, "),
    ],
)
def test_mistakes_name_the_key(values, said):
    with pytest.raises(ConfigError, match=said):
        read(**values)


@pytest.mark.parametrize(
    "values, key",
    [
        ({"recipe": "fast"}, r"a lower rate in Train\.rate, or in Train\.recipe, may"),
        ({"recipe": "fast", "rate": None}, r"a lower Train\.learning_rate or"),
        ({"rate": {"name": "step"}}, r"a lower rate in Train\.rate may"),
        ({}, r"a lower Train\.learning_rate or Train\.gradient_clip may"),
    ],
)
def test_what_to_lower_is_a_key_that_says_the_rate(values, key):
    assert re.match(key, recipe_of(read(**values)).remedy)
