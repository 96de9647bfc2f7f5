"""Who decides about which layer, and spaces in which nobody does alone."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.plans.layers import Conv
from autodl.spaces.cell.plan import cell_plan
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.chain.plan import chain_plan
from autodl.spaces.chain.space import ChainSpace
from autodl.spaces.edge_cell.plan import edge_cell_plan
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.supernets.single_path.blocks import find_blocks


def test_every_operation_of_an_edge_has_a_batch_norm_of_its_own():
    """Also where all choices are convolutions, whose batch-norms look alike."""
    space = EdgeCellSpace(("nor_conv_1x1", "nor_conv_3x3"))
    blocks = find_blocks(space, partial(edge_cell_plan, cells=2))
    first, second = np.zeros(6, np.int64), np.array([1, 0, 0, 0, 0, 0])
    name = "stage1.cell1.edge0_1.norm"
    assert blocks.key(name, first) == "stage1.cell1.edge0_1.choice0.norm"
    assert blocks.key(name, second) == "stage1.cell1.edge0_1.choice1.norm"
    assert blocks.key("stage1.cell1.edge0_2.norm", second).endswith("edge0_2.choice0.norm")
    assert blocks.owner(name) == 0
    assert blocks.key("stem.conv", second) == "stem.conv"
    assert blocks.owner("stage1.reduction.first.conv") is None


def test_what_is_alike_in_all_blocks_of_a_decision_is_not_shared():
    space = EdgeCellSpace(("nor_conv_1x1", "nor_conv_3x3"))
    blocks = find_blocks(space, partial(edge_cell_plan, cells=1))
    assert not [record.name for record in blocks.shared if "edge" in record.name]
    assert [record.name.split(".")[0] for record in blocks.shared[:3]] == ["stem", "stem", "stage0"]


def test_blocks_of_a_chain_are_the_whole_of_a_place():
    blocks = find_blocks(ChainSpace(("mb_conv_3_by_3", "mb_conv_5_by_6")), chain_plan)
    assert {blocks.owner(f"block{place}.project.norm") for place in range(8)} == set(range(8))
    kernels = {
        record.layer.kernel
        for record in blocks.chosen[2][1]
        if isinstance(record.layer, Conv) and record.layer.groups > 1
    }
    assert kernels == {(5, 5)}


def test_weights_that_several_decisions_shape_have_no_block():
    with pytest.raises(ConfigError, match=r"no supernet holds CellSpace: several decisions"):
        find_blocks(CellSpace(nodes=2), cell_plan)
