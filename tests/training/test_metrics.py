"""Accuracy and loss against an independent count."""

from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.networks.scoring import scores_fast
from autodl.tasks.pictures import PictureTask
from autodl.training.goal import score
from autodl.training.metrics import cross_entropy, logits_of
from autodl.training.parallel import Share

PLAIN = Normalisation((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))


class FirstPixels(nn.Layer):
    """The logits are written into the pictures: the first row of the red channel."""

    def __init__(self, classes=4):
        super().__init__()
        self.classes = classes
        self.modes = []

    def forward(self, x):
        self.modes.append(self.training)
        return x[:, 0, 0, : self.classes] / 10.0


def drawn(count, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 50, (count, 8, 8, 3), dtype=np.uint8)
    return Pictures(images, rng.integers(0, 4, count))


@pytest.mark.parametrize("count, batch_size", [(1, 256), (23, 5), (24, 8), (24, 256)])
def test_logits_are_those_of_every_picture_in_order(count, batch_size):
    pictures = drawn(count)
    found = logits_of(FirstPixels(), pictures, PLAIN, batch_size)
    assert found.dtype == np.float32
    # one float32 rounding in the normalisation and one in the division
    np.testing.assert_allclose(found, pictures.images[:, 0, :4, 0] / 10.0, rtol=1e-6)


class Asked(FirstPixels):
    """Notes how many pictures it sees, whether they are scored fast, and with gradients."""

    def forward(self, x):
        self.modes.append((x.shape[0], scores_fast(), paddle.is_grad_enabled()))
        return super().forward(x)


def test_many_pictures_are_looked_at_by_fast_kernels():
    """Of fewer than 16 it would take longer to compile them; gradients are off in any case."""
    network = Asked()
    logits_of(network, drawn(35), PLAIN, 16)
    assert network.modes[::2] == [(16, True, False), (16, True, False), (3, False, False)]
    assert not scores_fast()


@pytest.mark.parametrize("count", [1, 23, 300])
def test_score_equals_numpy(count):
    pictures = drawn(count)
    found = score(FirstPixels(), PictureTask.alone(pictures, PLAIN), "train")
    logits = pictures.images[:, 0, :4, 0] / 10.0
    likelihood = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = -np.log(likelihood[np.arange(count), pictures.labels]).mean()
    assert found.value == (logits.argmax(1) == pictures.labels).mean()
    assert found.loss == pytest.approx(expected, rel=1e-5)  # float32 logits


def test_large_logits_do_not_overflow():
    logits = np.array([[1e4, 0.0, -1e4], [0.0, 0.0, 0.0]])
    found = cross_entropy(logits, np.array([2, 1]))
    np.testing.assert_allclose(found, [2e4, np.log(3)], rtol=1e-12)


def test_of_equal_logits_the_first_class_counts():
    pictures = Pictures(np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 0, 0, 1]))
    assert score(FirstPixels(), PictureTask.alone(pictures, PLAIN), "train").value == 0.75


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_evaluation_and_restored(training):
    network = FirstPixels()
    network.train() if training else network.eval()
    logits_of(network, drawn(5), PLAIN, 2)
    assert network.modes == [False] * 3
    assert network.training is training


def test_nothing_in_the_network_changes(make_network, pictures, normalisation):
    network = make_network()
    before = {name: value.numpy() for name, value in network.state_dict().items()}
    first = score(network, PictureTask.alone(pictures, normalisation), "train")
    assert score(network, PictureTask.alone(pictures, normalisation), "train") == first
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])
    assert all(p.grad is None for p in network.parameters())
    assert paddle.is_grad_enabled()


class Deaf(Share):
    """A process that hears nothing of the others: its total is its own."""

    def total(self, value):
        return value


@pytest.mark.parametrize("count, size", [(23, 2), (300, 3), (4, 4)])
def test_the_parts_of_a_score_add_up(count, size):
    pictures = drawn(count)
    whole = score(FirstPixels(), PictureTask.alone(pictures, PLAIN), "train")
    parts = [
        score(FirstPixels(), PictureTask.alone(pictures, PLAIN), "train", Deaf(rank, size))
        for rank in range(size)
    ]
    # float64 sums of up to 300 numbers
    np.testing.assert_allclose(sum(part.value for part in parts), whole.value, rtol=1e-13)
    np.testing.assert_allclose(sum(part.loss for part in parts), whole.loss, rtol=1e-13)


def test_pictures_too_few_to_share_are_looked_at_by_all():
    pictures = drawn(2)
    assert score(FirstPixels(), PictureTask.alone(pictures, PLAIN), "train", Share(2, 3)) == score(
        FirstPixels(), PictureTask.alone(pictures, PLAIN), "train"
    )


def test_an_array_that_is_twice_among_the_views_counts_twice_and_is_looked_at_once():
    network, pictures = FirstPixels(), drawn(5)

    def views(inputs):
        other = inputs + np.float32(30)
        return inputs, inputs, inputs, other

    found = logits_of(network, pictures, PLAIN, views=views)
    assert len(network.modes) == 2
    # float32: a sum of four, the pixels and a tenth of them
    np.testing.assert_allclose(found, pictures.images[:, 0, :4, 0] / 10.0 + 3 / 4, rtol=1e-5)
