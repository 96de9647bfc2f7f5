"""The two networks for series that people designed, counted by hand."""

from __future__ import annotations

from autodl.spaces.classic.sequence_lstm import sequence_lstm_plan
from autodl.spaces.classic.sequence_resnet import sequence_resnet_plan


def test_the_residual_network_by_hand():
    """Convolutions without biases, a scale and a shift for each of their channels, one shortcut."""
    plan = sequence_resnet_plan(channels=2, length=10, outputs=3, width=4)
    first = 4 * (2 * 7 + 4 * 5 + 4 * 3) + 4 * 2  # and the shortcut from 2 to 4 channels
    second = 8 * (4 * 7 + 8 * 5 + 8 * 3) + 8 * 4
    third = 8 * 8 * (7 + 5 + 3)
    norms = 2 * (4 * 4 + 4 * 8 + 3 * 8)
    assert plan.parameters == first + second + third + norms + 8 * 3 + 3
    assert plan.macs == 10 * (first + second + third) + 8 * 3
    assert (plan.input_shape, plan.output_shape) == ((2, 10), (3,))


def test_the_lstm_network_by_hand():
    """Four gates, each with weights for input and state and two biases."""
    plan = sequence_lstm_plan(channels=2, length=10, outputs=3, width=5, layers=2)
    assert plan.parameters == 4 * 5 * (2 + 5 + 2) + 4 * 5 * (5 + 5 + 2) + 5 * 3 + 3
    assert plan.macs == 10 * (4 * 5 * (2 + 5) + 4 * 5 * (5 + 5)) + 5 * 3
    assert (plan.input_shape, plan.output_shape) == ((2, 10), (3,))
