"""The token-count reward by hand."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.search.synthetic import TokenCount
from autodl.spaces.cell import CellPair


class Other:
    def to_json(self):
        return {"kind": "other", "version": 1}


@pytest.mark.parametrize(
    "token, tokens, reward", [(1, [1, 1, 0, 1], 3), (0, [1, 1, 0, 1], 1), (7, [1, 1, 0, 1], 0)]
)
def test_both_cells_are_counted(token, tokens, reward):
    found = TokenCount(token)(CellPair.from_tokens(tokens, [1, 0]), np.random.default_rng(0))
    assert found.reward == reward
    assert isinstance(found.reward, float)


def test_other_architectures_are_refused():
    with pytest.raises(ConfigError, match="TokenCount scores cell pairs"):
        TokenCount()(Other(), np.random.default_rng(0))
