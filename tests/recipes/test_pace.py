"""Schedules that are brought forward where time runs out before the updates do."""

from __future__ import annotations

import pytest

from autodl.recipes.pace import Pace


def test_without_a_limit_an_update_is_where_it_is_and_there_is_no_end():
    pace = Pace(100)
    assert [pace.position(update, 1e9) for update in (0, 7, 99)] == [0, 7, 99]
    assert not pace.over(1e9)


@pytest.mark.parametrize(
    "update, elapsed, expected",
    [
        (0, 0.0, 0),
        (50, 5.0, 50),  # just in time
        (50, 2.0, 50),  # early: the updates count
        (10, 5.0, 50),  # late: the clock counts
        (10, 10.0, 100),
        (10, 25.0, 100),  # never behind the end
    ],
)
def test_the_nearer_end_counts(update, elapsed, expected):
    assert Pace(100, 10.0).position(update, elapsed) == expected


def test_it_is_over_when_the_seconds_are_used_up():
    assert [Pace(100, 10.0).over(elapsed) for elapsed in (0.0, 9.99, 10.0)] == [False, False, True]
