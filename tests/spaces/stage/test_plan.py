"""Networks of stages: hand-made networks are points of the space, and counts are right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import paddle
import pytest

from autodl.errors import ConfigError
from autodl.jobs.search.parts import load_search
from autodl.networks.costs import network_costs
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import Add, BatchNorm, Conv, MaxPool, Relu
from autodl.plans.plan import Plan
from autodl.plans.sizes import sized_layers
from autodl.plans.step_table import Grid, StepTable
from autodl.spaces.classic.airbench import airbench_plan
from autodl.spaces.classic.repvgg import repvgg_plan
from autodl.spaces.classic.resnet9 import resnet9_plan
from autodl.spaces.classic.vgg import vgg16_plan
from autodl.spaces.codec import load_architecture
from autodl.spaces.fixed import FixedArchitecture
from autodl.spaces.stage.architecture import ConvStage, StageArchitecture
from autodl.spaces.stage.budget import scaled, work
from autodl.spaces.stage.plan import stage_plan
from autodl.spaces.stage.space import StageSpace
from autodl.system.resources import resource

AIRBENCH = {"norm_momentum": 0.6, "norm_epsilon": 1e-12, "output_scale": 1 / 9}


def point(name):
    return load_architecture(resource("configs", "architectures", f"{name}.json"))


def layers(plan: Plan):
    """All but the names; a sum's inputs have no order."""
    return [(record.layer, sorted(record.inputs), record.shape) for record in plan.records]


def kinds(architecture, prefix, **options):
    records = stage_plan(architecture, **options).records
    return [type(record.layer) for record in records if record.name.startswith(prefix)]


@pytest.mark.parametrize("size, classes", [(32, 10), (20, 7)])
@pytest.mark.parametrize(
    "name, hand_made, options",
    [
        ("airbench93", airbench_plan, AIRBENCH),
        ("airbench94", lambda **o: airbench_plan(widths=(64, 256, 256), **o), AIRBENCH),
        (
            "airbench96",
            lambda **o: airbench_plan(widths=(128, 384, 512), depth=3, **o),
            {**AIRBENCH, "norm_momentum": 0.9},
        ),
        ("resnet9", resnet9_plan, {}),
    ],
)
def test_hand_made_networks_are_points_layer_by_layer(name, hand_made, options, size, classes):
    told = {"classes": classes, "image_size": size}
    plan = stage_plan(point(name), **options, **told)
    assert layers(plan) == layers(hand_made(**told))


def test_the_searched_network_is_airbench_with_two_sums():
    """What the search of ``study/stages-start.yaml`` changed costs no MACs and no weights."""
    chosen, base = point("airbench93-searched"), point("airbench93")
    plan, airbench = stage_plan(chosen, **AIRBENCH), stage_plan(base, **AIRBENCH)
    assert (plan.macs, plan.parameters) == (airbench.macs, airbench.parameters)
    of_three = [(stage.residual, stage.activation) for stage in chosen.present]
    shortcut = ("after_activation", "relu")
    assert of_three == [shortcut, ("none", "gelu"), shortcut]
    plain = [replace(stage, residual="none", activation="gelu") for stage in chosen.present]
    assert plain == list(base.present)


@pytest.mark.parametrize("name, search", [("searched", "seconds"), ("longer", "longer")])
def test_networks_from_scratch_are_of_the_spaces_of_their_searches(name, search):
    chosen = point(f"stages-{name}")
    config = load_search(f"search/stages-{search}.yaml", ["Data.path=archive.zip"])
    space = StageSpace(**config.space.arguments())
    assert space.decode(space.encode(chosen)) == space.canonical(chosen) == chosen
    assert chosen.training_choices().first_size == 20
    convolutions = kinds(chosen, "stage").count(Conv)
    assert convolutions == sum(stage.convolutions for stage in chosen.present) == 6


def test_repvgg_is_a_point():
    """As small as stages are here, with the widths of A1: 64, 64, 128, 256 and 1280."""
    chosen = point("repvgg")
    stages = (*chosen.stages[:3], replace(chosen.stages[3], width=1280))
    plan = stage_plan(replace(chosen, stages=stages))
    assert layers(plan) == layers(repvgg_plan(
        classes=10, image_size=32, variant="A1", layers=(2, 4, 4, 1), cifar=True
    ))  # fmt: skip
    assert chosen.training_choices().branches == tuple(
        (f"stage{number}", "repvgg") for number in (1, 2, 3, 4)
    )


def test_vgg_is_a_point_up_to_its_classifier():
    chosen = point("vgg")
    fifth = replace(chosen.stages[3], width=512)
    plan = stage_plan(replace(chosen, stages=(*chosen.stages, fifth)))
    body = len(plan.records) - 2
    assert layers(plan)[:body] == layers(vgg16_plan())[:body]
    assert plan.records[body - 1].shape == (512, 1, 1)


def test_the_points_are_of_the_default_space():
    """But for those of searches with fewer stages."""
    names = [path.stem for path in resource("configs", "architectures").glob("*.json")]
    assert len(names) == 9
    points = [point(name) for name in names if not name.startswith("stages-")]
    assert all(StageSpace().check(chosen) is chosen for chosen in points)


@pytest.mark.parametrize(
    "reduction, expected",
    [
        ("none", [Conv, BatchNorm, Relu]),
        ("stride", [Conv, BatchNorm, Relu]),
        ("pool_conv", [MaxPool, Conv, BatchNorm, Relu]),
        ("conv_pool", [Conv, MaxPool, BatchNorm, Relu]),
        ("norm_pool", [Conv, BatchNorm, Relu, MaxPool]),
    ],
)
def test_where_maps_are_halved(reduction, expected):
    network = StageArchitecture((ConvStage(8, reduction, 2),), stem="conv_3x3", stem_width=8)
    assert kinds(network, "stage1.")[: len(expected)] == expected
    side = 32 if reduction == "none" else 16
    assert stage_plan(network).records[-3].shape == (8, side, side)


def test_a_pool_at_the_end_is_behind_the_sum():
    stage = ConvStage(8, "end_pool", 2, residual="after_activation")
    assert kinds(StageArchitecture((stage,)), "stage1.")[-3:] == [Relu, Add, MaxPool]


@pytest.mark.parametrize(
    "form, counts",
    [
        ("dense", 24 * 16 * 9 + 16 * 16 * 9),
        ("repvgg", 24 * 16 * 9 + 16 * 16 * 9),
        ("grouped", 24 * 24 * 9 // 4 + 24 * 16 + 16 * 16 * 9 // 4 + 16 * 16),
        ("depthwise", 24 * 9 + 24 * 16 + 16 * 9 + 16 * 16),
        ("bottleneck", 24 * 4 + 4 * 4 * 9 + 4 * 16 + 16 * 4 + 4 * 4 * 9 + 4 * 16),
    ],
)
def test_weights_of_each_form(form, counts):
    network = StageArchitecture((ConvStage(16, "none", 2, form=form),))
    records = stage_plan(network).records
    found = [r.layer.parameters for r in records if isinstance(r.layer, Conv)]
    assert sum(found[1:]) == counts


def test_a_missing_stage_is_no_layer_and_small_maps_are_not_halved():
    stages = (ConvStage(8, "conv_pool"), ConvStage(16, convolutions=0), ConvStage(8, "norm_pool"))
    plan = stage_plan(StageArchitecture(stages), image_size=3)
    assert [record.name.split(".")[0] for record in plan.records if "conv" in record.name] == [
        *("stem", "stage1", "stage2")
    ]
    assert sum(isinstance(record.layer, MaxPool) for record in plan.records) == 1
    none = StageArchitecture((ConvStage(4096, convolutions=0),), stem_width=4096)
    assert stage_plan(none, macs=1e6).parameters == 24 * 13 + 24 * 10 + 10


def test_built_and_counted_costs_agree_over_random_networks():
    space = StageSpace(widths=(8, 16), stem_widths=(8,))
    for seed in range(8):
        plan = stage_plan(space.sample(np.random.default_rng(seed)), image_size=16, classes=5)
        network = PlanNetwork(plan, 0)
        built = network_costs(network, (3, 16, 16))
        assert (built.parameters, built.macs) == (plan.parameters, plan.macs)
        network.eval()
        assert network(paddle.randn([2, 3, 16, 16])).shape == [2, 5]


@pytest.mark.parametrize("value_cost", [0.0, 100.0])
def test_widths_are_solved_for_a_budget(value_cost):
    """The budget is kept, and the next multiple of 8 of the largest width would break it."""
    budget = 20e6
    for name in ("airbench93", "resnet9", "vgg", "repvgg"):
        chosen = point(name)
        plan = stage_plan(chosen, macs=budget, value_cost=value_cost)
        assert work(plan, value_cost) <= budget
        widths = [r.layer.out_channels for r in plan.records if isinstance(r.layer, Conv)]
        assert all(width % 8 == 0 for width in widths)
        largest = max(stage.width for stage in chosen.present)
        factor = (max(widths) + 8) / largest
        stages = tuple(replace(stage, width=scaled(stage.width, factor)) for stage in chosen.stages)
        stem_width = scaled(chosen.stem_width, factor)
        wider = stage_plan(replace(chosen, stages=stages, stem_width=stem_width))
        assert work(wider, value_cost) > budget


def step_table(*architectures):
    """Each kind of layer takes as long for a product of its sizes, branches three times that."""
    kinds = {}
    for chosen in architectures:
        forms = dict(chosen.training_choices().branches)
        for name, kind, _ in sized_layers(stage_plan(chosen), forms):
            axes = dict.fromkeys(kind.axes, (1.0,))
            kinds[name] = Grid(axes=axes, ms=(3e-7 if kind.form else 1e-7,))
    return StepTable(
        machine="", batch_size=2, repetitions=1, config="", measured="", seconds=0.0, factor=1.0,
        kinds=kinds,
    )  # fmt: skip


def widths_of(plan):
    return [r.layer.out_channels for r in plan.records if isinstance(r.layer, Conv)]


def test_widths_are_solved_for_milliseconds_of_training():
    """The budget is kept; growing pictures leave more width, and branches less."""
    chosen = point("airbench93")
    branched = replace(chosen, stages=tuple(replace(s, form="acb") for s in chosen.stages))
    table = step_table(chosen, branched)
    budget = {"picture_ms": 2.0, "step_table": table}
    plan = stage_plan(chosen, **budget)
    assert 1.8 < table.predict(plan) <= 2.0
    assert all(width % 8 == 0 for width in widths_of(plan))
    growing = stage_plan(replace(chosen, first_size=16), **budget)
    assert table.predict(growing) > 2.0
    dearer = stage_plan(branched, **budget)
    forms = dict(branched.training_choices().branches)
    assert table.predict(dearer) < 1.8 < table.predict(dearer, forms) <= 2.0
    assert max(widths_of(dearer)) < max(widths_of(plan)) < max(widths_of(growing))


@pytest.mark.parametrize(
    "architecture, options, message",
    [
        (FixedArchitecture(), {}, "StageNetwork is made of stages, got a FixedArchitecture"),
        (StageArchitecture((ConvStage(8),)), {"image_size": 1}, "pictures of 2x2 or more"),
        (StageArchitecture((ConvStage(8),)), {"macs": 0}, "Network.macs must be above 0, got 0"),
        (StageArchitecture((ConvStage(8),)), {"picture_ms": 1.0}, "step_table come together"),
    ],
)
def test_what_makes_no_network_is_refused(architecture, options, message):
    with pytest.raises(ConfigError, match=message):
        stage_plan(architecture, **options)
