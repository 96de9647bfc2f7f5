"""Networks of chains of blocks: parameters and MACs as they are published."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.plans.layers import Add
from autodl.spaces.chain.architecture import ChainArchitecture
from autodl.spaces.chain.plan import chain_plan
from autodl.spaces.chain.space import ChainSpace
from autodl.spaces.edge_cell.space import EdgeCellSpace

SPACE = ChainSpace()
# Rows of the published table: codes, parameters, MACs.
PUBLISHED = [
    ("00000000", 387_882, 7_713_280),
    ("22222222", 2_932_586, 105_660_928),
    ("02102101", 1_221_994, 51_522_048),
    ("01120111", 1_592_490, 49_617_408),
    ("22102011", 1_527_978, 63_816_192),
    ("12110020", 1_422_922, 51_184_128),
    ("00100221", 1_938_666, 40_837_632),
    ("00200020", 1_296_042, 30_437_888),
    ("20120002", 1_491_626, 49_168_896),
    ("21100020", 1_299_690, 42_091_008),
    ("02202121", 2_098_986, 69_941_760),
    ("12000222", 2_404_106, 62_784_000),
    ("11220000", 719_306, 42_201_600),
    ("12201022", 2_299_914, 69_603_840),
    ("11120211", 1_765_642, 59_003_392),
    ("22012110", 1_316_330, 63_871_488),
    ("12211112", 2_095_370, 73_570_816),
    ("11112012", 2_012_554, 63_091_200),
    ("02111101", 1_209_962, 50_735_616),
    ("21022021", 2_110_506, 71_811_584),
    ("12200112", 1_888_266, 60_545_536),
    ("00011000", 594_986, 20_738_560),
    ("21122001", 1_310_186, 62_919_168),
    ("22201122", 2_433_130, 79_579_648),
]


def counts(codes):
    plan = chain_plan(SPACE.decode(np.array(codes)))
    return plan.parameters, plan.macs


@pytest.mark.parametrize("codes, parameters, macs", PUBLISHED)
def test_published_counts(codes, parameters, macs):
    assert counts([int(code) for code in codes]) == (parameters, macs)


def test_every_chain_has_its_published_counts():
    path = Path(os.environ.get("AUTODL_TABLES", "tables")) / "nas_bench_macro.npz"
    if not path.exists():
        pytest.skip(f"no {path}; AUTODL_TABLES names the folder of the published tables")
    with np.load(path) as file:
        expected = np.stack([file["parameters"], file["macs"]], axis=1)
        found = np.array([counts(codes) for codes in file["codes"]])
    np.testing.assert_array_equal(found, expected)


def test_blocks_have_a_shortcut_where_the_shape_stays():
    plan = chain_plan(ChainArchitecture(("mb_conv_3_by_3",) * 8))
    sums = [record.name for record in plan.records if isinstance(record.layer, Add)]
    assert sums == [f"block{place}.sum" for place in (1, 3, 4, 6, 7)]


def test_an_identity_in_a_place_that_keeps_the_shape_is_no_layer():
    plan = chain_plan(ChainArchitecture(("identity",) * 8))
    blocks = {name.split(".")[0] for r in plan.records if (name := r.name).startswith("block")}
    assert blocks == {"block0", "block2", "block5"}


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="got a EdgeCell"):
        chain_plan(EdgeCellSpace().decode([0] * 6))
    with pytest.raises(ConfigError, match="must be at least 1"):
        chain_plan(ChainArchitecture(("identity",) * 8), head_width=0)
