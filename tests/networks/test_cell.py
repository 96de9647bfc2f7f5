"""Cell networks: the original's own numbers, costs as built, and every operation by NumPy."""

from __future__ import annotations

import re
from inspect import signature
from math import prod
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from autodl.errors import CheckpointError
from autodl.networks.cell import build_network, load_original_parameters
from autodl.networks.layers import trainable
from autodl.networks.network import PlanNetwork
from autodl.plans import layers as kinds
from autodl.plans.plan import PlanBuilder
from autodl.recipes.config import load_train
from autodl.release import load, names
from autodl.release.network import TRAINING, find
from autodl.runs.folder import ARCHITECTURE, WEIGHTS
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.cell.plan import cell_plan
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import load_architecture
from autodl.spaces.operations import operation, operation_names
from autodl.training.weights import load_weights

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("autodl_design_*.npz"))
ONE = CellPair(Cell((0,), ()), Cell((0,), ()))


def golden(path):
    """The network of a golden file, and what is in the file."""
    with np.load(path) as file:
        stored = dict(file)
    network = build_network(
        CellPair.from_tokens(stored["tokens"], stored["adjvec"]),
        width=int(stored["width"]),
        cells_per_stage=int(stored["num_cells"]),
        stages=int(stored["num_stages"]),
    )
    arrays = [stored[f"param_{number:04d}"] for number in range(len(stored["param_order"]))]
    return network, arrays, stored


def test_the_arguments_are_those_of_the_plan():
    def arguments(function):
        return [(p.name, p.default) for p in signature(function).parameters.values()]

    assert arguments(build_network) == arguments(cell_plan)


CELLS = [
    name for name in names() if load_train(find(name) / TRAINING).network.name == "CellNetwork"
]


def test_there_are_released_networks_of_cells():
    assert CELLS


@pytest.mark.parametrize("name", CELLS)
def test_every_released_network_of_cells_is_built_from_its_config(name):
    """Architecture and section Network, as a reader has them; the weights fit, and predict."""
    folder = find(name)
    config = load_train(folder / TRAINING)
    network = build_network(
        load_architecture(folder / ARCHITECTURE), **config.network.arguments(), classes=10
    )
    load_weights(network, folder / WEIGHTS)
    released = load(name).network
    assert network.plan == released.plan
    x = paddle.to_tensor(np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype("float32"))
    network.eval()
    released.eval()
    with paddle.no_grad():
        np.testing.assert_array_equal(network(x).numpy(), released(x).numpy())


def test_all_four_golden_files_are_there():
    assert [path.stem[-1] for path in GOLDEN] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_original_is_reproduced(path):
    """1e-5 of the largest logit: float32 sums in another order, some 30 layers deep."""
    network, arrays, stored = golden(path)
    load_original_parameters(network, arrays)
    network.eval()
    with paddle.no_grad():
        logits = network(paddle.to_tensor(stored["image"]))
        loss = F.cross_entropy(logits, paddle.to_tensor(stored["label"]))
    expected = stored["logits"]
    assert np.abs(logits.numpy() - expected).max() / np.abs(expected).max() < 1e-5
    np.testing.assert_allclose(float(loss), stored["loss"].item(), rtol=1e-5)


def test_the_last_golden_file_has_every_operation_in_both_roles():
    _, _, stored = golden(GOLDEN[3])
    assert sorted(stored["tokens"][:10]) == sorted(stored["tokens"][10:]) == list(range(10))


def values(network):
    return {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("spoil", ["missing", "surplus", "swapped", "transposed", "last"])
def test_parameters_that_do_not_fit_change_nothing(spoil):
    network, arrays, _ = golden(GOLDEN[0])
    before = values(network)
    if spoil == "missing":
        arrays = arrays[:-1]
    elif spoil == "surplus":
        arrays = [*arrays, arrays[-1]]
    elif spoil == "swapped":
        arrays[0], arrays[1] = arrays[1], arrays[0]
    elif spoil == "transposed":
        arrays[-2] = arrays[-2].T
    else:
        arrays[-1] = arrays[-1][:, None]
    message = "parameter arrays" if spoil in ("missing", "surplus") else "has shape"
    with pytest.raises(CheckpointError, match=message) as caught:
        load_original_parameters(network, arrays)
    assert "\n" not in str(caught.value)
    for name, value in values(network).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def random_networks(count):
    """Plans of random cells over all operations, widths, depths and picture sizes."""
    rng = np.random.default_rng(20)
    for number in range(count):
        nodes = number % 10 + 1
        bottleneck = int(rng.integers(1, 5))
        yield cell_plan(
            CellSpace(nodes=nodes, operations=operation_names()).sample(rng),
            width=int(rng.integers(bottleneck, 10)),
            cells_per_stage=1 + int(rng.integers(4) == 0),
            stages=int(rng.integers(1, 4)),
            classes=int(rng.integers(1, 12)),
            bottleneck=bottleneck,
            image_size=int(rng.choice([8, 9, 11, 12, 16, 32], p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.1])),
        )


def test_costs_equal_those_of_the_built_network():
    """60 random networks. Counted from live tensors, during one real forward pass."""
    seen = set()
    for plan in random_networks(60):
        network = PlanNetwork(plan)
        network.eval()
        macs, shapes = [], {}

        def count(layer, inputs, output, macs=macs):
            weight = layer.weight.shape  # conv [out, in / groups, kh, kw], linear [in, out]
            if isinstance(layer, nn.Conv2D):
                macs.append(prod(weight[1:]) * prod(output.shape))
            else:
                macs.append(weight[0] * prod(output.shape))

        for record in plan.records[1:]:
            layer = network.layer(record.name)
            if isinstance(layer, nn.Conv2D | nn.Linear):
                layer.register_forward_post_hook(count)
            layer.register_forward_post_hook(
                lambda layer, inputs, output, name=record.name, shapes=shapes: shapes.update(
                    {name: tuple(output.shape[1:])}
                )
            )
        with paddle.no_grad():
            network(paddle.zeros([1, *plan.input_shape]))
        assert plan.macs == sum(macs)
        held = [p for p in network.parameters() if not p.stop_gradient]
        assert plan.parameters == sum(prod(p.shape) for p in held)
        assert len(trainable(network)) == len(held)
        assert shapes == {record.name: record.shape for record in plan.records[1:]}
        seen |= {record.name.rsplit(".", 1)[-1] for record in plan.records}
    assert {"conv", "row", "column", "widen", "depthwise", "pointwise", "pool", "concat"} <= seen


def test_names_of_the_state_are_those_of_the_records():
    plan = cell_plan(CellSpace(nodes=4).sample(np.random.default_rng(0)), width=4, image_size=8)
    network = PlanNetwork(plan)
    slots = {
        kinds.Conv: ["weight", "bias"],
        kinds.Linear: ["weight", "bias"],
        kinds.BatchNorm: ["weight", "bias", "_mean", "_variance"],
    }
    expected = [f"{r.name}.{slot}" for r in plan.records for slot in slots.get(type(r.layer), [])]
    assert sorted(network.state_dict()) == sorted(expected)


# Every operation against plain NumPy ---------------------------------------------------------


def padding(size, kernel, stride, dilation=1):
    reach = dilation * (kernel - 1) + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def windows(x, kernel, stride, dilation=1, fill=0.0):
    """``[B, C, H', W', kh, kw]`` of ``x [B, C, H, W]``, SAME."""
    rows = padding(x.shape[2], kernel[0], stride[0], dilation)
    columns = padding(x.shape[3], kernel[1], stride[1], dilation)
    padded = np.pad(x, ((0, 0), (0, 0), rows, columns), constant_values=fill)
    out = [-(-x.shape[axis + 2] // stride[axis]) for axis in (0, 1)]
    cut = np.empty((*x.shape[:2], *out, *kernel))
    for i in range(out[0]):
        for j in range(out[1]):
            for a in range(kernel[0]):
                for b in range(kernel[1]):
                    cut[:, :, i, j, a, b] = padded[
                        :, :, i * stride[0] + a * dilation, j * stride[1] + b * dilation
                    ]
    return cut


def conv(x, layer, kernel, stride=(1, 1), dilation=1, depthwise=False):
    weight, bias = layer.weight.numpy().astype(float), layer.bias.numpy().astype(float)
    assert weight.shape[2:] == tuple(kernel)
    cut = windows(x, kernel, stride, dilation)
    subscripts = "nchwab,cab->nchw" if depthwise else "nchwab,ocab->nohw"
    return np.einsum(subscripts, cut, weight[:, 0] if depthwise else weight) + bias[:, None, None]


def pool(x, kind, size, stride):
    if kind == "max":
        return windows(x, (size, size), (stride, stride)).max((-1, -2))  # pads with zeros
    total = windows(x, (size, size), (stride, stride)).sum((-1, -2))
    pads = [padding(axis, size, stride) for axis in x.shape[2:]]
    if stride > 1 and any(before != after for before, after in pads):
        return total / size**2  # zeros counted
    inside = windows(np.ones_like(x), (size, size), (stride, stride)).sum((-1, -2))
    return total / inside


def reference(name, x, layer, downsample):
    """What the specification says; ``layer(part)`` is the Paddle layer that holds parameters."""
    stride = 2 if downsample else 1
    kind, _, size = name.rpartition("_")
    if name == "skip_connect":
        return conv(x, layer("widen"), (1, 1), (2, 2)) if downsample else x
    if re.fullmatch(r"conv_1x(\d)_\1x1", name):
        k = int(name[-3])
        x = conv(x, layer("row"), (1, k), (1, stride))
        x = conv(x, layer("column"), (k, 1), (stride, 1))
        return conv(x, layer("widen"), (1, 1)) if downsample else x
    k = int(size[0])
    if kind in ("max_pool", "avg_pool"):
        x = pool(x, kind[:3], k, stride)
        return conv(x, layer("widen"), (1, 1)) if downsample else x
    if kind == "sep_conv":
        x = conv(x, layer("depthwise"), (k, k), (stride, stride), depthwise=True)
        return conv(x, layer("pointwise"), (1, 1))
    assert kind in ("conv", "dil_conv", "dilated")
    dilation = 2 if kind != "conv" and not downsample else 1
    return conv(x, layer("conv"), (k, k), (stride, stride), dilation)


@pytest.mark.parametrize("name", operation_names())
@pytest.mark.parametrize("downsample", [False, True], ids=["normal", "reduction"])
@pytest.mark.parametrize("size", [(8, 8), (7, 7), (1, 1), (2, 2)], ids=str)
def test_operation_equals_numpy(name, downsample, size):
    """1e-5: a float32 sum of at most 75 products of size one has an error of about 1e-6."""
    builder = PlanBuilder((3, *size))
    x = builder.add("entry", kinds.Relu(), 0)
    operation(name).build(builder, x, "node", downsample)
    paddle.seed(1)
    network = PlanNetwork(builder.finish())
    rng = np.random.default_rng(2)
    for parameter in network.parameters():  # biases too must be seen
        parameter.set_value(rng.normal(size=parameter.shape).astype("float32") * 0.5)
    images = rng.normal(size=(2, 3, *size)).astype("float32")

    with paddle.no_grad():
        found = network(paddle.to_tensor(images)).numpy()

    expected = reference(
        name, np.maximum(images, 0).astype(float), lambda part: network.layer(f"node.{part}"),
        downsample,
    )  # fmt: skip
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_whole_cell_with_sums_and_concatenation_equals_numpy():
    """Node 2 adds 0 and 1; 3 reads the input; 2 and 3 are loose: their order is the nodes'."""
    cell = Cell.from_names(["skip_connect"] * 4, [0, 1, 1, 0, 0, 0])
    network = build_network(
        CellPair(cell, cell), width=4, cells_per_stage=1, stages=1, image_size=4, bottleneck=2
    )
    network.eval()
    rng = np.random.default_rng(0)
    for name, tensor in network.state_dict().items():
        value = rng.normal(size=tensor.shape) * 0.5
        tensor.set_value((np.abs(value) if name.endswith("variance") else value).astype("float32"))
    images = rng.normal(size=(2, 3, 4, 4)).astype("float32")

    def norm_relu(x, name):
        layer = network.layer(f"{name}.norm")
        scale, shift, mean, variance = (
            tensor.numpy().astype(float)[:, None, None]
            for tensor in (layer.weight, layer.bias, layer._mean, layer._variance)
        )
        return np.maximum((x - mean) / np.sqrt(variance + 1e-3) * scale + shift, 0)

    def one(x, name):
        return conv(x, network.layer(name), (1, 1))

    here = "stage0.cell0"
    stem = conv(images.astype(float), network.layer("stem"), (3, 3))
    entry = {
        n: one(norm_relu(stem, f"{here}.node{n}.entry"), f"{here}.node{n}.squeeze")
        for n in (0, 1, 3)
    }
    out = {n: norm_relu(x, f"{here}.node{n}") for n, x in entry.items()}
    out[2] = norm_relu(out[0] + out[1], f"{here}.node2")
    x = one(np.concatenate([out[2], out[3]], axis=1), f"{here}.project")
    pooled = norm_relu(x, "head").mean((2, 3))
    linear = network.layer("head.classifier")
    expected = pooled @ linear.weight.numpy() + linear.bias.numpy()

    with paddle.no_grad():
        found = network(paddle.to_tensor(images)).numpy()
    # six float32 layers, each with an error of a few 1e-7
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
