"""Counting conventions equal the published costs, and tables equal the counter, exactly."""

from __future__ import annotations

import numpy as np
import pytest
import width_anchors_for_tests as anchors

from autodl.jobs.width.config import load_width
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.width.architecture import WidthArchitecture
from autodl.spaces.width.cost import CONVENTIONS, count_macs, count_weights
from autodl.spaces.width.plan import width_plan
from autodl.spaces.width.space import make_width_space

IMAGENET = {"classes": 1000, "image_size": 224}


def plan_of(network, channels, **options):
    sizes = IMAGENET if network in ("resnet18", "mobilenet_v2") else {}
    return width_plan(WidthArchitecture(network, tuple(channels)), **sizes, **options)


@pytest.mark.parametrize("network, channels, convention, macs", anchors.ANCHORS)
def test_published_costs_are_exact(network, channels, convention, macs):
    assert count_macs(plan_of(network, channels), convention) == macs


def test_the_conventions_differ_by_what_they_say():
    """20.6M leaves out shortcuts (0.295M) and the classifier."""
    plan = plan_of("resnet20", anchors.RESNET20)
    body, whole, biased = (count_macs(plan, name) for name in CONVENTIONS)
    assert biased - whole == 10
    assert whole == plan.macs
    # shortcuts: 8->16 on 32x32 and so on, as counted by hand from RESNET20
    blocks = [8, *anchors.RESNET20[2::2]]
    sizes = [32] * 3 + [16] * 3 + [8] * 3
    shortcuts = sum(
        size * size * before * after
        for index, (before, after, size) in enumerate(zip(blocks, blocks[1:], sizes, strict=False))
        if before != after or index in (3, 6)
    )
    assert whole - body == shortcuts + 640
    assert round(shortcuts / 1e6, 3) == 0.295


def test_shortcuts_everywhere_cost_more():
    plan = plan_of("resnet18", anchors.RESNET18_LARGE, shortcuts="always")
    assert count_macs(plan, "all_and_bias") == 1_846_515_688


def test_weights_of_known_networks():
    """ResNet-20 has 267,696 weights in stem and 3x3 convolutions; ResNet-18 11,689,512 in all."""
    widths = anchors.standard(3, (16, 32, 64))
    by_hand = 9 * sum(a * b for a, b in zip([3, *widths], widths, strict=False))
    assert count_weights(plan_of("resnet20", widths), "stem_and_3x3") == by_hand == 267_696
    resnet18 = plan_of("resnet18", anchors.standard(2, (64, 128, 256, 512)))
    assert resnet18.parameters == 11_689_512  # with batch-norms: torchvision's count
    assert count_weights(resnet18, "all_and_bias") == 11_689_512 - 2 * 4_800


def test_the_released_tables():
    """T[0] and T[1][0] of ResNet-18: the released pickle is stale, and counts two to a MAC.

    The authors' code computes its table anew at every start, with one operation a
    multiply-accumulate; the budgets are meant so.
    """
    space = make_width_space("resnet18", (32, 48, 64, 80), **IMAGENET)
    first, second = space.terms[:2]
    assert first.table.ravel().tolist() == [59006976, 88510464, 118013952, 147517440]
    assert second.table[0, 0] == 28901376
    assert second.step == 1


@pytest.mark.parametrize(
    "name, released",
    [
        ("resnet20", anchors.RESNET20),
        ("resnet18", anchors.RESNET18_LARGE),
        ("mobilenet-v2", anchors.MOBILE_LARGE),
    ],
)
def test_published_results_keep_to_the_shipped_budgets(name, released):
    """By what each config counts: within its range, and not at half of the budget."""
    width = load_width(f"supernet/width-{name}-gpu.yaml").width
    cost = count_macs(plan_of(width.network, released), width.convention)
    low, high = width.budget_range
    assert low * width.budget_macs <= cost <= high * width.budget_macs
    assert cost > 0.9 * width.budget_macs


CELLS = CellSpace(nodes=5).sample(np.random.default_rng(4))
SPACES = [
    ("resnet20", (4, 8, 16, 32, 64), {}),
    ("resnet56", (16, 32, 64, 96), {}),
    ("resnet18", (32, 48, 64, 80), {"blockwise": True, **IMAGENET}),
    ("resnet18", (32, 48, 64, 80), IMAGENET),
    ("mobilenet_v2", (8, 12, 16, 20), IMAGENET),
    ("cells", (16, 32, 48), {"cells": CELLS}),
]


@pytest.mark.parametrize("network, candidates, options", SPACES)
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_tables_equal_the_counter(network, candidates, options, convention):
    space = make_width_space(network, candidates, convention=convention, **options)
    count = 1000 if network == "resnet20" else 60  # plans of the larger ones take milliseconds
    choices = space.uniform(np.random.default_rng(1), count)
    shortcuts = ("pool", "norm")
    counted = [
        count_macs(space.plan(row, shortcuts[i % 2]), convention) for i, row in enumerate(choices)
    ]
    assert space.macs(choices).tolist() == counted


def test_partial_sums_add_up():
    space = make_width_space("resnet20", (4, 8, 16), convention="all")
    choices = space.uniform(np.random.default_rng(2), 50)
    partial = np.stack([space.macs(choices[:, :n]) for n in range(space.decisions + 1)])
    assert (partial[0] == 0).all()
    assert (np.diff(partial, axis=0) >= 0).all()
    assert (partial[-1] == space.macs(choices)).all()
    # what is decided later does not matter
    other = choices.copy()
    other[:, 7:] = 0
    assert (space.macs(choices[:, :7]) == space.macs(other[:, :7])).all()
    # a table of the chain: stem, then each convolution by its input's and its own choice
    chain = make_width_space("resnet20", (4, 8, 16), convention="stem_and_3x3")
    row = choices[0]
    by_table = chain.terms[0].table[row[0], 0] + sum(
        term.table[row[i], row[i - 1]] for i, term in enumerate(chain.terms[1:], start=1)
    )
    assert by_table == chain.macs(row[None])[0]
