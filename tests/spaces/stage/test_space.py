"""The space of networks of stages: rows, which of them are the same network, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.spaces.stage.architecture import ConvStage, StageArchitecture
from autodl.spaces.stage.options import StageSpaceOptions
from autodl.spaces.stage.plan import stage_plan
from autodl.spaces.stage.space import StageSpace

SPACE = StageSpace(stages=2)


def test_a_row_names_stage_by_stage_then_the_network_and_its_training():
    assert SPACE.sizes == (*(8, 6, 5, 2, 7, 3, 2) * 2, 2, 2, 2, 5, 5, 1)
    assert SPACE.labels[:3] == ("stage 1 width", "stage 1 reduction", "stage 1 convolutions")
    assert SPACE.labels[-4:] == ("head", "rate", "decay", "first size")
    network = SPACE.decode(np.array([1, 3, 2, 0, 0, 0, 1] + [0] * 7 + [0, 1, 1, 0, 4, 0]))
    assert network.stages[0] == ConvStage(64, "conv_pool", 2, 3, "dense", "none", "gelu")
    assert (network.stem_width, network.head, network.rate, network.decay) == (64, "max", 0.5, 2.0)


def test_the_section_has_the_defaults_of_the_space():
    assert StageSpace(**dict(StageSpaceOptions())) == StageSpace()


def test_twins_have_one_plan_and_one_training():
    """Random changes of what has no effect: the canonical form is the same, and so is the plan."""
    for seed in range(40):
        found = StageSpace().sample(np.random.default_rng(seed))
        form = StageSpace().canonical(found)
        assert stage_plan(form).records == stage_plan(found).records
        budget = {"macs": 5e6, "value_cost": 60.0}
        assert stage_plan(form, **budget).records == stage_plan(found, **budget).records
        assert form.training_choices() == found.training_choices()


@pytest.mark.parametrize("budget", [{"macs": 5e6, "value_cost": 60.0}, {"macs": 3.3e7}])
def test_with_a_budget_twice_the_widths_are_the_same_network(budget):
    space = StageSpace(by_ratio=True)
    halved = 0
    for seed in range(60):
        found = space.sample(np.random.default_rng(seed))
        form = space.canonical(found)
        assert stage_plan(form, **budget).records == stage_plan(found, **budget).records
        assert space.canonical(form) == form
        halved += form != StageSpace().canonical(found)
    assert halved > 5
    narrow, wide = (
        StageArchitecture((ConvStage(width), ConvStage(2 * width)), stem_width=32)
        for width in (32, 64)
    )
    two = StageSpace(stages=2, by_ratio=True)
    assert two.canonical(wide) == narrow
    assert SPACE.canonical(wide) == wide
    stem = replace(wide, stem="conv_3x3")  # there is none of 16 channels
    assert two.canonical(stem) == stem


def test_what_has_no_effect():
    first, second = ConvStage(32, "norm_pool"), ConvStage(64, convolutions=2)
    absent = ConvStage(32, convolutions=0)
    plain = StageArchitecture((first, second), stem_width=32)
    one = StageArchitecture((first, absent), stem_width=32)
    assert SPACE.canonical(plain) == plain
    twins = [
        (one, StageArchitecture((ConvStage(512, "stride", 0), first), stem_width=64)),
        (plain, replace(plain, stages=(replace(first, residual="after_activation"), second))),
        (plain, replace(plain, stages=(replace(first, reduction="end_pool"), second))),
    ]
    for form, twin in twins:
        assert SPACE.canonical(twin) == form
    others = [
        replace(plain, stages=(first, replace(second, residual="after_activation"))),
        replace(plain, stages=(second, first)),
        replace(plain, stem="conv_3x3"),
        replace(plain, rate=2.0),
    ]
    assert len({SPACE.canonical(other) for other in [*others, plain]}) == 5


@pytest.mark.parametrize(
    "options, message",
    [
        ({"stages": 9}, "Space.stages must be 1 to 8, got 9"),
        ({"widths": ()}, "Space.widths must be some values, each once; got none"),
        ({"widths": (8, 8)}, "got 8, 8"),
        ({"widths": (0,)}, "Space.widths: a stage's width is a whole number from 1 to 4096, got 0"),
        ({"forms": ("dens",)}, "Did you mean 'dense'?"),
        ({"rates": (-1.0,)}, "Space.rates: a network's rate is a factor above 0"),
    ],
)
def test_spaces_that_cannot_be_are_refused(options, message):
    with pytest.raises(ConfigError) as caught:
        StageSpace(**options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "architecture, message",
    [
        (StageArchitecture((ConvStage(32),)), "1 stages is not of this space of 2"),
        (
            StageArchitecture((ConvStage(32), ConvStage(40))),
            "stage 2 width is 40, which this space leaves out; it chooses from 32, 64",
        ),
    ],
)
def test_architectures_of_other_spaces_are_refused(architecture, message):
    with pytest.raises(ConfigError, match=message):
        SPACE.check(architecture)
