"""The divergence from a softened teacher: NumPy, its gradient, and both ends of temperatures."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.training.terms.distillation import soft_divergence, softened


def logits(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def softmax(values):
    powers = np.exp(values.astype(float) - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 20.0])
def test_value_and_gradient_in_closed_form(temperature):
    """1e-5: float32; the gradient is a difference of numbers up to 1, so 1e-6 times T / B of it."""
    batch, classes = 5, 7
    student, teacher = logits(batch, classes), logits(batch, classes, seed=1)
    chances = softened(teacher, temperature)
    np.testing.assert_allclose(chances, softmax(teacher / temperature), rtol=1e-6)
    tensor = paddle.to_tensor(student, stop_gradient=False)
    loss = soft_divergence(tensor, paddle.to_tensor(chances), temperature)
    loss.backward()
    own = softmax(student / temperature)
    expected = temperature**2 * (chances * np.log(chances / own)).sum(axis=1).mean()
    # a difference of logarithms of the size of 1
    assert float(loss) == pytest.approx(expected, rel=1e-5, abs=1e-6 * temperature**2)
    gradient = temperature * (own - chances) / batch
    np.testing.assert_allclose(tensor.grad.numpy(), gradient, rtol=1e-5, atol=1e-6 * temperature)


def test_it_is_0_where_both_say_the_same():
    """Also of a teacher that is sure. 1e-5: float32, times T squared."""
    sure = np.array([[0.0, 400.0, 0.0], [1.0, 2.0, 3.0]], "float32")
    tensor = paddle.to_tensor(sure, stop_gradient=False)
    loss = soft_divergence(tensor, paddle.to_tensor(softened(sure, 2.0)), 2.0)
    loss.backward()
    assert float(loss) == pytest.approx(0.0, abs=1e-5)
    np.testing.assert_allclose(tensor.grad.numpy(), 0.0, atol=1e-6)


def test_it_matches_logits_at_high_temperatures():
    """Equation 4 of the paper; the next term of the series is smaller by the order of z / T."""
    student, teacher = logits(4, 6), logits(4, 6, seed=1)
    student -= student.mean(axis=1, keepdims=True)
    teacher -= teacher.mean(axis=1, keepdims=True)
    tensor = paddle.to_tensor(student, stop_gradient=False)
    soft_divergence(tensor, paddle.to_tensor(softened(teacher, 100.0)), 100.0).backward()
    expected = (student - teacher) / (6 * 4)
    atol = 0.05 * np.abs(expected).max()
    np.testing.assert_allclose(tensor.grad.numpy(), expected, atol=atol, rtol=0)


def test_softened_at_both_ends():
    teacher = np.array([[1.0, 3.0, 2.0], [-500.0, 0.0, 500.0]], "float32")
    np.testing.assert_allclose(softened(teacher, 1e6), np.full((2, 3), 1 / 3), atol=1e-3)
    np.testing.assert_array_equal(softened(teacher, 0.001), [[0, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(softened(teacher[:1], 1.0), softmax(teacher[:1]), rtol=1e-6)
