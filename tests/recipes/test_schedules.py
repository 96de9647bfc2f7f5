"""The learning rate at every step against its closed form."""

from __future__ import annotations

from itertools import pairwise
from math import cos, pi

import pytest

from autodl.recipes.schedules import cosine_rate, linear_rate, step_rate


def test_half_a_cosine():
    assert cosine_rate(0, 100, 0.1) == 0.1
    assert cosine_rate(50, 100, 0.1) == pytest.approx(0.05, rel=1e-12)
    assert cosine_rate(100, 100, 0.1) == pytest.approx(0, abs=1e-17)
    for step in range(100):
        expected = 0.1 * cos(pi * step / 200) ** 2  # (1 + cos x) / 2 = cos^2(x / 2)
        assert cosine_rate(step, 100, 0.1) == pytest.approx(expected, rel=1e-12)


def test_warm_up_is_a_line_that_meets_the_peak():
    rates = [cosine_rate(step, 30, 2.0, 10) for step in range(30)]
    assert rates[:10] == pytest.approx([0.2 * (step + 1) for step in range(10)], rel=1e-12)
    assert rates[10] == 2.0
    assert rates[20] == pytest.approx(1.0, rel=1e-12)  # half way through the remaining 20
    assert all(later < earlier for earlier, later in pairwise(rates[10:]))
    assert all(rate > 0 for rate in rates)


@pytest.mark.parametrize("step", [100, 101, 10_000])
def test_the_rate_stays_at_zero_afterwards(step):
    assert cosine_rate(step, 100, 1.0) == 0.0


def test_edges():
    assert cosine_rate(0, 1, 3.0) == 3.0
    assert cosine_rate(4, 5, 1.0, 5) == 1.0  # nothing but warm-up
    assert cosine_rate(5, 5, 1.0, 5) == 1.0
    assert cosine_rate(0, 5, 1.0, 10) == 0.1


def test_a_triangle():
    rates = [linear_rate(step, 30, 2.0, 10) for step in range(31)]
    assert rates[:10] == pytest.approx([0.2 * (step + 1) for step in range(10)], rel=1e-12)
    assert rates[10:] == pytest.approx([2.0 * (30 - step) / 20 for step in range(10, 31)])
    assert linear_rate(0, 5, 0.3) == 0.3


def test_step_rates():
    assert [step_rate(epoch, 8, 1.0) for epoch in range(8)] == pytest.approx(
        [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]
    )
