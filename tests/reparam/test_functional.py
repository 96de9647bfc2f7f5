"""The six transforms against the layers they stand for.

float64; 1e-10 is the specified bound. Sums of a few hundred products of numbers around 1 are
exact to about 1e-13, so it separates rounding from a wrong formula with room on both sides.
"""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.functional import (
    add_branches,
    average_kernel,
    concat_depth,
    fuse_batch_norm,
    identity_kernel,
    merge_pointwise,
    pad_kernel,
)

BOUND = 1e-10
CHANNELS = 6
SIZE = (11, 14)  # neither square nor divisible by 3, the rows not by 2
sweep = [
    pytest.mark.parametrize("groups", [1, 2, CHANNELS]),
    pytest.mark.parametrize("stride", [1, 2]),
    pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (5, 5), (7, 7), (3, 5)]),
]


def swept(test):
    for mark in sweep:
        test = mark(test)
    return test


def random(*shape, seed=0):
    return paddle.to_tensor(np.random.default_rng(seed).normal(size=shape))


def terms(channels, seed=2):
    """Scale, shift, mean and variance of a batch-norm that is far from a fresh one."""
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(-1.5, 1.5, channels), rng.normal(size=channels), rng.normal(size=channels)
    return [paddle.to_tensor(v) for v in (*drawn, rng.uniform(0.1, 2, channels))]


def normalised(x, gamma, beta, mean, variance, epsilon):
    """The definition, not Paddle's kernel, which rounds epsilon to float32."""
    row = [1, -1, 1, 1]
    scaled = (x - mean.reshape(row)) / paddle.sqrt(variance.reshape(row) + epsilon)
    return scaled * gamma.reshape(row) + beta.reshape(row)


def gap(found, expected):
    assert found.shape == expected.shape
    return float((found - expected).abs().max())


@swept
@pytest.mark.parametrize("bias", [False, True])
def test_batch_norm_goes_into_the_kernel(groups, stride, kernel, bias):
    """Transform I, also of a convolution with bias; a large epsilon shows where it stands."""
    x, weight = random(2, CHANNELS, *SIZE), random(2 * CHANNELS, CHANNELS // groups, *kernel)
    shift, norm = random(2 * CHANNELS, seed=3) if bias else None, terms(2 * CHANNELS)
    options = {"stride": stride, "padding": (1, 2), "groups": groups}
    for dilation in (1, 2) if kernel == (3, 3) else (1,):
        expected = normalised(F.conv2d(x, weight, shift, dilation=dilation, **options), *norm, 0.3)
        fused = fuse_batch_norm(weight, shift, *norm, 0.3)
        assert gap(F.conv2d(x, *fused, dilation=dilation, **options), expected) < BOUND


def test_batch_norm_with_a_bias_in_closed_form():
    """One channel by hand: t = 2 / sqrt(3 + 1) = 1; kernel 5 t, bias 7 + (11 - 13) t."""
    numbers = [paddle.to_tensor([v], dtype="float64") for v in (2.0, 7.0, 13.0, 3.0)]
    kernel, bias = fuse_batch_norm(
        paddle.full([1, 1, 1, 1], 5.0, "float64"), paddle.full([1], 11.0, "float64"), *numbers, 1.0
    )
    assert (kernel.item(), bias.item()) == (5.0, 5.0)


@swept
def test_branches_are_added(groups, stride, kernel):
    """Transform II."""
    x = random(2, CHANNELS, *SIZE)
    parts = [
        (random(CHANNELS, CHANNELS // groups, *kernel, seed=s), random(CHANNELS, seed=s + 9))
        for s in range(3)
    ]
    options = {"stride": stride, "padding": 3, "groups": groups}
    expected = sum(F.conv2d(x, *part, **options) for part in parts)
    assert gap(F.conv2d(x, *add_branches(parts), **options), expected) < BOUND


@swept
def test_a_pointwise_convolution_before_another(groups, stride, kernel):
    """Transform III, the map between padded with the first bias; and what zeros would do."""
    x, middle = random(2, CHANNELS, *SIZE), 2 * CHANNELS
    first = random(middle, CHANNELS // groups, 1, 1), random(middle, seed=4)
    second = random(CHANNELS, middle // groups, *kernel, seed=5), random(CHANNELS, seed=6)
    rows, columns = kernel[0] // 2, kernel[1] // 2
    sides = [columns, columns, rows, rows]
    between = F.conv2d(x, *first, groups=groups)
    row = [1, -1, 1, 1]
    answered = F.pad(between - first[1].reshape(row), sides) + first[1].reshape(row)
    merged = merge_pointwise(first, second, groups)
    options = {"stride": stride, "groups": groups}
    found = F.conv2d(x, *merged, padding=(rows, columns), **options)
    assert gap(found, F.conv2d(answered, *second, **options)) < BOUND
    wrong = F.conv2d(F.pad(between, sides), *second, **options)
    if kernel != (1, 1):  # the trap: zeros are wrong, but at the border only
        assert gap(found, wrong) > 0.1
        cut = [-(-reach // stride) for reach in (rows, columns)]  # outputs whose window overhangs
        inner = (slice(None), slice(None), *(slice(c, -c or None) for c in cut))
        assert gap(found[inner], wrong[inner]) < BOUND


@pytest.mark.parametrize("groups", [2, 3, CHANNELS])
def test_groups_are_concatenated(groups):
    """Transform IV: a grouped convolution is one per group, side by side; III group by group."""
    x = random(2, CHANNELS, *SIZE)
    first = random(2 * CHANNELS, CHANNELS // groups, 1, 1), random(2 * CHANNELS, seed=1)
    second = random(CHANNELS, 2 * CHANNELS // groups, 3, 3, seed=2), random(CHANNELS, seed=3)
    split = [
        [
            tuple(zip(*(paddle.chunk(t, groups) for t in part), strict=True))[g]
            for part in (first, second)
        ]
        for g in range(groups)
    ]
    merged = merge_pointwise(first, second, groups)
    joined = concat_depth([merge_pointwise(*parts, 1) for parts in split])
    assert gap(merged[0], joined[0]) < BOUND
    assert gap(merged[1], joined[1]) < BOUND
    pieces = [
        F.conv2d(part, *k[0]) for part, k in zip(paddle.chunk(x, groups, 1), split, strict=True)
    ]
    assert gap(F.conv2d(x, *first, groups=groups), paddle.concat(pieces, 1)) < BOUND


def test_outputs_of_one_input_are_concatenated():
    """Transform IV as in an Inception cell."""
    x = random(2, CHANNELS, *SIZE)
    parts = [(random(n, CHANNELS, 3, 3, seed=n), random(n, seed=n + 1)) for n in (2, 5)]
    expected = paddle.concat([F.conv2d(x, *part, padding=1) for part in parts], axis=1)
    assert gap(F.conv2d(x, *concat_depth(parts), padding=1), expected) < BOUND


@swept
def test_average_pooling_is_a_convolution(groups, stride, kernel):
    """Transform V, padded zeros counted; Paddle's default does not count them."""
    x = random(2, CHANNELS, *SIZE)
    padding = [kernel[0] // 2, kernel[1] // 2]
    weight = average_kernel(CHANNELS, kernel, groups, "float64")
    found = F.conv2d(x, weight, stride=stride, padding=padding, groups=groups)
    expected = F.avg_pool2d(x, list(kernel), stride, padding, exclusive=False)
    assert gap(found, expected) < BOUND
    if kernel != (1, 1):
        assert gap(found, F.avg_pool2d(x, list(kernel), stride, padding)) > 0.1


@swept
def test_a_small_kernel_in_a_large_one(groups, stride, kernel):
    """Transform VI: 7x7 with padding 4 instead of the kernel with what is left of it."""
    x, weight = random(2, CHANNELS, *SIZE), random(CHANNELS, CHANNELS // groups, *kernel)
    options = {"stride": stride, "groups": groups}
    own = [4 - (7 - kernel[0]) // 2, 4 - (7 - kernel[1]) // 2]
    found = F.conv2d(x, pad_kernel(weight, (7, 7)), padding=4, **options)
    assert gap(found, F.conv2d(x, weight, padding=own, **options)) < BOUND


def test_rows_and_columns_are_not_mixed_up():
    padded = pad_kernel(paddle.ones([1, 1, 3, 1]), (3, 5)).numpy()[0, 0]
    np.testing.assert_array_equal(padded, [[0, 0, 1, 0, 0]] * 3)


@pytest.mark.parametrize("groups", [1, 2, CHANNELS])
def test_the_identity_gives_back_its_input(groups):
    """Exactly: every output is one product with 1 and sums of zeros."""
    x = random(2, CHANNELS, *SIZE)
    kernel = identity_kernel(CHANNELS, (3, 5), groups, "float64")
    found = F.conv2d(x, kernel, padding=(1, 2), groups=groups)
    np.testing.assert_array_equal(found.numpy(), x.numpy())


@given(
    out=st.integers(1, 3),
    per_group=st.integers(1, 3),
    groups=st.integers(1, 3),
    kernel=st.tuples(st.sampled_from([1, 3, 5]), st.sampled_from([1, 3, 5])),
    seed=st.integers(0, 99),
)
def test_the_transforms_are_linear_in_the_kernel(out, per_group, groups, kernel, seed):
    """Fusing a sum is summing what is fused, for all shapes."""
    channels, outs = per_group * groups, out * groups
    norm = terms(outs, seed)
    norm[1] = norm[2] = paddle.zeros([outs], "float64")  # without shift and mean
    parts = [(random(outs, per_group, *kernel, seed=seed + s), None) for s in (0, 1)]
    fused = [fuse_batch_norm(*part, *norm, 1e-3) for part in parts]
    both, _ = fuse_batch_norm(parts[0][0] + parts[1][0], None, *norm, 1e-3)
    assert gap(both, add_branches(fused)[0]) < BOUND
    one = identity_kernel(channels, (1, 1), groups, "float64"), paddle.zeros([channels], "float64")
    merged, bias = merge_pointwise(one, fused[0], groups)
    assert gap(merged, fused[0][0]) < BOUND  # the identity before a kernel changes nothing
    assert gap(bias, fused[0][1]) < BOUND


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: add_branches([]), "there is no branch"),
        (
            lambda: add_branches([(random(1, 1, s, 3), random(1)) for s in (1, 3)]),
            r"shapes \[\(1, 1, 1, 3\), \(1, 1, 3, 3\)\]",
        ),
        (lambda: pad_kernel(random(1, 1, 2, 2), (3, 3)), r"kernel of \[2, 2\]"),
        (lambda: pad_kernel(random(1, 1, 3, 5), (5, 3)), r"centre of \[5, 3\]"),
        (
            lambda: merge_pointwise(
                (random(2, 2, 3, 3), random(2)), (random(2, 2, 3, 3), random(2)), 1
            ),
            r"must be 1x1, got \[3, 3\]",
        ),
        (
            lambda: merge_pointwise(
                (random(2, 2, 1, 1), random(2)), (random(2, 2, 3, 3), random(2)), 2
            ),
            "with 2 groups",
        ),
    ],
)
def test_what_cannot_be_transformed(call, message):
    with pytest.raises(ReparameterisationError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
