"""The local Rademacher complexity of margins: closed forms, bounds, and parts of a batch."""

from __future__ import annotations

import itertools

import numpy as np
import paddle
import pytest

from autodl.training.terms.rademacher import (
    DRAWS,
    margins,
    rademacher_complexity,
    sampled_complexity,
)


class Half:
    """A process's share of two, which is told the sums of the other one."""

    size = 2

    def __init__(self, rank, other):
        self.rank, self._other = rank, other

    def total(self, value):
        return value + self._other


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def signs_of(*shape, seed=0):
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=shape).astype("float32")


def complexity(values, signs):
    return float(rademacher_complexity(paddle.to_tensor(values), paddle.to_tensor(signs)))


def test_margins_by_hand():
    logits = paddle.to_tensor([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0], [1.0, 2.0, 4.0]])
    found = margins(logits, paddle.to_tensor([0, 1, 2]))
    assert found.tolist() == [[1.0, 3.0], [-1.0, 2.0], [-3.0, -2.0]]
    two = margins(paddle.to_tensor([[3.0, 5.0]]), paddle.to_tensor([1]))
    assert two.tolist() == [[-2.0]]


@pytest.mark.parametrize("draws, batch, others", [(1, 1, 1), (50, 6, 9), (7, 3, 4)])
def test_value_and_gradient_in_closed_form(draws, batch, others):
    """1e-5: float32 sums of up to 54 terms."""
    values, signs = numbers(batch, others), signs_of(draws, batch)
    tensor = paddle.to_tensor(values, stop_gradient=False)
    found = rademacher_complexity(tensor, paddle.to_tensor(signs))
    found.backward()
    sums = (signs.astype(float)[..., None] * values).sum((1, 2))
    assert float(found) == pytest.approx(np.abs(sums).mean() / (batch * others), rel=1e-5)
    one_sign = (np.sign(sums)[:, None] * signs).mean(0) / (batch * others)
    expected = np.repeat(one_sign[:, None], others, axis=1)  # of all margins of a picture
    np.testing.assert_allclose(tensor.grad.numpy(), expected, atol=1e-6)


def test_it_is_homogeneous_of_degree_one_and_even():
    values, signs = numbers(5, 9), signs_of(DRAWS, 5)
    once = complexity(values, signs)
    assert complexity(3.0 * values, signs) == pytest.approx(3 * once, rel=1e-5)  # float32
    assert complexity(-values, signs) == once
    assert complexity(0.0 * values, signs) == 0.0


def test_the_mean_square_of_all_signs_is_that_of_the_pictures_sums():
    """E (sum sigma s)^2 = sum s^2 of the pictures' sums s; 2^8 rows of signs are all."""
    values = numbers(8, 4)
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=8)), "float32")
    own = values.sum(1)
    sums = signs @ own
    assert (sums**2).mean() == pytest.approx((own**2).sum(), rel=1e-5)  # float32
    found = complexity(values, signs)
    assert 0 < found <= np.linalg.norm(own) / values.size
    equal = complexity(np.ones((8, 3), "float32"), signs)
    binomial = sum(abs(8 - 2 * k) * w for k, w in enumerate([1, 8, 28, 56, 70, 56, 28, 8, 1])) / 256
    assert equal == pytest.approx(binomial / 8, rel=1e-6)  # not 0, though the margins are equal
    assert signs.sum() == 0.0  # only the mean of the sums is


def test_margins_of_a_picture_do_not_cancel_each_other():
    """Equal margins count as one: with signs of their own nine were a third as large."""
    logits = paddle.to_tensor(np.eye(10, dtype="float32")[np.arange(40) % 10])
    paddle.seed(0)
    found = float(sampled_complexity(logits, paddle.to_tensor(np.arange(40) % 10)))
    # E |sum of 40 signs| / 40, 50 draws: its relative standard error is 0.107; five of them
    assert found == pytest.approx(np.sqrt(2 / np.pi / 40), rel=0.53)


def test_signs_are_fair_and_follow_the_seed():
    """50 x 40 coins: five standard errors of their mean are 0.11; L is within its bound."""
    logits, labels = paddle.to_tensor(numbers(40, 10)), paddle.zeros([40], "int64")

    def draw(seed):
        paddle.seed(seed)
        return float(sampled_complexity(logits, labels))

    assert draw(1) == draw(1) != draw(2)
    values = margins(logits, labels).numpy()
    own = np.linalg.norm(values.sum(1))
    expected = np.sqrt(2 / np.pi) * own / values.size  # of a normal sum
    # 50 draws of |normal|: a relative standard error of 0.107; five of them
    assert draw(3) == pytest.approx(expected, rel=0.53)
    paddle.seed(0)
    coins = paddle.randint(0, 2, [DRAWS, 40]).numpy()
    assert set(np.unique(coins)) == {0, 1}
    assert abs(2 * coins.mean() - 1) < 0.11


def test_two_processes_have_the_complexity_of_their_common_batch():
    """Values and gradients of the parts average to those of the whole; float32."""
    values, signs = numbers(8, 9), signs_of(DRAWS, 8)
    whole = paddle.to_tensor(values, stop_gradient=False)
    expected = rademacher_complexity(whole, paddle.to_tensor(signs))
    expected.backward()
    halves = [slice(0, 4), slice(4, 8)]
    sums = [paddle.to_tensor(signs[:, h] @ values[h].sum(1)) for h in halves]
    found = []
    for rank, half in enumerate(halves):
        part = paddle.to_tensor(values[half], stop_gradient=False)
        share = Half(rank, sums[1 - rank])
        loss = rademacher_complexity(part, paddle.to_tensor(signs[:, half]), share)
        loss.backward()
        found.append(float(loss))
        # the mean over processes is half of each one's gradient
        np.testing.assert_allclose(
            part.grad.numpy() / 2, whole.grad.numpy()[half], rtol=1e-5, atol=1e-8
        )
    assert np.mean(found) == pytest.approx(float(expected), rel=1e-5)


def test_each_process_takes_its_part_of_the_same_signs():
    logits, labels = numbers(8, 10), np.arange(8) % 10
    paddle.seed(5)
    whole = float(sampled_complexity(paddle.to_tensor(logits), paddle.to_tensor(labels)))
    paddle.seed(5)
    signs = 2.0 * paddle.randint(0, 2, [DRAWS, 8]).astype("float32").numpy() - 1.0
    all_margins = margins(paddle.to_tensor(logits), paddle.to_tensor(labels)).numpy()
    found = []
    for rank, half in enumerate([slice(0, 4), slice(4, 8)]):
        rest = slice(4, 8) if rank == 0 else slice(0, 4)
        other = paddle.to_tensor(signs[:, rest] @ all_margins[rest].sum(1))
        paddle.seed(5)
        found.append(
            float(
                sampled_complexity(
                    paddle.to_tensor(logits[half]),
                    paddle.to_tensor(labels[half]),
                    Half(rank, other),
                )
            )
        )
    assert np.mean(found) == pytest.approx(whole, rel=1e-5)  # float32
