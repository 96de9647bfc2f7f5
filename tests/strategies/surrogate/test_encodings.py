"""Features whose inner products say in how many decisions rows agree."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.strategies.surrogate.encodings import OneHot, Pairs

SIZES = (3, 4, 2, 5)
ROWS = np.random.default_rng(0).integers(SIZES, size=(8, 4))
AGREE = (ROWS[:, None] == ROWS).sum(axis=2)


def test_one_hot_products_are_shares_of_agreement():
    features = OneHot(SIZES).features(ROWS)
    assert features.shape == (8, 14)
    np.testing.assert_allclose(features @ features.T, AGREE / 4, atol=1e-12)


def test_pair_products_are_shares_of_agreeing_pairs():
    encoding = Pairs(SIZES)
    assert encoding.groups == (14, 3 * 4 + 3 * 2 + 3 * 5 + 4 * 2 + 4 * 5 + 2 * 5)
    pairs = encoding.features(ROWS)[:, 14:]
    np.testing.assert_allclose(pairs @ pairs.T, AGREE * (AGREE - 1) / 12, atol=1e-12)


@pytest.mark.parametrize("encoding", [OneHot((4,)), Pairs((4,))])
def test_a_single_decision_has_no_pairs(encoding):
    assert encoding.groups == (4,)
    assert encoding.features(np.array([[2]])).tolist() == [[0, 0, 1, 0]]
