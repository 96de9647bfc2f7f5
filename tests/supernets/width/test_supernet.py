"""The network that holds every architecture, against the plain networks."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.errors import ConfigError
from autodl.networks.costs import network_costs
from autodl.networks.network import PlanNetwork
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.width.cost import count_macs
from autodl.spaces.width.space import make_width_space
from autodl.supernets.width.affine_sharing import AffineConv, PairNorm, PrivateConv, Sharing
from autodl.supernets.width.supernet import Supernet, meta_widths

CELLS = CellSpace(nodes=4).sample(np.random.default_rng(1))
SPACES = {
    "resnet20": {"candidates": (2, 3, 4)},
    "resnet18": {"candidates": (2, 4), "blockwise": True},
    "mobilenet_v2": {"candidates": (1, 2)},
    "cells": {"candidates": (8, 16), "cells": CELLS, "cells_per_stage": 1, "stages": 2},
}


def make(name, sharing=None, **options):
    space = make_width_space(name, image_size=8, **SPACES[name], **options)
    meta = meta_widths(space, SPACES[name]["candidates"][-1], None)
    return space, Supernet(space, sharing or Sharing(noise=0.1), meta, 0)


@pytest.fixture(scope="module", params=[(n, p) for n in SPACES for p in (False, True)], ids=str)
def supernet(request):
    name, per_pair = request.param
    return make(name, Sharing(noise=0.1, per_pair=per_pair))


def pictures(count=6, seed=0, size=8):
    values = np.random.default_rng(seed).normal(size=(count, 3, size, size))
    return paddle.to_tensor(values.astype("float32"))


def test_slim_networks_compute_the_same_without_meta_weights(supernet):
    space, network = supernet
    x = pictures()
    for choices in space.uniform(np.random.default_rng(0), 3):
        for _ in range(3):
            network(x, choices)  # moves the statistics
        with network.norms_in("eval"):
            expected = network(x, choices).numpy()
        slim = network.slim(choices)
        slim.eval()
        # the same kernels in the same order of summation; another algorithm may be taken
        np.testing.assert_allclose(slim(x).numpy(), expected, rtol=1e-5, atol=1e-6)
        assert network_costs(slim, (3, 8, 8)).macs == count_macs(slim.plan, "all")
        assert type(slim) is PlanNetwork


def test_the_plain_network_costs_what_was_predicted(supernet):
    space, _ = supernet
    for choices in space.uniform(np.random.default_rng(1), 3):
        plain = PlanNetwork(space.plan(choices, "pool"))
        assert network_costs(plain, (3, 8, 8)).macs == space.macs(choices[None])[0]


def test_only_what_an_architecture_uses_gets_gradients(supernet):
    space, network = supernet
    choices = np.zeros(space.decisions, np.int64)
    network(pictures(), choices).sum().backward()
    for layer in network.sublayers():
        if isinstance(layer, PrivateConv):
            got = [p.grad is not None for p in layer.parameters()]
            assert sum(got) == 1
        if isinstance(layer, AffineConv):
            assert layer.weight.grad is not None
    assert all(p.matrix.grad is None for p in network.projections())
    network.clear_gradients(set_to_zero=False)


def test_two_architectures_share_no_statistics():
    _, network = make("resnet20")
    low, high = np.zeros(19, np.int64), np.array([2] * 18 + [0])
    network(pictures(), low)
    kept = {n: v.numpy() for n, v in network.state_dict().items() if "_2_2" in n}
    assert len(kept) > 30
    assert not any(v.any() for n, v in kept.items() if "mean" in n)
    moved = {n for n, v in network.state_dict().items() if "mean" in n and v.numpy().any()}
    network(pictures(), high)
    both = {n for n, v in network.state_dict().items() if "mean" in n and v.numpy().any()}
    # the last width is fixed, so its norm's pair is that of its input's candidate
    assert moved < both
    assert len(both) == 2 * len(moved)


def test_statistics_estimated_anew_are_means_over_batches_and_leave_no_trace():
    space, network = make("resnet20")
    choices = space.uniform(np.random.default_rng(2), 1)[0]
    batches = [pictures(8, seed) for seed in range(3)]
    for batch in batches:
        network(batch, choices)
    before = {name: value.numpy() for name, value in network.state_dict().items()}
    stem = network.layer("stem.norm")
    pair = (int(choices[0]), 0)
    with network.statistics_of(choices, batches):
        found = stem.statistics(pair)[0].numpy()
        anew = network(batches[0], choices).numpy()
    conv = network.layer("stem.conv")
    means = [conv(batch, pair).numpy().mean(axis=(0, 2, 3)) for batch in batches]
    # means of 512 float32 numbers
    np.testing.assert_allclose(found, np.mean(means, axis=0), rtol=1e-4, atol=1e-6)
    after = network.state_dict()
    assert all((after[name].numpy() == value).all() for name, value in before.items())
    assert all(norm.mode == "train" and norm.momentum == 0.9 for norm in network.norms)
    with network.norms_in("eval"):
        assert (network(batches[0], choices).numpy() != anew).any()


def test_every_layer_is_there_once():
    """19 convolutions, 9 private shortcuts, 28 norms: no stage twice, none left out."""
    _, network = make("resnet20")
    kinds = [type(layer) for layer in network.sublayers()]
    assert (kinds.count(AffineConv), kinds.count(PrivateConv)) == (19, 9)
    assert kinds.count(PairNorm) == 28
    assert len(network.projections()) == 19 + 18 + 1  # P, Q but the stem's, the classifier's Q
    assert len(network.shared_layers()) == 19


def test_the_seed_decides_everything():
    one, two, other = (
        Supernet(space, Sharing(), meta_widths(space, 4, None), seed).state_dict()
        for space, seed in ((make("resnet20")[0], s) for s in (5, 5, 6))
    )
    assert all((one[name].numpy() == two[name].numpy()).all() for name in one)
    assert any((one[name].numpy() != other[name].numpy()).any() for name in one)


def test_meta_widths():
    space = make_width_space("resnet18", (32, 48, 64, 80))
    assert meta_widths(space, 80, 128)[:3] == (128, 128, 128)
    assert meta_widths(space, 80, 128)[-2] == 1024
    assert meta_widths(space, 80, None)[0] == 224
    # the last has a single candidate: all of it
    assert meta_widths(space, 80, 128)[-1] == 640
    with pytest.raises(ConfigError, match="meta_width 79 is below the candidate 80"):
        meta_widths(space, 80, 79)
