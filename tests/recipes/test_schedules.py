"""The learning rate at every step against its closed form."""

from __future__ import annotations

import math
from itertools import pairwise
from math import cos, pi

import pytest

from autodl.recipes import schedules
from autodl.recipes.options import TrainOptions
from autodl.recipes.parts import FallingRateOptions, RateOptions
from autodl.recipes.recipe import recipe_of
from autodl.recipes.schedules import (
    cosine,
    cosine_rate,
    linear,
    linear_rate,
    step_rate,
    triangle_rate,
)


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


def test_a_triangle_that_neither_begins_nor_ends_at_zero():
    """0.2 to 1 over 23 of 100 steps, then a line to 0.07 at step 100."""
    rates = [triangle_rate(s, 100, 2.0, first=0.2, rise=0.23, last=0.07) for s in range(102)]
    assert rates[:24] == pytest.approx([0.4 + 1.6 * s / 23 for s in range(24)], rel=1e-12)
    fall = [2.0 - 1.86 * (s - 23) / 77 for s in range(23, 101)]
    assert rates[23:101] == pytest.approx(fall, rel=1e-12)
    assert rates[101] == rates[100] == pytest.approx(0.14, rel=1e-12)
    assert triangle_rate(0, 1, 3.0, first=0.2, rise=0.9, last=0.5) == 3.0  # no step to rise in


def test_a_triangle_by_its_name():
    rate = {"name": "triangle", "learning_rate": 1.5, "rise": 0.5}
    part = recipe_of(TrainOptions(epochs=2, rate=rate)).schedule
    found = part.factory()(part.options, 2, 5)
    assert [found(step) for step in (0, 5, 10)] == pytest.approx([0.3, 1.5, 0.105], rel=1e-12)


def test_the_rates_of_several_gpus_as_lrc_has_them():
    """From the rate of one of 8 GPUs to that of all in 5 of 90 epochs; the cosine is of all 90.

    ``lr n / n (e (n - 1) / 5 + 1)`` while the warm-up lasts, then ``n (least + (lr - least) (1 +
    cos(pi e / 90)) / 2)``, e the epochs done. The original counts e from the beginning of every
    epoch, a slip: its rate never leaves the first epoch's.
    """
    lr, least, gpus, steps = 0.025, 1e-4, 8, 10
    options = FallingRateOptions(
        learning_rate=gpus * lr,
        first_rate=lr,
        lowest_rate=gpus * least,
        warmup_epochs=5,
        fall_from_start=True,
    )
    rate = cosine(options, 90, steps)
    for step in range(50):
        done = (step + 1) / steps
        assert rate(step) == pytest.approx(lr * (done * (gpus - 1) / 5 + 1), rel=1e-12)
    for step in range(50, 900):
        share = (1 + cos(pi * step / steps / 90)) / 2
        assert rate(step) == pytest.approx(gpus * (least + (lr - least) * share), rel=1e-12)
    plain = cosine(options.model_copy(update={"fall_from_start": False}), 90, steps)
    assert plain(50) == gpus * lr


@pytest.mark.parametrize("schedule", [schedules.step, schedules.constant])
def test_every_warm_up_begins_where_it_is_told(schedule):
    rate = schedule(RateOptions(learning_rate=1.0, first_rate=0.5, warmup_epochs=1), 4, 5)
    assert [rate(n) for n in range(6)] == pytest.approx([0.6, 0.7, 0.8, 0.9, 1.0, 1.0])


def test_a_first_rate_above_the_highest_is_refused():
    with pytest.raises(ValueError, match=r"first_rate 0\.2 exceeds learning_rate 0\.1"):
        RateOptions(first_rate=0.2)


@pytest.mark.parametrize("schedule", [cosine, linear])
def test_a_training_can_be_the_beginning_of_a_longer_schedule(schedule):
    """The original's trials: 20 epochs of a cosine of 200 that ends at 1e-4."""
    options = recipe_of(
        TrainOptions(learning_rate=0.1, epochs=20, lowest_rate=1e-4, schedule_epochs=200)
    ).schedule.options
    rate = schedule(options, 20, 7)
    whole = schedule(FallingRateOptions(lowest_rate=1e-4), 200, 7)
    assert [rate(step) for step in range(140)] == [whole(step) for step in range(140)]
    assert rate(0) == 0.1
    done = 139 / 1400
    shape = {cosine: 0.5 * (1 + math.cos(math.pi * done)), linear: 1 - done}[schedule]
    assert rate(139) == pytest.approx(1e-4 + (0.1 - 1e-4) * shape, rel=1e-12)
    assert rate(1400) == pytest.approx(1e-4, rel=1e-12)


def test_step_rates():
    assert [step_rate(epoch, 8, 1.0) for epoch in range(8)] == pytest.approx(
        [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]
    )
