"""The policy with a task's vector: what it reads, and whose vector learns."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.agents.decisions import decisions_of
from autodl.agents.design_policy import DesignPolicy
from autodl.agents.reinforce_policy_gradient import ReinforcePolicyGradient
from autodl.agents.task_policy import TaskPolicy
from autodl.spaces.cell.space import CellSpace

DECISIONS = decisions_of(CellSpace(nodes=3))
WIDTH = 4


def conditioned(tasks, task=0):
    paddle.seed(3)
    policy = TaskPolicy(DECISIONS, tasks=tasks, task_width=WIDTH, hidden=6)
    policy.task = task
    return ReinforcePolicyGradient(policy)


def batch(count=5):
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(DECISIONS.sizes) for _ in range(count)]), rng.normal(size=count)


@pytest.mark.parametrize("task", [0, 2])
def test_sampling_and_scoring_agree_for_every_task(task):
    """Log-probabilities of NumPy's walk and of teacher forcing; float32 sums."""
    algorithm = conditioned(3, task)
    vectors = algorithm.model.task_embedding
    vectors.set_value(np.random.default_rng(1).normal(size=vectors.shape).astype("float32") * 3)
    drawn = algorithm.sample(np.random.default_rng(2).random((7, len(DECISIONS.sizes))))
    scored = algorithm.score(drawn.rows)[0].numpy()
    np.testing.assert_allclose(drawn.log_probability, scored, rtol=1e-4)
    algorithm.model.task = 1
    assert np.abs(algorithm.score(drawn.rows)[0].numpy() - scored).max() > 1e-3


def test_only_the_vector_of_the_batch_has_a_gradient():
    algorithm = conditioned(3, task=1)
    algorithm.loss(*batch())[0].backward()
    gradient = algorithm.model.task_embedding.grad.numpy()
    assert not gradient[[0, 2]].any()
    assert gradient[1].any()


def test_with_one_constant_vector_it_is_the_unconditioned_policy():
    """Vector 0 and equal weights: equal gradients, up to sums that run over 4 zeros more."""
    algorithm = conditioned(1)
    algorithm.model.task_embedding.set_value(np.zeros([1, WIDTH], "float32"))
    plain = ReinforcePolicyGradient(DesignPolicy(DECISIONS, hidden=6))
    named = dict(algorithm.model.named_parameters())
    for name, value in plain.model.named_parameters():
        known = named[name].numpy()
        value.set_value(known[:, : value.shape[1]] if name == "lstm.weight_ih_l0" else known)
    for each in (algorithm, plain):
        each.loss(*batch())[0].backward()
    for name, value in plain.model.named_parameters():
        gradient = named[name].grad.numpy()
        if name == "lstm.weight_ih_l0":
            gradient = gradient[:, : value.shape[1]]
        np.testing.assert_allclose(gradient, value.grad.numpy(), rtol=1e-5, atol=1e-8, err_msg=name)
