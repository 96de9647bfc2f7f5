"""The order of a policy's decisions, against a walk that writes it down step by step."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.agents.decisions import Decisions, decisions_of
from autodl.spaces.mobile.space import MobileSpace

SHAPES = [(2, 10, 10), (1, 10, 10), (2, 1, 3), (1, 1, 1), (2, 2, 2), (2, 5, 3), (1, 20, 4)]


def draw(decisions, batch=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(decisions.sizes, size=(batch, len(decisions.sizes)))


def walk(shape, decisions, row):
    """``(kind, number, input)`` of every step of one architecture, as the original goes."""
    blocks, nodes, _ = shape
    tokens, bits = row[: blocks * nodes], row[blocks * nodes :]
    steps, x = [], np.zeros(decisions.input_size)
    token = number = bit = 0
    for _ in range(blocks):
        for node in range(nodes):
            if node:
                steps.append(("set", number, x))
                x = np.zeros(decisions.input_size)
                x[:node] = bits[bit : bit + node]
                number, bit = number + 1, bit + node
            steps.append(("choice", token, x))
            x = np.zeros(decisions.input_size)
            x[tokens[token]] = 1
            token += 1
    return steps


@pytest.mark.parametrize("shape", SHAPES)
def test_steps_and_inputs_of_cells(cells, shape):
    decisions = cells(*shape)
    rows = draw(decisions)
    inputs = decisions.inputs(rows)
    assert inputs.shape == (3, len(decisions.steps), decisions.input_size)
    assert inputs.dtype == np.float32
    for b in range(3):
        steps = walk(shape, decisions, rows[b])
        kinds = [("choice", decisions.choice_steps), ("set", decisions.set_steps)]
        for kind, where in kinds:
            assert [n for n, step in enumerate(steps) if step[0] == kind] == where.tolist()
        assert [(s.is_set, s.number) for s in decisions.in_order] == [
            (kind == "set", number) for kind, number, _ in steps
        ]
        np.testing.assert_array_equal(inputs[b], [step[2] for step in steps])


def test_the_first_input_is_zero_and_the_second_block_goes_on_from_the_last_token(cells):
    decisions = cells(2, 4, 10)
    rows = draw(decisions)
    inputs = decisions.inputs(rows)
    assert not inputs[:, 0].any()
    assert (inputs[:, 7].argmax(axis=1) == rows[:, 3]).all()
    assert (inputs[:, 7].sum(axis=1) == 1).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_sets_of_cells_are_the_edges_node_by_node(cells, shape):
    blocks, nodes, _ = shape
    decisions = cells(*shape)
    rows = draw(decisions)
    sets = decisions.sets(rows)
    assert sets.shape == (3, blocks * (nodes - 1), nodes - 1)
    np.testing.assert_array_equal(sets[:, decisions.set_mask], rows[:, blocks * nodes :])
    assert not sets[:, ~decisions.set_mask].any()
    for number in range(blocks * (nodes - 1)):
        node = number % (nodes - 1) + 1
        assert decisions.set_mask[number].tolist() == [i < node for i in range(nodes - 1)]


def test_without_steps_decisions_are_taken_one_by_one():
    decisions = Decisions((3, 1, 2))
    assert decisions.steps == (0, 1, 2)
    assert [(s.number, s.positions, s.width, s.is_set) for s in decisions.in_order] == [
        (0, slice(0, 1), 3, False),
        (1, slice(1, 2), 1, False),
        (2, slice(2, 3), 2, False),
    ]
    assert decisions.choice_mask.tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
    expected = [[[0, 0, 0], [0, 0, 1], [1, 0, 0]]]
    assert decisions.inputs(np.array([[2, 0, 1]])).tolist() == expected
    assert decisions_of(MobileSpace()) == Decisions(MobileSpace.sizes)


def test_steps_may_go_in_any_order_and_sets_may_be_torn():
    decisions = Decisions((2, 5, 2, 2), (1, (3, 0), 2))
    assert decisions.choices.tolist() == [1, 2]
    assert decisions.set_members.tolist() == [3, 0]
    assert decisions.in_order[1].positions == [3, 0]
    rows = np.array([[1, 4, 1, 0]])
    assert decisions.sets(rows).tolist() == [[[0, 1]]]
    assert decisions.inputs(rows)[0, 1:].tolist() == [[0, 0, 0, 0, 1], [0, 1, 0, 0, 0]]


def test_input_width_is_derived(cells):
    assert cells(2, 10, 10).input_size == 10
    assert cells(2, 4, 10).input_size == 10
    assert cells(2, 20, 10).input_size == 19
    assert cells(2, 1, 1).input_size == 1
