"""The policy network: initial values, squash, one head per decision, the LSTM by NumPy."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.agents.decisions import Decisions
from autodl.agents.design_policy import DesignPolicy


def stored(decisions, batch=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(decisions.sizes, size=(batch, len(decisions.sizes)))


def logits(model, rows):
    with paddle.no_grad():
        found = model(rows)
    return tuple(None if part is None else part.numpy() for part in found)


def test_initial_values(cells):
    """U(-0.1, 0.1) has the deviation 0.1 / sqrt(3); over 60,000 weights its standard error is
    0.26 % (a uniform's fourth moment), five of which are allowed."""
    paddle.seed(0)
    model = DesignPolicy(cells(2, 10, 10))
    weights, biases = [], []
    for name, parameter in model.named_parameters():
        (biases if "bias" in name else weights).append(parameter.numpy().ravel())
    assert not np.concatenate(biases).any()
    assert len(biases) == 2 * 2 + 2
    for weight in weights:
        assert np.abs(weight).max() <= 0.1
        assert np.abs(weight).max() > 0.098
    every = np.concatenate(weights)
    assert len(every) > 60_000
    assert every.std() == pytest.approx(0.1 / np.sqrt(3), rel=0.013)
    assert abs(every.mean()) < 5 * 0.1 / np.sqrt(3 * len(every))


def test_heads_can_start_as_published(cells):
    """A normal cut at two deviations keeps 0.8796 of its deviation; 2 % is five standard errors."""
    paddle.seed(0)
    model = DesignPolicy(cells(2, 10, 10), head_deviation=0.16)
    named = dict(model.named_parameters())
    heads = np.concatenate([named[f"{kind}_weight"].numpy().ravel() for kind in ("token", "row")])
    assert np.abs(heads).max() <= 0.32
    assert heads.std() == pytest.approx(0.8796 * 0.16, rel=0.02)
    assert np.abs(named["lstm.weight_ih_l0"].numpy()).max() <= 0.1


@pytest.mark.parametrize("nodes", [1, 4])
def test_forward_equals_a_step_by_step_lstm(make_algorithm, nodes):
    """Gates in the order input, forget, cell, output; no extra forget bias. 1e-5: float32."""
    model = make_algorithm(2, nodes, 3, scale=0.5).model
    decisions = model.decisions
    rows = stored(decisions)
    found_tokens, found_bits = logits(model, rows)

    p = {name: value.numpy().astype(float) for name, value in model.named_parameters()}

    def gate(z):
        return 1 / (1 + np.exp(-z))

    hidden = [np.zeros((2, 8)) for _ in range(2)]
    cells = [np.zeros((2, 8)) for _ in range(2)]
    token_number = row_number = 0
    for step, x in enumerate(decisions.inputs(rows).transpose(1, 0, 2)):
        for layer in range(2):
            z = (
                x @ p[f"lstm.weight_ih_l{layer}"].T
                + p[f"lstm.bias_ih_l{layer}"]
                + hidden[layer] @ p[f"lstm.weight_hh_l{layer}"].T
                + p[f"lstm.bias_hh_l{layer}"]
            )
            i, f, c, o = np.split(z, 4, axis=1)
            cells[layer] = gate(f) * cells[layer] + gate(i) * np.tanh(c)
            x = hidden[layer] = gate(o) * np.tanh(cells[layer])
        if step in decisions.choice_steps:
            raw = x @ p["token_weight"][token_number] + p["token_bias"][token_number]
            found = found_tokens[:, token_number]
            token_number += 1
        else:
            raw = x @ p["row_weight"][row_number] + p["row_bias"][row_number]
            found = found_bits[:, row_number]
            row_number += 1
        np.testing.assert_allclose(found, 2.5 * np.tanh(raw / 5), atol=1e-5)
    assert (token_number, row_number) == (2 * nodes, 2 * (nodes - 1))


def test_a_cell_of_one_node_has_no_edge_head(make_algorithm):
    model = make_algorithm(2, 1, 3).model
    assert not [name for name, _ in model.named_parameters() if name.startswith("row")]
    token_logits, bit_logits = logits(model, stored(model.decisions))
    assert token_logits.shape == (2, 2, 3)
    assert bit_logits is None


@pytest.mark.parametrize("kind, count", [("token", 6), ("row", 4)])
def test_every_decision_has_a_head_of_its_own(make_algorithm, kind, count):
    model = make_algorithm(2, 3, 4).model
    rows = stored(model.decisions)
    before = logits(model, rows)
    for part in ("weight", "bias"):
        parameter = getattr(model, f"{kind}_{part}")
        assert parameter.shape[0] == count
        for number in range(count):
            value = parameter.numpy()
            moved = value.copy()
            moved[number] += 0.5
            parameter.set_value(moved)
            after = logits(model, rows)
            parameter.set_value(value)
            own, other = (0, 1) if kind == "token" else (1, 0)
            np.testing.assert_array_equal(after[other], before[other])
            changed = (after[own] != before[own]).any(axis=(0, 2))
            assert changed.tolist() == [n == number for n in range(count)]


def test_each_decision_depends_on_the_ones_before_it_only(make_algorithm):
    """Also over the border of the two cells: the state is kept."""
    model = make_algorithm(2, 3, 4).model
    decisions = model.decisions
    row = stored(decisions, batch=1)
    before_tokens, before_bits = logits(model, row)
    for number in range(6):
        other = row.copy()
        other[0, number] = (other[0, number] + 1) % 4
        after_tokens, after_bits = logits(model, other)
        step = decisions.choice_steps[number]
        changed = (after_tokens != before_tokens).any(axis=(0, 2))
        assert changed.tolist() == (decisions.choice_steps > step).tolist()
        moved = ((after_bits != before_bits) & decisions.set_mask).any(axis=(0, 2))
        assert moved.tolist() == (decisions.set_steps > step).tolist()


def test_the_squash_caps_how_sure_the_policy_gets(cells):
    """exp(2.5) / (exp(2.5) + 9 exp(-2.5)) = 0.943: 20 tokens reach 18.86 on average."""
    paddle.seed(0)
    model = DesignPolicy(cells(2, 10, 10))
    bias = np.full(model.token_bias.shape, -1e4, "float32")
    bias[:, :, 1] = 1e4
    model.token_bias.set_value(bias)
    model.row_bias.set_value(np.full(model.row_bias.shape, -1e4, "float32"))
    token_logits, bit_logits = logits(model, stored(model.decisions))
    probability = np.exp(token_logits) / np.exp(token_logits).sum(-1, keepdims=True)
    cap = np.exp(2.5) / (np.exp(2.5) + 9 * np.exp(-2.5))
    assert cap == pytest.approx(0.943, abs=5e-4)
    np.testing.assert_allclose(probability[..., 1], cap, rtol=1e-5)  # float32
    np.testing.assert_allclose(bit_logits, -2.5, rtol=1e-5)


def test_temperature_and_squash_are_options(cells):
    paddle.seed(0)
    model = DesignPolicy(cells(1, 2, 3), temperature=2.0, squash=1.5)
    model.token_bias.set_value(np.full(model.token_bias.shape, 0.7, "float32"))
    model.token_weight.set_value(np.zeros(model.token_weight.shape, "float32"))
    token_logits, _ = logits(model, stored(model.decisions))
    np.testing.assert_allclose(token_logits, 1.5 * np.tanh(0.7 / 2.0), rtol=1e-5)  # float32
    walked = model.walk(2).logits()
    np.testing.assert_allclose(walked, 1.5 * np.tanh(0.7 / 2.0), rtol=1e-5)


def test_values_that_a_choice_does_not_have_are_never_taken(make_algorithm):
    model = make_algorithm((3, 1, 2)).model
    found, nothing = logits(model, stored(model.decisions))
    assert nothing is None
    closed = ~model.decisions.choice_mask
    assert (found[:, closed] < -1e8).all()
    assert (np.abs(found[:, ~closed]) <= 2.5).all()


def test_a_policy_of_sets_alone(make_algorithm):
    model = make_algorithm((2, 2, 2), ((0, 1), (2,))).model
    nothing, found = logits(model, stored(model.decisions))
    assert nothing is None
    assert found.shape == (2, 2, 2)
    assert not [name for name, _ in model.named_parameters() if name.startswith("token")]


def test_decisions_and_their_steps_are_values():
    assert Decisions((2, 3)) == Decisions((2, 3), (0, 1))
