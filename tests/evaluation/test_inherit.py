"""Which values a child takes over: by name, then from the first channel on; never any other."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from autodl.evaluation.inherit import inherit_weights
from autodl.networks.network import PlanNetwork
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.cell.plan import cell_plan
from autodl.spaces.mobile.architecture import MobileArchitecture, MobileBlock
from autodl.spaces.mobile.plan import mobile_plan
from autodl.spaces.mobile.space import MobileSpace
from autodl.training.weights import load_arrays

TINY = {
    "base_widths": (2, 4, 4, 6, 6, 8, 8),
    "stem_width": 4,
    "head_width": 10,
    "image_size": 8,
    "classes": 3,
    "dropout": 0.0,
}


def architecture(**first):
    """A network whose first block is as told; all others are small."""
    block = {"operation": "mb_conv_3", "kernel": 3, "skip": True, "depth": 2, "width": 1.0}
    rest = [MobileBlock(**block)] * 6
    return MobileArchitecture((MobileBlock(**{**block, **first}), *rest))


def network(architecture, seed):
    """A network with batch-norm statistics and scales as training would leave them."""
    built = PlanNetwork(mobile_plan(architecture, **TINY), seed)
    rng = np.random.default_rng(seed)
    for name, value in built.state_dict().items():
        if value.ndim == 1:
            drawn = rng.uniform(0.5, 1.5, value.shape).astype("float32")
            value.set_value(paddle.to_tensor(drawn + 0.01 * (len(name) % 7)))
    built.eval()
    return built


def arrays(layer):
    return {name: value.numpy() for name, value in layer.state_dict().items()}


def inherited(parent, child, **options):
    return inherit_weights(arrays(network(parent, 1)), arrays(network(child, 2)), **options)


# --- invariant 4: sharing in width ---------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["conv", "depthwise", "linear", "norm"])
def test_overlapping_channels_are_the_parents_and_no_other_value_is(seed, kind):
    rng = np.random.default_rng(seed)
    before, now = rng.integers(1, 9, size=(2, 2))
    shape = {
        "conv": lambda outputs, inputs: (outputs, inputs, 3, 3),
        "depthwise": lambda outputs, inputs: (outputs, 1, 5, 5),
        "linear": lambda outputs, inputs: (inputs, outputs),
        "norm": lambda outputs, inputs: (outputs,),
    }[kind]
    name = "block0.layer0.mb.expand.conv.weight"
    parent, own = {name: rng.normal(size=shape(*before))}, {name: rng.normal(size=shape(*now))}
    kept = {"parent": parent[name].copy(), "own": own[name].copy()}
    found = inherit_weights(parent, own)
    overlap = tuple(slice(min(pair)) for pair in zip(shape(*before), shape(*now), strict=True))
    child = found.weights[name]
    assert np.array_equal(child[overlap], parent[name][overlap])
    mask = np.ones(child.shape, bool)
    mask[overlap] = False
    assert np.array_equal(child[mask], own[name][mask])
    assert np.array_equal(parent[name], kept["parent"])
    assert np.array_equal(own[name], kept["own"])
    assert (found.tensors, found.fraction) == (1, (~mask).sum() / mask.size)
    again = inherit_weights(found.weights, parent)  # back to the parent's size: the slice returns
    assert np.array_equal(again.weights[name], parent[name])


def test_what_is_inherited_is_no_view_of_the_parents():
    parent = {"head.classifier.weight": np.ones((2, 3))}
    found = inherit_weights(parent, {"head.classifier.weight": np.zeros((2, 3))})
    found.weights["head.classifier.weight"][:] = 7
    assert (parent["head.classifier.weight"] == 1).all()


def test_widening_preserves_the_function_where_nobody_reads_the_new_channels():
    """Two convolutions, the first one widened: indices of outputs and inputs belong together.

    Adding products with zeros leaves a sum as it is; another order of adding may not, by a few
    units in the last place of numbers of about 10: 1e-5.
    """
    rng = np.random.default_rng(0)

    def weights(hidden):
        return {
            "one.conv.weight": rng.normal(size=(hidden, 3, 3, 3)).astype("float32"),
            "two.conv.weight": rng.normal(size=(4, hidden, 3, 3)).astype("float32"),
        }

    def output(weights, images):
        first, second = (paddle.to_tensor(w) for w in weights.values())
        return F.conv2d(F.relu(F.conv2d(images, first)), second).numpy()

    parent, images = weights(5), paddle.to_tensor(rng.normal(size=(2, 3, 8, 8)).astype("float32"))
    child = inherit_weights(parent, weights(9)).weights
    expected = output(parent, images)
    assert np.abs(output(child, images) - expected).max() > 1  # the new channels are random ...
    child["two.conv.weight"][:, 5:] = 0  # ... unless nobody reads them
    np.testing.assert_allclose(output(child, images), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("change", [{"width": 0.5}, {"width": 2.0}, {"operation": "mb_conv_6"}])
def test_a_whole_network_of_another_width_or_expansion_shares_every_array(change):
    """Depthwise, projections, batch-norms with their statistics, stem, head and classifier too."""
    found = inherited(architecture(), architecture(**change))
    parent, own = arrays(network(architecture(), 1)), arrays(network(architecture(**change), 2))
    assert found.weights.keys() == own.keys()
    assert found.tensors == len(own)
    resized = 0
    for name, child in found.weights.items():
        sizes = [min(pair) for pair in zip(child.shape, parent[name].shape, strict=True)]
        overlap = tuple(map(slice, sizes))
        assert np.array_equal(child[overlap], parent[name][overlap]), name
        mask = np.ones(child.shape, bool)
        mask[overlap] = False
        assert np.array_equal(child[mask], own[name][mask]), name
        resized += child.shape != parent[name].shape
    roles = {name.rpartition(".")[2] for name in found.weights}
    assert roles == {"weight", "bias", "_mean", "_variance"}
    assert resized >= 10
    assert any("mb.bypass" in name for name in found.weights)


# --- invariant 5: sharing in depth ---------------------------------------------------------------


@pytest.mark.parametrize("before, now", [(2, 4), (4, 2), (1, 3), (3, 3)])
def test_the_first_layers_of_a_block_are_the_parents_the_rest_is_the_childs(before, now):
    parent, child = architecture(depth=before), architecture(depth=now)
    found = inherited(parent, child)
    parents, own = arrays(network(parent, 1)), arrays(network(child, 2))
    for name, value in found.weights.items():
        shared = not any(name.startswith(f"block0.layer{i}.") for i in range(before, 4))
        assert np.array_equal(value, (parents if shared else own)[name]), name
        assert not np.array_equal(parents.get(name), own[name]), name  # or it would prove nothing


@pytest.mark.parametrize("seed", range(4))
def test_equal_depth_and_width_give_the_parents_output(seed):
    """Invariants 5 and 6: the very same network, so not even rounding differs."""
    code = MobileSpace().sample(np.random.default_rng(seed))
    parent, child = network(code, 1), network(code, 2)
    found = inherit_weights(arrays(parent), arrays(child))
    assert (found.tensors, found.fraction) == (len(arrays(child)), 1.0)
    for name, value in arrays(parent).items():
        assert np.array_equal(found.weights[name], value), name
    images = paddle.randn([2, 3, 8, 8])
    assert not np.array_equal(child(images).numpy(), parent(images).numpy())
    load_arrays(child, found.weights)
    assert np.array_equal(child(images).numpy(), parent(images).numpy())


# --- other kernels and operations ----------------------------------------------------------------


def test_a_kernel_of_another_size_is_drawn_anew_with_its_batch_norm():
    found = inherited(architecture(), architecture(kernel=5))
    parent, own = arrays(network(architecture(), 1)), arrays(network(architecture(kernel=5), 2))
    for name, value in found.weights.items():
        anew = name.startswith("block0.") and ".depthwise." in name
        assert np.array_equal(value, (own if anew else parent)[name]), name
    assert found.tensors == len(own) - 2 * 5  # two layers: a kernel and four of its batch-norm


@pytest.mark.parametrize("before, now", [(3, 7), (7, 3), (5, 3)])
def test_kernels_can_be_cut_or_padded_about_their_centre(before, now):
    parent, child = architecture(kernel=before), architecture(kernel=now)
    found = inherited(parent, child, resize_kernels=True)
    name = "block0.layer1.mb.depthwise.conv.weight"
    given, taken = arrays(network(parent, 1))[name], found.weights[name]
    edge = abs(before - now) // 2
    if before < now:
        expected = np.pad(given, [(0, 0), (0, 0), (edge, edge), (edge, edge)])
    else:
        expected = given[:, :, edge:-edge, edge:-edge]
    assert np.array_equal(taken, expected)
    assert found.tensors == len(found.weights)


def test_a_padded_kernel_computes_the_same_and_new_channels_stay_the_childs():
    rng = np.random.default_rng(0)
    name = "x.conv.weight"
    parent = {name: rng.normal(size=(2, 3, 3, 3)).astype("float32")}
    own = {name: rng.normal(size=(4, 3, 5, 5)).astype("float32")}
    child = inherit_weights(parent, own, resize_kernels=True).weights[name]
    assert np.array_equal(child[2:], own[name][2:])
    images = paddle.to_tensor(rng.normal(size=(1, 3, 9, 9)).astype("float32"))
    small = F.conv2d(images, paddle.to_tensor(parent[name]), padding=1).numpy()
    large = F.conv2d(images, paddle.to_tensor(child), padding=2).numpy()
    # sums of 75 products in another order: a few units in the last place
    np.testing.assert_allclose(large[:, :2], small, rtol=0, atol=1e-5)


def test_another_operation_is_drawn_anew():
    found = inherited(architecture(), architecture(operation="sep_conv"))
    own = arrays(network(architecture(operation="sep_conv"), 2))
    block = {name for name in own if name.startswith("block0.")}
    assert block
    assert all(np.array_equal(found.weights[name], own[name]) for name in block)
    assert found.tensors == len(own) - len(block)
    assert 0 < found.fraction < 1


def test_networks_that_have_no_layer_in_common_share_nothing():
    found = inherit_weights({"a.conv.weight": np.ones((1, 1, 1, 1))}, {"b.weight": np.zeros(3)})
    assert (found.tensors, found.fraction) == (0, 0.0)
    assert np.array_equal(found.weights["b.weight"], np.zeros(3))
    assert inherit_weights({}, {}).fraction == 0.0


def test_arrays_of_another_rank_are_left_alone():
    found = inherit_weights({"a.weight": np.ones(3)}, {"a.weight": np.zeros((3, 2))})
    assert found.tensors == 0


@pytest.mark.parametrize(
    "entry, apart", [("own", {"node0.conv", "node0.squeeze"}), ("shared", {"node0.conv"})]
)
def test_cells_share_node_by_node(entry, apart):
    """The stem, the head, the projections, and of a node what both operations have."""

    def cells(op_id):
        pair = CellPair(Cell((op_id, 1), (0,)), Cell((2, 1), (1,)))
        sizes = {"width": 8, "cells_per_stage": 1, "stages": 2, "classes": 3, "image_size": 8}
        plan = cell_plan(pair, entry=entry, **sizes)
        return arrays(PlanNetwork(plan, op_id))

    parent, own = cells(1), cells(2)  # conv_3x3 and conv_5x5 in node 0 of the normal cell
    found = inherit_weights(parent, own)
    differing = {n for n, value in found.weights.items() if not np.array_equal(value, parent[n])}
    assert differing == {f"stage0.cell0.{name}.weight" for name in apart}
    assert found.tensors > 20
