"""The pieces of the classic networks."""

from __future__ import annotations

import pytest

from autodl.plans.layers import BatchNorm, Conv, Relu
from autodl.plans.plan import PlanBuilder
from autodl.plans.stacking import conv_norm, conv_norm_relu, two_linear


@pytest.mark.parametrize("size, stride, expected", [(3, 1, 9), (5, 1, 9), (3, 2, 5), (5, 2, 5)])
def test_convolutions_are_padded_by_half_of_their_kernel(size, stride, expected):
    builder = PlanBuilder((4, 9, 9))
    x = conv_norm(builder, 0, "a", 6, size, stride=stride, groups=2)
    assert builder.shape(x) == (6, expected, expected)
    conv, norm = (record.layer for record in builder.finish().records[1:])
    assert isinstance(conv, Conv)
    assert (conv.bias, conv.groups) == (False, 2)
    assert norm == BatchNorm(6, momentum=0.9, epsilon=1e-5)


def test_order_and_classifier():
    builder = PlanBuilder((3, 4, 4))
    x = conv_norm_relu(builder, 0, "a", 2, 3)
    assert isinstance(builder.finish().records[x].layer, Relu)
    builder = PlanBuilder((6,))
    two_linear(builder, 0, 5, 3)
    assert builder.finish().parameters == 7 * 5 + 6 * 3
