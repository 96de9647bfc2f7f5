"""The order of the LSTM's decisions, against a walk that writes it down step by step."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.agents.decisions import Decisions

SHAPES = [(2, 10, 10), (1, 10, 10), (2, 1, 3), (1, 1, 1), (2, 2, 2), (2, 5, 3), (1, 20, 4)]


def draw(decisions, batch=3, seed=0):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(decisions.choices, size=(batch, decisions.tokens))
    return tokens, rng.integers(2, size=(batch, decisions.bits))


def walk(decisions, tokens, bits):
    """``(kind, number, input)`` of every step of one architecture, as the original goes."""
    steps, x = [], np.zeros(decisions.input_size)
    token = row = bit = 0
    for _ in range(decisions.blocks):
        for node in range(decisions.nodes):
            if node:
                steps.append(("row", row, x))
                x = np.zeros(decisions.input_size)
                x[:node] = bits[bit : bit + node]
                row, bit = row + 1, bit + node
            steps.append(("token", token, x))
            x = np.zeros(decisions.input_size)
            x[tokens[token]] = 1
            token += 1
    return steps


@pytest.mark.parametrize("shape", SHAPES)
def test_steps_and_inputs(shape):
    decisions = Decisions(*shape)
    tokens, bits = draw(decisions)
    inputs = decisions.inputs(tokens, decisions.to_rows(bits))
    assert inputs.shape == (3, decisions.steps, decisions.input_size)
    assert inputs.dtype == np.float32
    for b in range(3):
        steps = walk(decisions, tokens[b], bits[b])
        assert len(steps) == decisions.steps
        for kind, where in [("token", decisions.token_steps), ("row", decisions.row_steps)]:
            assert [n for n, step in enumerate(steps) if step[0] == kind] == where.tolist()
        np.testing.assert_array_equal(inputs[b], [step[2] for step in steps])


def test_the_first_input_is_zero_and_the_second_block_goes_on_from_the_last_token():
    decisions = Decisions(2, 4, 10)
    tokens, bits = draw(decisions)
    inputs = decisions.inputs(tokens, decisions.to_rows(bits))
    assert not inputs[:, 0].any()
    np.testing.assert_array_equal(inputs[:, 7], np.eye(10)[tokens[:, 3]])


@pytest.mark.parametrize("shape", SHAPES)
def test_bits_and_rows_are_inverses(shape):
    decisions = Decisions(*shape)
    _, bits = draw(decisions)
    rows = decisions.to_rows(bits)
    assert rows.shape == (3, decisions.rows, decisions.nodes - 1)
    np.testing.assert_array_equal(decisions.to_bits(rows), bits)
    assert not rows[:, ~decisions.row_mask].any()
    assert decisions.row_mask.sum() == decisions.bits
    for row in range(decisions.rows):
        node = row % (decisions.nodes - 1) + 1
        assert decisions.row_mask[row].tolist() == [i < node for i in range(decisions.nodes - 1)]


def test_input_width_is_derived():
    assert Decisions(2, 10, 10).input_size == 10
    assert Decisions(2, 4, 10).input_size == 10
    assert Decisions(2, 20, 10).input_size == 19
    assert Decisions(2, 1, 1).input_size == 1
