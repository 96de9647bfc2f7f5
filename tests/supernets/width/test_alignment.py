"""Gradients of candidates compared: the closed form, exact zeros, and no trace left."""

from __future__ import annotations

from math import cos, isnan, sin

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from autodl.spaces.width.space import make_width_space
from autodl.supernets.width.affine_sharing import AffineConv, Sharing
from autodl.supernets.width.alignment import cosine, gradient_alignment, meta_gradients
from autodl.supernets.width.supernet import Supernet, meta_widths


def make(overlap, noise=0.0, seed=0):
    space = make_width_space("resnet20", (2, 3, 4), image_size=8)
    network = Supernet(space, Sharing(overlap, noise), meta_widths(space, 4, None), seed)
    return space, network


def pictures(count=12):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(count, 3, 8, 8)).astype("float32")
    return images, rng.integers(10, size=count)


def test_cosine():
    one = np.array([[2.0, 0.0]])
    assert cosine(one, one * 3) == pytest.approx(1.0)
    assert cosine(one, -one) == pytest.approx(-1.0)
    assert cosine(one, np.array([[0.0, 5.0]])) == 0.0
    assert cosine(one, np.array([[cos(0.4), sin(0.4)]])) == pytest.approx(cos(0.4))
    assert isnan(cosine(one, 0 * one))


def test_meta_gradients_are_those_of_the_plain_network_projected_back():
    """P_a G Q_b^T with G of the slim network, whose batch-norms take the batch's statistics."""
    space, network = make(1.0, noise=0.2)
    images, labels = pictures()
    choices = space.uniform(np.random.default_rng(3), 1)[0]
    found = meta_gradients(network, choices, images, labels)
    slim = network.slim(choices)
    slim.train()
    F.cross_entropy(slim(paddle.to_tensor(images)), paddle.to_tensor(labels)).backward()
    names = [r.name for r in space.general[0].records]
    layers = [(n, network.layer(n)) for n in names[1:]]
    shared = [(name, layer) for name, layer in layers if isinstance(layer, AffineConv)]
    assert len(shared) == len(found) == 19
    for (name, layer), (pair, gradient) in zip(shared, found, strict=True):
        expected = slim.layer(name).weight.grad.numpy()
        expected = np.einsum("ix,xyhw->iyhw", layer.output(*pair).numpy(), expected)
        if layer.inner is not None:
            back = layer.inner(pair[1], pair[0]).numpy()
            expected = np.einsum("jy,iyhw->ijhw", back, expected)
        # float32 through 20 layers, relative to the largest entry
        np.testing.assert_allclose(gradient, expected, atol=1e-3 * np.abs(expected).max())


def test_no_trace_is_left():
    space, network = make(1.0)
    before = {name: value.numpy() for name, value in network.state_dict().items()}
    gradient_alignment(network, space.uniform(np.random.default_rng(0), 2), *pictures())
    assert all((network.state_dict()[n].numpy() == v).all() for n, v in before.items())
    assert all(p.grad is None or not p.grad.numpy().any() for p in network.parameters())
    assert {norm.mode for norm in network.norms} == {"train"}


def test_what_is_shared_aligns():
    """Independent candidates: exactly 0. The more is shared, the better gradients agree."""
    levels = []
    for overlap in (1.0, 0.5, 0.0):
        space, network = make(overlap)
        drawn = space.uniform(np.random.default_rng(1), 2)
        levels.append(gradient_alignment(network, drawn, *pictures()))
    assert levels[2] == 0.0
    assert levels[0] > levels[1] > 0.0


def test_one_decision_is_changed_at_a_time():
    """By hand: each candidate's next one, in the layers whose pair is another then."""
    space, network = make(1.0)
    images, labels = pictures(8)
    row = space.uniform(np.random.default_rng(2), 1)[0]
    base, expected = meta_gradients(network, row, images, labels), []
    for decision in range(18):  # the last is fixed
        changed = row.copy()
        changed[decision] = (row[decision] + 1) % 3
        other = meta_gradients(network, changed, images, labels)
        differ = [n for n, (a, b) in enumerate(zip(base, other, strict=True)) if a[0] != b[0]]
        assert differ == [decision, decision + 1]  # its output, and the next layer's input
        expected += [cosine(base[n][1], other[n][1]) for n in differ]
    found = gradient_alignment(network, row[None], images, labels)
    assert found == pytest.approx(np.mean(expected), rel=1e-6)  # repeatable on one thread


def test_nothing_to_compare():
    space = make_width_space("resnet20", (2,), image_size=8)
    network = Supernet(space, Sharing(noise=0.0), meta_widths(space, 2, None), 0)
    assert isnan(gradient_alignment(network, np.zeros((1, 19), np.int64), *pictures()))
