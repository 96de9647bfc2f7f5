"""Temperature scaling against closed forms and a grid; calibration error by hand."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.release.calibration import (
    calibration_error,
    fit_temperature,
    log_loss,
    probabilities,
)


def test_two_classes_have_a_closed_form():
    """All logits [a, 0], a share p of labels 0: best when sigmoid(a / T) = p, T = a / logit(p)."""
    labels = np.array([0] * 80 + [1] * 20)
    logits = np.tile([3.0, 0.0], (100, 1))
    # 1e-6 is the tolerance of the search in log T
    assert fit_temperature(logits, labels) == pytest.approx(3.0 / np.log(4.0), rel=1e-5)


def test_no_other_temperature_is_better():
    rng = np.random.default_rng(1)
    logits, labels = 4 * rng.normal(size=(300, 5)), rng.integers(0, 5, 300)
    logits[np.arange(300), labels] += 3
    found = fit_temperature(logits, labels)
    losses = [log_loss(logits / t, labels) for t in np.geomspace(0.05, 20, 400)]
    assert log_loss(logits / found, labels) <= min(losses) + 1e-12
    assert (probabilities(logits, found).argmax(1) == logits.argmax(1)).all()
    assert fit_temperature(2 * logits, labels) == pytest.approx(2 * found, rel=1e-5)


def test_pictures_that_are_all_right_make_nothing_surer():
    """Four of four, by one in the logits: the softmax stays as it is. 1e-6 is the search's own."""
    assert fit_temperature(np.eye(4), np.arange(4)) == pytest.approx(1.0, rel=1e-5)
    # three of four: best where exp(1 / T) / (exp(1 / T) + 3) is 3 / 4
    assert fit_temperature(np.eye(4), np.array([0, 1, 2, 0])) == pytest.approx(1 / np.log(9))


def test_the_loss_is_that_of_the_softmax():
    logits, labels = np.array([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0]]), np.array([1, 2])
    first = -np.log(np.exp(2) / np.exp([1, 2, 0.5]).sum())
    assert log_loss(logits, labels) == pytest.approx((first + np.log(3)) / 2, rel=1e-14)


def test_calibration_error_by_hand():
    """Two bins of ten: (0.9, right), (0.9, wrong) and (0.6, right): 2/3 * 0.4 + 1/3 * 0.4."""
    chances = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    assert calibration_error(chances, np.array([0, 1, 0]), bins=10) == pytest.approx(0.4)
    sure = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert calibration_error(sure, np.array([0, 1])) == 0.0
    assert calibration_error(sure, np.array([1, 0])) == 1.0
