"""What the tests of re-parameterisation share: random batch-norms, inputs, differences."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from paddle import nn

from autodl.reparam.asymmetric import AsymmetricConvBlock
from autodl.reparam.diverse import DiverseBranchBlock
from autodl.reparam.repvgg import RepVGGBlock


def randomise(model, seed=0, dtype="float64"):
    """Kernels from N(0, 1 / fan-in); batch-norms far from fresh ones, scales also negative."""
    rng = np.random.default_rng(seed)
    model.to(dtype=dtype)
    for layer in model.sublayers(include_self=True):
        if isinstance(layer, nn.BatchNorm2D | nn.SyncBatchNorm):
            shape = layer._mean.shape
            draws = {
                "weight": rng.uniform(-1.5, 1.5, shape),
                "bias": rng.normal(size=shape),
                "_mean": rng.normal(size=shape),
                "_variance": rng.uniform(0.1, 2, shape),
            }
        elif isinstance(layer, nn.Conv2D | nn.Linear):
            fan_in = np.prod(layer.weight.shape[1:])
            draws = {"weight": rng.normal(size=layer.weight.shape) / np.sqrt(fan_in)}
            if layer.bias is not None:
                draws["bias"] = rng.normal(size=layer.bias.shape)
        else:
            continue
        for name, value in draws.items():
            if (parameter := getattr(layer, name)) is not None:
                parameter.set_value(paddle.to_tensor(value.astype(dtype)))
    model.eval()
    return model


def inputs(*shape, seed=1, dtype="float64"):
    return paddle.to_tensor(np.random.default_rng(seed).normal(size=shape).astype(dtype))


def run(model, x):
    with paddle.no_grad():
        return model(x).numpy()


def difference(found, expected):
    """Largest absolute difference as a share of the largest expected number."""
    assert found.shape == expected.shape
    assert np.abs(expected).max() > 0.1  # two maps of nothing are no evidence
    return np.abs(found - expected).max() / np.abs(expected).max()


def trainable_count(model):
    return sum(int(np.prod(p.shape)) for p in model.parameters() if not p.stop_gradient)


def values(model):
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


@pytest.fixture(scope="session")
def tell():
    """The functions of this file; a fixture, because test files cannot import each other."""
    return SimpleNamespace(
        randomise=randomise,
        inputs=inputs,
        run=run,
        difference=difference,
        trainable_count=trainable_count,
        values=values,
    )


CASES = {
    "acb": lambda **o: AsymmetricConvBlock(4, 6, 3, 1, 1, **o),
    "acb_uneven": lambda **o: AsymmetricConvBlock(
        4, 6, (5, 3), (2, 1), [0, 1, 2, 0], (1, 2), 2, **o
    ),
    "dbb": lambda **o: DiverseBranchBlock(4, 6, 3, 1, 1, **o),
    "dbb_grouped": lambda **o: DiverseBranchBlock(4, 6, (3, 5), 2, (1, 2), 1, 2, **o),
    "dbb_depthwise": lambda **o: DiverseBranchBlock(4, 4, 3, 2, 1, 1, 4, **o),
    "repvgg": lambda **o: RepVGGBlock(4, 4, 3, 1, 1, **o),
    "repvgg_grouped": lambda **o: RepVGGBlock(4, 4, 3, 1, 1, 1, 2, **o),
    "repvgg_stride": lambda **o: RepVGGBlock(4, 6, 3, 2, 1, 1, 2, **o),
}


@pytest.fixture(params=CASES, scope="session")
def make(request):
    """A constructor of one kind of block, all reading 4 channels; keywords go to the block."""
    return CASES[request.param]
