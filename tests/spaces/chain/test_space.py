"""The space of chains: rows, which chains are the same network, refusals."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.spaces.chain.architecture import BLOCKS, ChainArchitecture
from autodl.spaces.chain.space import ChainSpace

SPACE = ChainSpace()


def test_a_row_names_the_blocks_place_by_place():
    assert SPACE.sizes == (3,) * 8
    chain = SPACE.decode(np.array([0, 1, 2, 0, 1, 2, 0, 1]))
    assert chain.blocks[:3] == ("identity", "mb_conv_3_by_3", "mb_conv_5_by_6")
    assert SPACE.encode(chain).tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


def test_an_identity_that_is_no_layer_goes_to_the_end_of_its_width():
    def canonical(*row):
        return tuple(SPACE.encode(SPACE.canonical(SPACE.decode(np.array(row)))).tolist())

    assert canonical(0, 1, 0, 0, 2, 0, 0, 1) == (0, 1, 0, 2, 0, 0, 1, 0)
    assert canonical(0, 0, 1, 2, 1, 0, 2, 0) == (0, 0, 1, 2, 1, 0, 2, 0)
    # places with a stride change nothing about each other
    assert canonical(0, 1, 2, 2, 2, 2, 2, 2) != canonical(1, 0, 2, 2, 2, 2, 2, 2)


def test_the_number_of_different_chains():
    """Two places of equal width hold 7 different pairs of 9, and that twice: 6561 * (7/9)^2."""
    forms = {SPACE.canonical(ChainArchitecture(blocks)) for blocks in product(BLOCKS, repeat=8)}
    assert len(forms) == 3969


@pytest.mark.parametrize("blocks", [(), ("identity", "identity"), ("shuffle_3",)])
def test_spaces_that_cannot_be_are_refused(blocks):
    with pytest.raises(ConfigError, match=r"Space.blocks must be some of identity"):
        ChainSpace(blocks)


def test_blocks_that_a_space_leaves_out_are_refused():
    with pytest.raises(ConfigError, match="'mb_conv_5_by_6', which this space leaves out"):
        ChainSpace(("identity", "mb_conv_3_by_3")).check(ChainArchitecture(("mb_conv_5_by_6",) * 8))
