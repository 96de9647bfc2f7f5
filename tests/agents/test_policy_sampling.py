"""Sampling in NumPy: the same probabilities as the scored ones, frequencies, batches."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from autodl.agents.policy_sampling import sigmoid


def uniforms(algorithm, batch, seed=0):
    decisions = algorithm.model.decisions
    count = decisions.tokens + decisions.bits
    return np.random.default_rng(seed).random((batch, count))


@pytest.mark.parametrize("nodes", [1, 2, 5, 10, 14])
@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("batch", [1, 10])
def test_sampled_and_scored_log_probabilities_agree(make_algorithm, nodes, blocks, batch):
    """1e-4 of up to 202 summed logarithms: float32 leaves about 1e-7 in each."""
    algorithm = make_algorithm(blocks, nodes, 10, hidden=16)
    sampled = algorithm.sample(uniforms(algorithm, batch))
    scored, _ = algorithm.score(sampled.tokens, sampled.rows)
    assert sampled.tokens.shape == (batch, blocks * nodes)
    np.testing.assert_allclose(scored.numpy(), sampled.log_probability, atol=1e-4)
    assert (sampled.log_probability < 0).all()


def every_architecture(decisions):
    tokens = list(itertools.product(range(decisions.choices), repeat=decisions.tokens))
    bits = list(itertools.product(range(2), repeat=decisions.bits))
    pairs = list(itertools.product(tokens, bits))
    return np.array([t for t, _ in pairs]), np.array([b for _, b in pairs]).reshape(len(pairs), -1)


@pytest.mark.parametrize("shape", [(1, 2, 3), (2, 2, 2), (2, 1, 3), (1, 3, 2)])
def test_probabilities_of_all_architectures_sum_to_one(make_algorithm, shape):
    algorithm = make_algorithm(*shape)
    tokens, bits = every_architecture(algorithm.model.decisions)
    scored, _ = algorithm.score(tokens, algorithm.model.decisions.to_rows(bits))
    # each of at most 64 probabilities has a relative float32 error of about 1e-6
    assert np.exp(scored.numpy().astype(float)).sum() == pytest.approx(1, abs=1e-5)


def test_frequencies_are_the_probabilities(make_algorithm):
    """Chi-square over all 64 architectures with the model's probabilities, 40,000 draws.

    Bound: mean + 5 standard deviations of the statistic, with the exact multinomial variance
    (2 (c - 1) + a term that rare architectures add).
    """
    algorithm = make_algorithm(2, 2, 2)
    decisions, draws = algorithm.model.decisions, 40_000
    tokens, bits = every_architecture(decisions)
    scored, _ = algorithm.score(tokens, decisions.to_rows(bits))
    probability = np.exp(scored.numpy().astype(float))
    probability /= probability.sum()
    assert probability.max() > 4 * probability.min()  # an uneven policy, so this shows something

    sampled = algorithm.sample(uniforms(algorithm, draws, seed=4))
    found = Counter(
        map(tuple, np.hstack([sampled.tokens, decisions.to_bits(sampled.rows)]).tolist())
    )
    observed = np.array([found[tuple(key)] for key in np.hstack([tokens, bits]).tolist()])
    assert observed.sum() == draws
    chi_square = ((observed - draws * probability) ** 2 / (draws * probability)).sum()
    freedom = len(tokens) - 1
    variance = 2 * freedom + ((1 / probability).sum() - (freedom + 1) ** 2) / draws
    assert chi_square < freedom + 5 * np.sqrt(variance)


def test_a_batch_is_its_members(make_algorithm):
    """Row i depends on row i of the uniforms alone."""
    algorithm = make_algorithm(2, 10, 10, hidden=64, scale=0.3)
    noise = uniforms(algorithm, 10)
    together = algorithm.sample(noise)
    for i in range(10):
        alone = algorithm.sample(noise[i : i + 1])
        np.testing.assert_array_equal(alone.tokens[0], together.tokens[i])
        np.testing.assert_array_equal(alone.rows[0], together.rows[i])
        assert alone.log_probability[0] == pytest.approx(together.log_probability[i], abs=1e-5)


def test_rows_have_no_bits_outside_the_triangle(make_algorithm):
    algorithm = make_algorithm(2, 6, 3)
    sampled = algorithm.sample(np.zeros_like(uniforms(algorithm, 4)))  # 0 sets every bit
    mask = algorithm.model.decisions.row_mask
    assert sampled.rows[:, mask].all()
    assert not sampled.rows[:, ~mask].any()
    assert not sampled.tokens.any()  # and takes the first operation


def test_the_largest_uniforms_stay_in_range(make_algorithm):
    algorithm = make_algorithm(2, 6, 3)
    sampled = algorithm.sample(np.full_like(uniforms(algorithm, 4), np.nextafter(1.0, 0.0)))
    assert (sampled.tokens == 2).all()
    assert not sampled.rows.any()


@pytest.mark.parametrize("shape", [(1, 2, 3), (2, 2, 2), (2, 1, 3)])
def test_predict_takes_the_likeliest_decision_at_every_step(make_algorithm, shape):
    algorithm = make_algorithm(*shape)
    decisions = algorithm.model.decisions
    best = algorithm.predict()
    token_logits, bit_logits = algorithm.model(best.tokens, best.rows)
    np.testing.assert_array_equal(token_logits.numpy().argmax(-1), best.tokens)
    if decisions.rows:
        np.testing.assert_array_equal((bit_logits.numpy() > 0) & decisions.row_mask, best.rows)
    scored, _ = algorithm.score(best.tokens, best.rows)
    np.testing.assert_allclose(scored.numpy(), best.log_probability, atol=1e-4)


def test_sigmoid():
    x = np.array([-200, -5, 0, 0.5, 20, 200], np.float32)
    expected = 1 / (1 + np.exp(-x.astype(float)))
    np.testing.assert_allclose(sigmoid(x), expected, atol=1e-7)  # float32 near 1
    assert sigmoid(x).dtype == np.float32
