"""What a training cost."""

from __future__ import annotations

from autodl.trained.spent import core_seconds, teacher_seconds


def test_the_epochs_are_summed_up():
    curve = [{"epoch": 1, "compute_seconds": 1.5}, {"epoch": 2, "compute_seconds": 2.0}]
    assert core_seconds({"curve": curve, "seconds": 99.0}) == 3.5


def test_what_was_not_written_down_is_not_known():
    assert core_seconds({"seconds": 99.0}) is None
    assert core_seconds({"curve": []}) is None
    assert core_seconds({"curve": [{"compute_seconds": 1.0}, {"epoch": 2}]}) is None


def test_a_teacher_counts_and_is_told_apart():
    curve = [{"compute_seconds": 1.5, "teacher_seconds": 4.0}, {"compute_seconds": 2.0}]
    assert core_seconds({"curve": curve}) == 7.5
    assert teacher_seconds(curve) == 4.0
    assert teacher_seconds(curve[1:]) == 0.0
