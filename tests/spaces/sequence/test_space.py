"""The space of networks for series: rows of codes, uniform draws, single mutations, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.errors import ConfigError, EncodingError
from autodl.spaces.rows import variation
from autodl.spaces.sequence.architecture import SequenceArchitecture, SequenceBlock
from autodl.spaces.sequence.space import SequenceSpace

SPACE = SequenceSpace(blocks=2, operations=("conv_3", "gru"), gates=("none", "linear"))


def test_a_row_says_block_by_block_and_then_the_head():
    assert SPACE.sizes == (2, 2, 2, 2, 2, 2, 2, 2, 3)
    architecture = SPACE.decode([1, 0, 1, 0, 0, 1, 0, 1, 2])
    assert architecture == SequenceArchitecture(
        (SequenceBlock("gru", "none", True, False), SequenceBlock("conv_3", "linear", False, True)),
        "last",
    )
    assert SPACE.encode(architecture).tolist() == [1, 0, 1, 0, 0, 1, 0, 1, 2]


def test_the_default_space_is_as_large_as_is_said():
    """13 operations, 4 gates, two answers: 208 blocks, six of them, and three heads."""
    assert np.prod([float(size) for size in SequenceSpace().sizes]) == 208.0**6 * 3


def test_draws_are_uniform():
    """4,000 draws: five standard errors of a share of 1/2 are 0.04, of 1/3 0.037."""
    rng = np.random.default_rng(0)
    rows = np.array([SPACE.encode(SPACE.sample(rng)) for _ in range(4000)])
    for column, size in enumerate(SPACE.sizes):
        shares = np.bincount(rows[:, column], minlength=size) / len(rows)
        np.testing.assert_allclose(shares, 1 / size, atol=0.04)


def test_a_mutation_changes_one_decision_and_reaches_all_that_are_open():
    space = SequenceSpace(blocks=2, operations=("gru",), gates=("none",), heads=("mean", "last"))
    parent, rng = space.decode([0] * 9), np.random.default_rng(1)
    changed = [space.encode(variation(space, "a test")(parent, rng)) for _ in range(200)]
    assert {int(np.count_nonzero(row)) for row in changed} == {1}
    assert {int(np.flatnonzero(row)[0]) for row in changed} == {2, 3, 6, 7, 8}


@pytest.mark.parametrize(
    "options, message",
    [
        ({"blocks": 0}, "Space.blocks must be 1 to 64, got 0"),
        ({"operations": ()}, "each once; got none"),
        ({"operations": ("conv_3", "conv_3")}, "each once; got conv_3, conv_3"),
        ({"gates": ("open",)}, "Space.gates must be some of none, linear"),
        ({"heads": ("mean", 3)}, "Space.heads must be some of mean"),
    ],
)
def test_spaces_that_cannot_be_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        SequenceSpace(**options)


def test_rows_that_are_none_are_refused():
    for row in ([0] * 8, [0.0] * 9, [[0] * 9]):
        with pytest.raises(EncodingError, match="this space has rows of 9 integers"):
            SPACE.decode(row)
    for row in ([2, *[0] * 8], [0, -1, *[0] * 7]):
        with pytest.raises(EncodingError, match="goes from 0 to 1"):
            SPACE.decode(row)


def test_what_another_space_allows_is_refused():
    block = SequenceBlock("conv_3")
    for architecture, message in (
        (SequenceArchitecture((block,)), "of 1 blocks is not of this space of 2; set Space.blocks"),
        (SequenceArchitecture((block, SequenceBlock("lstm"))), "uses 'lstm', which this space"),
        (SequenceArchitecture((block, SequenceBlock("gru", "channel"))), "uses 'channel'"),
    ):
        with pytest.raises(ConfigError, match=message):
            SPACE.check(architecture)
