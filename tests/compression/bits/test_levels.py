"""Bits, progressions and levels, against counting by hand and brute force."""

import numpy as np
import pytest

from autodl.compression.bits.levels import (
    Levels,
    Progression,
    bits_of,
    carrying,
    shortest_progression,
    uniform_levels,
)
from autodl.compression.errors import CompressionError


def on_grid(places, points=16):
    weights = np.zeros(points)
    weights[list(places)] = 1 / len(places)
    return weights


def test_bits():
    found = [bits_of(k) for k in (1, 2, 3, 4, 5, 8, 9, 16, 17)]
    assert found == [0, 1, 2, 2, 3, 3, 4, 4, 5]


def test_carrying_counts_by_mass():
    weights = np.array([0.05, 0.5, 0.4, 0.05])
    assert [carrying(weights, mass) for mass in (0.4, 0.6, 0.92, 0.97)] == [1, 2, 3, 4]
    assert carrying(np.array([1.0]), 0.99) == 1


@pytest.mark.parametrize(
    "places, expected",
    [
        ((0, 4, 8, 12), Progression(0, 4, 2)),
        ((1, 4, 7, 10), Progression(1, 3, 2)),
        ((0, 5, 10, 15), Progression(0, 5, 2)),  # the interval that the prototype forbids
        ((3, 11), Progression(3, 8, 1)),  # one bit: any pair
        (range(16), Progression(0, 1, 4)),
    ],
)
def test_progressions(places, expected):
    assert shortest_progression(on_grid(places), 0.9) == expected


@pytest.mark.parametrize("points", [8, 16])
def test_progressions_against_brute_force(points):
    rng = np.random.default_rng(points)
    for concentration in [0.05] * 30 + [0.3] * 30:
        weights = rng.dirichlet(np.full(points, concentration))
        found = shortest_progression(weights, 0.9)
        shortest = None
        for bits in range(1, bits_of(points) + 1):
            masses = {}
            for start in range(points):
                for interval in range(1, points):
                    members = [start + interval * k for k in range(2**bits)]
                    if members[-1] < points:
                        masses[start, interval] = weights[members].sum()
            if max(masses.values()) > 0.9:
                shortest = bits, max(masses.values())
                break
        assert shortest is not None
        assert found.bits == shortest[0]
        members = found.start + found.interval * np.arange(2**found.bits)
        assert weights[members].sum() == pytest.approx(shortest[1], abs=1e-11)


def test_progressions_of_at_least_some_bits():
    assert shortest_progression(on_grid((0, 15)), 0.9, 2) == Progression(0, 5, 2)


def test_exactly_the_mass_is_not_enough():
    weights = np.array([0.5, 0.25, 0.125, 0.125])
    assert shortest_progression(weights, 0.75).bits == 2
    assert shortest_progression(weights, 0.74).bits == 1


def test_nearest_levels_have_the_least_error():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=500).astype("float32")
    levels = Levels.codebook(rng.normal(size=6))
    away = np.abs(weights[:, None].astype(float) - levels.values)
    found = np.abs(weights - levels.rounded(weights))
    np.testing.assert_allclose(found, away.min(axis=1), rtol=1e-6, atol=1e-7)
    outside = levels.rounded(np.float32([1e9, -1e9]))
    assert outside.tolist() == [levels.values.max(), levels.values.min()]


def test_codebooks_are_filled_up():
    levels = Levels.codebook([0.5, -1.0, 0.0])
    assert levels.bits == 2
    assert levels.values.tolist() == [-1, 0, 0.5, 0.5]


def test_storage():
    """N bits + 32 bits for each level (codebook) or for offset and step (grid)."""
    assert Levels.codebook(np.arange(5.0)).storage_bits(1000) == 3000 + 32 * 8
    assert Levels.even(0.0, 1.0, 3).storage_bits(1000) == 3000 + 64
    assert Levels.codebook([1.0]).storage_bits(1000) == 32


def test_uniform_levels():
    """End to end within 3 deviations; the distortion falls with the bits."""
    weights = np.random.default_rng(0).normal(0.1, 0.5, 4000).astype("float32")
    distortion = []
    for bits in (1, 2, 3, 4, 8):
        levels = uniform_levels(weights, bits)
        low, high = weights.mean() - 3 * weights.std(), weights.mean() + 3 * weights.std()
        np.testing.assert_allclose(levels.values[[0, -1]], [low, high], rtol=1e-5)
        distortion.append(((weights - levels.rounded(weights)) ** 2).mean())
    assert distortion == sorted(distortion, reverse=True)
    assert uniform_levels(np.full(9, 0.5, "float32"), 2).values.tolist() == [0.5] * 4


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: Levels.even(0.0, 1.0, 17), "0 to 16, got 17"),
        (lambda: Levels.even(0.0, 1.0, -1), "0 to 16, got -1"),
        (lambda: Levels.even(0.0, np.nan, 2), "finite"),
        (lambda: Levels.codebook(np.arange(5.0), 2), "5 levels do not fit into 2 bits"),
        (lambda: Levels(2, np.zeros(3, "float32")), "2 bits have 4 levels"),
        (lambda: uniform_levels(np.ones(4, "float32"), 0), "1 to 16 bits, got 0"),
        (lambda: uniform_levels(np.full(4, np.nan, "float32"), 2), "not finite"),
    ],
)
def test_refused(make, said):
    with pytest.raises(CompressionError, match=said):
        make()
