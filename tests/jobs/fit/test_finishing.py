"""The time behind the last training, by its parts."""

from __future__ import annotations

import pytest

from autodl.jobs.fit.finishing import MARGIN, REST, Finishing, look_count, seconds_beside


def test_every_look_at_a_picture_is_counted():
    assert look_count(held_out=10, test=0, views=1) == 30  # training, comparison, calibration
    assert look_count(held_out=10, test=0, views=2) == 70  # each mirrored, and one calibration more
    assert look_count(held_out=0, test=10, views=2) == 20


def test_it_is_looks_and_all_beside():
    beside = seconds_beside(seconds=100.0, exporting=1.5, burden=2.0)
    assert beside == pytest.approx(1.5 + 2 * REST + 100 * MARGIN)
    seconds = Finishing(looks=40, look=0.25, beside=beside).seconds
    assert seconds == pytest.approx(10 + beside)
