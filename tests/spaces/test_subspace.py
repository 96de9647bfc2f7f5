"""What is left of a space is a space of rows, over the same architectures."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.errors import ConfigError, EncodingError
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.spaces.space import Coded
from autodl.spaces.subspace import Subspace

WHOLE = EdgeCellSpace()
PART = Subspace(WHOLE, ((0, 3), (2,), (0, 1, 2, 3, 4), (1, 4), (3,), (0, 1)))


def test_rows_are_positions_among_what_is_left():
    assert isinstance(PART, Coded)
    assert PART.sizes == (2, 1, 5, 2, 1, 2)
    assert PART.kind == "edge_cell"
    assert PART.labels == WHOLE.labels
    row = np.array([1, 0, 4, 1, 0, 0])
    np.testing.assert_array_equal(PART.in_whole(row), [3, 2, 4, 4, 3, 0])
    architecture = PART.decode(row)
    np.testing.assert_array_equal(WHOLE.encode(architecture), [3, 2, 4, 4, 3, 0])
    np.testing.assert_array_equal(PART.encode(architecture), row)
    rng = np.random.default_rng(0)
    for _ in range(20):
        PART.check(PART.sample(rng))


def test_the_whole_is_a_part():
    same, row = Subspace.all_of(WHOLE), np.array([1, 2, 3, 4, 0, 1])
    assert same.sizes == WHOLE.sizes
    np.testing.assert_array_equal(same.in_whole(row), row)


def test_mistakes():
    gone = WHOLE.decode(np.zeros(6, int))
    with pytest.raises(ConfigError, match="edge 0-2 that is no longer in the space"):
        PART.check(gone)
    with pytest.raises(EncodingError, match="decision 1 goes from 0 to 0, got 1"):
        PART.decode(np.array([0, 1, 0, 0, 0, 0]))
    with pytest.raises(ConfigError, match="has 5 decisions"):
        Subspace(WHOLE, ((0,),) * 5)
    for values in ((), (1, 0), (5,), (0, 0)):
        with pytest.raises(ConfigError, match="decision 0 must be some of 0 to 4, rising"):
            Subspace(WHOLE, (values, *((0,),) * 5))
