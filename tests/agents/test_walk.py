"""Decisions taken in NumPy: the same probabilities as the scored ones, frequencies, batches."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from autodl.agents.walk import log_softmax, sigmoid


def uniforms(algorithm, batch, seed=0):
    count = len(algorithm.model.decisions.sizes)
    return np.random.default_rng(seed).random((batch, count))


@pytest.mark.parametrize("nodes", [1, 2, 5, 10, 14])
@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("batch", [1, 10])
def test_sampled_and_scored_log_probabilities_agree(make_algorithm, nodes, blocks, batch):
    """1e-4 of up to 202 summed logarithms: float32 leaves about 1e-7 in each."""
    algorithm = make_algorithm(blocks, nodes, 10, hidden=16)
    sampled = algorithm.sample(uniforms(algorithm, batch))
    scored, _ = algorithm.score(sampled.rows)
    assert sampled.rows.shape == (batch, blocks * nodes * (nodes + 1) // 2)
    np.testing.assert_allclose(scored.numpy(), sampled.log_probability, atol=1e-4)
    assert (sampled.log_probability < 0).all()


def every_row(decisions):
    return np.array(list(itertools.product(*map(range, decisions.sizes))), np.int64)


# cells of blocks, nodes and operations; sizes, with or without steps of their own
OF_ALL_KINDS = [
    *[(1, 2, 3), (2, 2, 2), (2, 1, 3), (1, 3, 2)],
    ((3, 1, 4, 2),),
    ((2, 3, 2, 2), (1, (3, 0), 2)),
    ((2, 2, 2), ((0, 1), (2,))),
]


@pytest.mark.parametrize("shape", OF_ALL_KINDS)
def test_probabilities_of_all_architectures_sum_to_one(make_algorithm, shape):
    algorithm = make_algorithm(*shape)
    scored, _ = algorithm.score(every_row(algorithm.model.decisions))
    # each of at most 64 probabilities has a relative float32 error of about 1e-6
    assert np.exp(scored.numpy().astype(float)).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("shape", OF_ALL_KINDS)
def test_walking_and_scoring_agree_on_every_row(make_algorithm, shape):
    """Draws of all rows together; 1e-5: a few float32 logits."""
    algorithm = make_algorithm(*shape)
    drawn = algorithm.sample(uniforms(algorithm, 300))
    scored, _ = algorithm.score(drawn.rows)
    np.testing.assert_allclose(scored.numpy(), drawn.log_probability, atol=1e-5)
    # the mean of the entropies along the paths is the entropy of the whole
    rows = every_row(algorithm.model.decisions)
    logs, entropies = (part.numpy().astype(float) for part in algorithm.score(rows))
    assert (np.exp(logs) * entropies).sum() == pytest.approx(-(np.exp(logs) * logs).sum(), abs=1e-4)


def test_frequencies_are_the_probabilities(make_algorithm):
    """Chi-square over all 64 architectures with the model's probabilities, 40,000 draws.

    Bound: mean + 5 standard deviations of the statistic, with the exact multinomial variance
    (2 (c - 1) + a term that rare architectures add).
    """
    algorithm = make_algorithm(2, 2, 2)
    decisions, draws = algorithm.model.decisions, 40_000
    rows = every_row(decisions)
    scored, _ = algorithm.score(rows)
    probability = np.exp(scored.numpy().astype(float))
    probability /= probability.sum()
    assert probability.max() > 4 * probability.min()  # an uneven policy, so this shows something

    sampled = algorithm.sample(uniforms(algorithm, draws, seed=4))
    found = Counter(map(tuple, sampled.rows.tolist()))
    observed = np.array([found[tuple(key)] for key in rows.tolist()])
    assert observed.sum() == draws
    chi_square = ((observed - draws * probability) ** 2 / (draws * probability)).sum()
    freedom = len(rows) - 1
    variance = 2 * freedom + ((1 / probability).sum() - (freedom + 1) ** 2) / draws
    assert chi_square < freedom + 5 * np.sqrt(variance)


def test_a_batch_is_its_members(make_algorithm):
    """Row i depends on row i of the uniforms alone."""
    algorithm = make_algorithm(2, 10, 10, hidden=64, scale=0.3)
    noise = uniforms(algorithm, 10)
    together = algorithm.sample(noise)
    for i in range(10):
        alone = algorithm.sample(noise[i : i + 1])
        np.testing.assert_array_equal(alone.rows[0], together.rows[i])
        assert alone.log_probability[0] == pytest.approx(together.log_probability[i], abs=1e-5)


def test_the_smallest_uniforms_take_the_first_operation_and_set_every_bit(make_algorithm):
    algorithm = make_algorithm(2, 6, 3)
    sampled = algorithm.sample(np.zeros_like(uniforms(algorithm, 4)))
    assert not sampled.rows[:, :12].any()
    assert sampled.rows[:, 12:].all()


def test_the_largest_uniforms_stay_in_range(make_algorithm):
    algorithm = make_algorithm(2, 6, 3)
    sampled = algorithm.sample(np.full_like(uniforms(algorithm, 4), np.nextafter(1.0, 0.0)))
    assert (sampled.rows[:, :12] == 2).all()
    assert not sampled.rows[:, 12:].any()


@pytest.mark.parametrize("shape", [(1, 2, 3), (2, 2, 2), (2, 1, 3)])
def test_predict_takes_the_likeliest_decision_at_every_step(make_algorithm, shape):
    algorithm = make_algorithm(*shape)
    decisions = algorithm.model.decisions
    best = algorithm.predict()
    choice_logits, set_logits = algorithm.model(best.rows)
    chosen = best.rows[:, decisions.choices]
    np.testing.assert_array_equal(choice_logits.numpy().argmax(-1), chosen)
    if set_logits is not None:
        likely = (set_logits.numpy() > 0) & decisions.set_mask
        np.testing.assert_array_equal(likely, decisions.sets(best.rows))
    scored, _ = algorithm.score(best.rows)
    np.testing.assert_allclose(scored.numpy(), best.log_probability, atol=1e-4)


def test_sigmoid():
    x = np.array([-200, -5, 0, 0.5, 20, 200], np.float32)
    expected = 1 / (1 + np.exp(-x.astype(float)))
    np.testing.assert_allclose(sigmoid(x), expected, atol=1e-7)  # float32 near 1
    assert sigmoid(x).dtype == np.float32


def test_log_softmax():
    logits = np.array([[1.0, 2.0, 3.0], [800.0, 0.0, 800.0]])
    expected = np.log(np.exp(logits[0]) / np.exp(logits[0]).sum())
    np.testing.assert_allclose(log_softmax(logits)[0], expected, rtol=1e-12)
    np.testing.assert_allclose(log_softmax(logits)[1], [-np.log(2), -800 - np.log(2), -np.log(2)])
