"""The angle: closed forms, and the table against vectors that are put together in full."""

from __future__ import annotations

from math import pi

import numpy as np
import paddle
import pytest

from autodl.plans.layers import AvgPool, Conv, Linear
from autodl.spaces.rows import random_row
from autodl.spaces.space import Branched
from autodl.supernets.single_path.angle import AngleTable, angle_of, sums_of

RNG = np.random.default_rng(0)
FIRST, LAST = RNG.normal(size=(2, 500)).astype(np.float32)


def angle(first, last):
    return angle_of(sums_of(first, last))


def test_equal_vectors_symmetry_and_the_opposite():
    """Float32 gives 3.5e-4 for equal vectors; 0 here, to the rounding of an arc cosine at 1."""
    assert angle(FIRST, FIRST) <= 2e-8
    assert 0 < angle(FIRST, LAST) < pi
    assert angle(FIRST, LAST) == angle(LAST, FIRST)
    assert angle(FIRST, -LAST) == pytest.approx(pi - angle(FIRST, LAST), abs=1e-14)
    assert angle_of(np.array([[2.0, 4.0, 4.0], [0.0, 1.0, 9.0]])) == pytest.approx([pi / 3, pi / 2])


def test_scale_of_a_whole_vector_is_nothing_that_of_a_layer_is():
    wide = FIRST.astype(np.float64)
    assert angle(7.5 * wide, LAST) == pytest.approx(angle(FIRST, LAST), abs=1e-12)
    rescaled = np.concatenate([3 * LAST[:100], LAST[100:]])
    assert abs(angle(FIRST, rescaled) - angle(FIRST, LAST)) > 1e-3


def test_an_equal_constant_lowers_the_angle_and_an_empty_vector_does_not():
    last = LAST * (np.linalg.norm(FIRST) / np.linalg.norm(LAST))
    pool = np.full(4 * 9, 1 / 9)
    with_pool = sums_of(FIRST, last) + sums_of(pool, pool)
    assert 0 < angle_of(with_pool) < angle(FIRST, last)
    assert angle_of(sums_of(FIRST, last) + sums_of(pool[:0], pool[:0])) == angle(FIRST, last)
    skip = np.eye(8)  # what RLNAS counts for a skip connection in other spaces
    assert 0 < angle_of(sums_of(FIRST, last) + sums_of(skip, skip)) < angle(FIRST, last)


def states(supernet):
    first = {name: value.numpy() for name, value in supernet.state_dict().items()}
    rng = np.random.default_rng(5)
    noise = {name: rng.normal(size=array.shape) for name, array in first.items()}
    return first, {name: (array + 0.2 * noise[name]) for name, array in first.items()}


WAYS = {"cells": [(3,), (1, 5), (0, 4), (0, 2, 5)], "chains": [tuple(range(8))]}


def explicit(supernet, row, state, shared):
    """The vector in full: every cell's ways by hand, as edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3."""
    space, blocks = supernet.space, supernet.blocks
    records = supernet.make_plan(space.decode(row)).records[1:]
    parts = [[] for _ in range(len(space.sizes) + 1)]
    for record in records:
        owner = blocks.owner(record.name)
        if isinstance(record.layer, Conv | Linear):
            array = state[f"{blocks.key(record.name, row)}.weight"]
            parts[-1 if owner is None else owner].append(array.ravel())
        elif isinstance(record.layer, AvgPool) and owner is not None:
            parts[owner].append(np.full(record.shape[0] * 9, 1 / 9))
    cells = isinstance(space, Branched)
    ways = [
        way
        for way in WAYS["cells" if cells else "chains"]
        if not cells or all(space.operations[row[edge]] != "none" for edge in way)
    ]
    arrays = [array for way in ways for edge in way for array in parts[edge]]
    common = parts[-1] if shared else []
    return np.concatenate([np.zeros(0), *common, *arrays]).astype(np.float64), len(ways)


@pytest.mark.parametrize("shared", [True, False])
def test_the_table_is_the_vectors_in_full(supernet, shared):
    first, last = states(supernet)
    table = AngleTable.of(supernet.space, supernet.blocks, first, last)
    table = table if shared else table.own()
    rng = np.random.default_rng(2)
    rows = np.array([random_row(supernet.space.sizes, rng) for _ in range(40)])
    found = table.angles(rows)
    for row, one in zip(rows, found, strict=True):
        (u, ways), (v, _) = (explicit(supernet, row, state, shared) for state in (first, last))
        lengths = np.linalg.norm(u) * np.linalg.norm(v)
        wanted = np.arccos(u @ v / lengths) if ways and lengths else 0.0
        assert one == pytest.approx(wanted, abs=1e-10)
    assert np.unique(found).size > 20


def test_what_alone_has_moved_ranks_first(supernet):
    first, _ = states(supernet)
    row = np.full(len(supernet.space.sizes), 2)
    place = next(k for k in first if ".choice2." in k and k.endswith("conv.weight"))
    last = {**first, place: first[place] + 1.0}
    table = AngleTable.of(supernet.space, supernet.blocks, first, last)
    others = np.tile(row, (3, 1))
    decision = int(np.flatnonzero([(s[:, 1] != s[:, 2]).any() for s in table.chosen])[0])
    others[:, decision] = [0, 1, 2]
    angles = table.angles(others)
    assert angles[2] > 1e-3
    assert (angles[:2] <= 2e-8).all()


def test_weights_before_a_batch_norm_turn_and_grow(supernet, task):
    """Their scale changes no loss: gradients are orthogonal to them, and without decay SGD adds.

    Tolerances are those of float32 and of the batch-norm's epsilon, 1e-5 beside variances of 0.1.
    """
    batch = next(task.batches("train", 16))
    inputs, labels = paddle.to_tensor(batch.inputs), paddle.to_tensor(batch.targets)
    row = np.full(len(supernet.space.sizes), supernet.space.sizes[0] - 2)
    names = {f"{name.removesuffix('norm')}conv.weight" for name, _ in norms(supernet)}
    weights = {n: w for n, w in supernet.named_parameters() if n in names}
    descent = paddle.optimizer.SGD(0.05, parameters=list(weights.values()))
    moved = 0
    for _ in range(3):
        paddle.nn.functional.cross_entropy(supernet(inputs, row), labels).backward()
        before = {name: w.numpy().astype(np.float64).ravel() for name, w in weights.items()}
        slopes = {n: w.grad.numpy().ravel() for n, w in weights.items() if w.grad is not None}
        descent.step()
        supernet.clear_gradients()
        for name, slope in slopes.items():
            old, new = before[name], weights[name].numpy().astype(np.float64).ravel()
            cosine = old @ slope / (np.linalg.norm(old) * np.linalg.norm(slope) + 1e-30)
            assert abs(cosine) < 1e-2, name
            assert np.linalg.norm(new) >= np.linalg.norm(old) * (1 - 1e-5), name
            moved += np.linalg.norm(new) > np.linalg.norm(old) * (1 + 1e-6)
    assert moved > 10


def norms(supernet):
    """The batch-norms, by name, that a convolution stands right before."""
    return [
        (name, layer)
        for name, layer in supernet.named_sublayers()
        if isinstance(layer, paddle.nn.BatchNorm2D) and not name.startswith("head")
    ]
