"""The plan of a cell network: written out by hand for small cells, then its general shape."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.cell.plan import cell_plan
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.mobile.space import MobileSpace
from autodl.spaces.operations import operation_names


def test_a_cell_written_out_by_hand():
    """Nodes 0 and 1 read the input, node 2 reads their sum, node 3 reads node 2 alone."""
    cell = Cell.from_names(
        ["conv_1x1", "skip_connect", "conv_3x3", "max_pool_3x3"],
        [0, 1, 1, 0, 0, 1],
    )
    plan = cell_plan(CellPair(cell, cell), width=8, cells_per_stage=1, stages=1, image_size=8)
    here = "stage0.cell0."
    names = [record.name.removeprefix(here) for record in plan.records]
    assert names == [
        "input", "stem",
        "node0.entry.norm", "node0.entry.relu", "node0.squeeze",
        "node0.norm", "node0.relu", "node0.conv",
        "node1.entry.norm", "node1.entry.relu", "node1.squeeze", "node1.norm", "node1.relu",
        "node2.sum", "node2.norm", "node2.relu", "node2.conv",
        "node3.norm", "node3.relu", "node3.pool",
        "project", "head.norm", "head.relu", "head.pool", "head.dropout", "head.classifier",
    ]  # fmt: skip
    by_name = dict(zip(names, plan.records, strict=True))
    position = {name: number for number, name in enumerate(names)}
    assert by_name["node0.entry.norm"].inputs == (position["stem"],)
    assert by_name["node1.entry.norm"].inputs == (position["stem"],)
    assert by_name["node2.sum"].inputs == (position["node0.conv"], position["node1.relu"])
    assert by_name["node3.norm"].inputs == (position["node2.conv"],)
    assert by_name["project"].inputs == (position["node3.pool"],)
    assert by_name["node0.squeeze"].shape == (2, 8, 8)  # 8 channels // bottleneck 4
    # by hand: stem 3->8; two squeezes 8->2; 1x1 2->2; 3x3 2->2; project 2->8; classifier
    convolutions = (27 * 8 + 8) + 2 * (16 + 2) + (4 + 2) + (36 + 2) + (16 + 8)
    norms = 2 * (8 + 8 + 2 + 2 + 2 + 2 + 8)
    assert plan.parameters == convolutions + norms + 8 * 10 + 10
    assert plan.macs == 64 * (27 * 8 + 2 * 16 + 4 + 36 + 16) + 80


def test_only_nodes_without_predecessors_down_sample():
    cell = Cell.from_names(["avg_pool_3x3", "conv_3x3", "conv_1x1"], [1, 0, 0])
    plan = cell_plan(CellPair(cell, cell), width=8, cells_per_stage=1, stages=2, image_size=8)
    shapes = {record.name: record.shape for record in plan.records}
    assert shapes["stage1.cell0.node0.squeeze"] == (2, 8, 8)
    assert shapes["stage1.cell0.node0.pool"] == (2, 4, 4)
    assert shapes["stage1.cell0.node0.widen"] == (4, 4, 4)
    assert shapes["stage1.cell0.node1.conv"] == (4, 4, 4)
    assert shapes["stage1.cell0.node2.conv"] == (4, 4, 4)
    assert shapes["stage1.cell0.concat"] == (8, 4, 4)
    assert shapes["stage1.cell0.project"] == (16, 4, 4)


def test_the_first_cell_of_later_stages_is_the_reduction_cell():
    normal, reduction = Cell.from_names(["conv_1x1"], []), Cell.from_names(["max_pool_3x3"], [])
    plan = cell_plan(
        CellPair(normal, reduction), width=4, cells_per_stage=2, stages=3, image_size=16
    )
    shapes = {r.name: r.shape for r in plan.records if r.name.endswith("project")}
    assert shapes == {
        "stage0.cell0.project": (4, 16, 16),
        "stage0.cell1.project": (4, 16, 16),
        "stage1.cell0.project": (8, 8, 8),
        "stage1.cell1.project": (8, 8, 8),
        "stage2.cell0.project": (16, 4, 4),
        "stage2.cell1.project": (16, 4, 4),
    }
    pools = [r.name for r in plan.records if r.name.endswith("node0.pool")]
    assert pools == ["stage1.cell0.node0.pool", "stage2.cell0.node0.pool"]


def test_every_random_cell_gives_a_network_of_the_promised_shape():
    rng = np.random.default_rng(0)
    for _ in range(100):
        nodes = int(rng.integers(1, 12))
        architecture = CellSpace(nodes=nodes, operations=operation_names()).sample(rng)
        width, size = int(rng.integers(4, 20)), int(rng.integers(1, 40))
        stages, classes = int(rng.integers(1, 5)), int(rng.integers(1, 12))
        plan = cell_plan(
            architecture, width=width, stages=stages, classes=classes, image_size=size,
            cells_per_stage=int(rng.integers(1, 3)), bottleneck=int(rng.integers(1, 5)),
        )  # fmt: skip
        assert plan.input_shape == (3, size, size)
        assert plan.output_shape == (classes,)
        shrunk = size
        for _ in range(stages - 1):
            shrunk = -(-shrunk // 2)
        (pooled,) = [r for r in plan.records if r.name == "head.relu"]
        assert pooled.shape == (width * 2 ** (stages - 1), shrunk, shrunk)


ONE = CellPair(Cell((0,), ()), Cell((0,), ()))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"width": 0}, "Network.width must be at least 1, got 0"),
        ({"width": 3}, "at least Network.bottleneck = 4, got 3"),
        ({"stages": 0}, "Network.stages"),
        ({"cells_per_stage": -1}, "Network.cells_per_stage"),
        ({"classes": 0}, "Network.classes"),
        ({"bottleneck": 0}, "Network.bottleneck"),
        ({"image_size": 0}, "Network.image_size"),
        ({"dropout": 1.0}, "Network.dropout must be at least 0 and below 1, got 1.0"),
        ({"dropout": -0.1}, "Network.dropout"),
        ({"dropout": float("nan")}, "Network.dropout"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ConfigError, match=message):
        cell_plan(ONE, **arguments)


def test_an_architecture_of_another_space_is_refused():
    with pytest.raises(ConfigError, match="made of two cells, got a MobileArchitecture"):
        cell_plan(MobileSpace().sample(np.random.default_rng(0)))


def test_a_halving_stem_written_out_by_hand():
    """16 pixels become 8 before the first cell: 3->4 at 16x16, then 4->8 by stride 2."""
    plans = {
        stem: cell_plan(ONE, width=8, cells_per_stage=1, stages=1, image_size=16, stem=stem)
        for stem in ("plain", "halving")
    }
    names = [record.name for record in plans["halving"].records[:5]]
    assert names == ["input", "stem.first", "stem.norm", "stem.relu", "stem.second"]
    assert plans["halving"].records[4].shape == (8, 8, 8)
    assert plans["plain"].records[1].shape == (8, 16, 16)
    first, second = 27 * 4, 9 * 4 * 8
    added = (first + 4) + 2 * 4 + (second + 8) - (27 * 8 + 8)
    assert plans["halving"].parameters == plans["plain"].parameters + added
    cells = (plans["plain"].macs - 16 * 16 * 27 * 8 - 80) // 4  # all but stem and classifier
    assert plans["halving"].macs == 16 * 16 * first + 8 * 8 * second + cells + 80
    with pytest.raises(ConfigError, match="must be plain, halving or pooled, got 'none'"):
        cell_plan(ONE, width=8, stem="none")


@pytest.mark.parametrize("side", [16, 7])
def test_a_pooled_stem_written_out_by_hand(side):
    """The halving stem with its second convolution at the full resolution, and then a maximum."""
    size = {"width": 8, "cells_per_stage": 1, "stages": 1, "image_size": side}
    halving, pooled = (cell_plan(ONE, stem=stem, **size) for stem in ("halving", "pooled"))
    names = [record.name for record in pooled.records[3:6]]
    assert names == ["stem.relu", "stem.second", "stem.pool"]
    half = -(-side // 2)
    assert pooled.records[4].shape == (8, side, side)
    assert pooled.records[5].shape == halving.records[4].shape == (8, half, half)
    assert pooled.parameters == halving.parameters
    assert pooled.macs == halving.macs + (side * side - half * half) * 9 * 4 * 8


@pytest.mark.parametrize("bottleneck", [1, 2])
def test_a_shared_entry_written_out_by_hand(bottleneck):
    """Nodes 0 and 1 read what enters, once normalised; convolutions are normalised behind."""
    cell = Cell.from_names(
        ["conv_1x1", "skip_connect", "conv_3x3", "max_pool_3x3"],
        [0, 1, 1, 0, 0, 1],
    )
    size = {"width": 8, "bottleneck": bottleneck, "cells_per_stage": 1, "stages": 2}
    plan = cell_plan(CellPair(cell, cell), **size, image_size=8, entry="shared")
    where = {record.name: position for position, record in enumerate(plan.records)}
    squeeze = ["squeeze", "squeezed.norm", "squeezed.relu"] if bottleneck > 1 else []
    normal = [
        "entry.norm", "entry.relu", *squeeze,
        "node0.conv", "node0.norm", "node0.relu",
        "node2.sum", "node2.conv", "node2.norm", "node2.relu",
        "node3.pool", "project",
    ]  # fmt: skip
    reduction = [*normal]
    at = reduction.index("node2.sum")
    reduction[at:at] = ["node1.widen", "node1.norm", "node1.relu"]
    expected = ["input", "stem", *(f"stage0.cell0.{name}" for name in normal)]
    expected += [f"stage1.cell0.{name}" for name in reduction]
    assert [record.name for record in plan.records[: len(expected)]] == expected
    entry = where[f"stage0.cell0.{'squeezed' if squeeze else 'entry'}.relu"]
    assert plan.records[where["stage0.cell0.node0.conv"]].inputs == (entry,)
    summed = plan.records[where["stage0.cell0.node2.sum"]].inputs
    assert set(summed) == {where["stage0.cell0.node0.relu"], entry}  # the skip is the entry
    assert plan.records[where["stage0.cell0.node2.conv"]].shape == (8 // bottleneck, 8, 8)
    assert plan.records[where["stage1.cell0.node2.conv"]].shape == (16 // bottleneck, 4, 4)
    assert plan.records[where["stage1.cell0.project"]].shape == (16, 4, 4)
    with pytest.raises(ConfigError, match="must be own or shared, got 'none'"):
        cell_plan(ONE, entry="none")


@pytest.mark.parametrize("side", [16, 12, 7])
def test_shortcuts_written_out_by_hand(side):
    """Around a normal cell a sum alone; around a reduction cell 8 x 16 weights, 16 biases."""
    size = {"width": 8, "bottleneck": 2, "cells_per_stage": 2, "stages": 2, "image_size": side}
    plain, short = (cell_plan(ONE, **size, shortcut=shortcut) for shortcut in (False, True))
    added = [record for record in short.records if "shortcut" in record.name]
    assert [record.name for record in added] == [
        "stage0.cell0.shortcut.sum",
        "stage0.cell1.shortcut.sum",
        "stage1.cell0.shortcut.pool",
        "stage1.cell0.shortcut.conv",
        "stage1.cell0.shortcut.sum",
        "stage1.cell1.shortcut.sum",
    ]
    half = -(-side // 2)
    assert added[2].shape == (8, half, half)
    assert short.parameters == plain.parameters + 8 * 16 + 16
    assert short.macs == plain.macs + half * half * 8 * 16
    where = {record.name: position for position, record in enumerate(short.records)}
    first = short.records[where["stage0.cell0.shortcut.sum"]]
    assert set(first.inputs) == {where["stage0.cell0.project"], where["stem"]}
    second = short.records[where["stage0.cell1.shortcut.sum"]]
    assert set(second.inputs) == {where["stage0.cell1.project"], where["stage0.cell0.shortcut.sum"]}
