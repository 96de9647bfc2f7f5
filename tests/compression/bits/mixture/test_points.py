"""Weights as points: nothing is lost of mean and variance, and bad weights are refused."""

import numpy as np
import pytest

from autodl.compression.bits.mixture.points import weighted_points
from autodl.compression.errors import CompressionError


def test_few_weights_are_kept_sorted():
    points = weighted_points([[3.0, 1.0], [2.0, 1.0]])
    assert points.values.tolist() == [1, 1, 2, 3]
    assert points.counts.tolist() == [1, 1, 1, 1]
    assert not points.variances.any()


@pytest.mark.parametrize("outlier", [0.0, 1e4])
def test_many_weights_are_put_together(outlier):
    """Count, mean and variance stay, to rounding; tight clusters stay apart beside an outlier."""
    rng = np.random.default_rng(0)
    weights = np.concatenate([rng.normal(0, 1e-3, 20_000), rng.normal(1, 1e-3, 20_000), [outlier]])
    points = weighted_points(weights, most=500)
    assert len(points.values) <= 500
    assert (np.diff(points.values) >= 0).all()
    assert points.total == len(weights)
    assert points.mean == pytest.approx(weights.mean(), rel=1e-10, abs=1e-12)
    assert points.variance == pytest.approx(weights.var(), rel=1e-10)
    both = (points.values > 0.2) & (points.values < 0.8)
    assert points.counts[both].sum() <= 1
    plain = points.standardised()
    assert plain.mean == pytest.approx(0.0, abs=1e-9)
    assert plain.variance == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(
    "weights, said",
    [([], "no weights"), ([1.0, np.nan, np.inf], "2 of 3 weights are not finite")],
)
def test_refused(weights, said):
    with pytest.raises(CompressionError, match=said):
        weighted_points(weights)
