"""When a training ends early, as a function of its losses alone."""

from __future__ import annotations

import pytest

from autodl.recipes.stopping import reason_to_stop


def reason(losses, patience=None, min_improvement=1e-3, divergence=None):
    return reason_to_stop(
        losses, patience=patience, min_improvement=min_improvement, divergence=divergence
    )


@pytest.mark.parametrize(
    "losses, arguments, expected",
    [
        ([], {"patience": 1, "divergence": 2.0}, ""),
        ([5.0], {"patience": 1, "divergence": 2.0}, ""),
        ([3, 2, 1], {"patience": 1}, ""),
        ([3, 2, 2], {"patience": 1}, "plateau"),
        ([3, 2, 2], {"patience": 2}, ""),
        ([3, 2, 2.5, 2.1], {"patience": 2}, "plateau"),
        ([3, 2, 2.5, 1.9], {"patience": 2}, ""),
        ([3, 2, 2.5, 1.9, 1.9, 1.9], {"patience": 2}, "plateau"),
        ([1.0, 0.9991], {"patience": 1}, "plateau"),  # less than 0.1 % better
        ([1.0, 0.9989], {"patience": 1}, ""),
        ([1.0, 0.9999], {"patience": 1, "min_improvement": 0.0}, ""),
        ([1.0, 1.0], {"patience": 1, "min_improvement": 0.0}, "plateau"),
        # many steps too small to count each, but not in sum: compared with the last that counted
        ([1.0, 0.9996, 0.9992, 0.9988], {"patience": 3}, ""),
        ([1, 3.0], {"divergence": 3.0}, ""),
        ([1, 3.1], {"divergence": 3.0}, "diverged"),
        ([2, 1, 3.1], {"divergence": 3.0}, "diverged"),
        ([2, 0.001, 0.004], {"divergence": 3.0}, ""),  # below the first loss: little has happened
        ([2, 1, 3.1, 0.5], {"divergence": 3.0}, ""),  # only the latest loss counts
        ([1, 99], {}, ""),
        ([1, 99], {"patience": 1, "divergence": 3.0}, "diverged"),  # the stronger reason first
    ],
)
def test_reasons(losses, arguments, expected):
    found = reason(losses, **arguments)
    assert found.startswith(expected)
    assert bool(found) == bool(expected)


def test_reasons_name_the_numbers():
    assert reason([2, 1, 9], divergence=3.0) == "diverged: training loss 9 after a lowest of 1"
    assert (
        reason([2, 1, 1, 1.5], patience=2) == "plateau: no better training loss than 1 for 2 epochs"
    )


def test_the_history_alone_decides():
    losses = [3, 2, 2, 2]
    assert reason(losses, patience=2) == reason(list(losses), patience=2)
    assert losses == [3, 2, 2, 2]
