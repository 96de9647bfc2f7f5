"""Genotype networks against the original's outputs, and under the names of DARTS."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

import numpy as np
import paddle
import pytest

from autodl.networks.costs import network_costs
from autodl.networks.layers import trainable
from autodl.networks.network import PlanNetwork
from autodl.spaces.genotype.architecture import (
    OPERATIONS,
    Genotype,
    GenotypeCell,
    published_genotype,
    published_genotypes,
)
from autodl.spaces.genotype.names import darts_names, from_darts
from autodl.spaces.genotype.plan import genotype_plan, published_genotype_plan
from autodl.training.weights import load_arrays

GOLDEN = Path(__file__).resolve().parent.parent / "golden"


def golden(name):
    with np.load(GOLDEN / f"lrc_network_{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    value = {"kind": "genotype", "version": 1, **json.loads(arrays["genotype"].item())}
    plan = genotype_plan(
        Genotype.from_json(value), channels=int(arrays["channels"]), layers=int(arrays["layers"])
    )
    weights = {k[6:]: v for k, v in arrays.items() if k.startswith("param:")}
    return plan, weights, arrays["image"], arrays["logits"]


@pytest.mark.parametrize("name, published", [("a", "LRC_0"), ("b", "LRC_1")])
def test_logits_equal_the_originals(name, published):
    """1e-5 of the largest logit: float32 in another order of summation."""
    plan, weights, image, logits = golden(name)
    network = PlanNetwork(plan, seed=0)
    load_arrays(network, from_darts(plan, weights))
    network.eval()
    found = network(paddle.to_tensor(image)).numpy()
    assert np.abs(found - logits).max() < 1e-5 * np.abs(logits).max()
    sizes = {"channels": 8, "layers": 6 if name == "a" else 5}
    assert genotype_plan(published_genotype(published), **sizes) == plan


@pytest.mark.parametrize("name", sorted(published_genotypes()))
def test_every_tensor_has_a_name_of_its_own(name):
    plan = published_genotype_plan(genotype=name, channels=4, layers=4)
    network = PlanNetwork(plan, seed=0, auxiliary=True)
    names = {**darts_names(plan), **darts_names(plan, auxiliary=True)}
    assert set(names) == set(network.state_dict())
    assert len(set(names.values())) == len(names)


@pytest.mark.parametrize(
    "name, size",
    [
        *((name, {"channels": 4, "layers": 5}) for name in sorted(published_genotypes())),
        ("LRC_0", {}),  # as published
    ],
)
def test_the_built_network_has_the_parameters_of_the_plan(name, size):
    """A second counter: the tensors that training changes."""
    plan = published_genotype_plan(genotype=name, **size)
    network = PlanNetwork(plan, auxiliary=True)
    head = sum(prod(parameter.shape) for parameter in trainable(network.auxiliary))
    both = sum(prod(parameter.shape) for parameter in trainable(network))
    assert head == plan.auxiliary.plan.parameters
    assert both - head == plan.parameters


def test_layers_that_run_cost_what_the_plan_says():
    """All operations, with stride 1 and with stride 2."""
    edges = tuple((operation, number % 2) for number, operation in enumerate(OPERATIONS))
    cell = GenotypeCell(edges, (2, 3, 4, 5, 6))
    plan = genotype_plan(Genotype(cell, cell), channels=4, layers=3, image_size=16)
    found = network_costs(PlanNetwork(plan), plan.input_shape)
    assert (found.parameters, found.macs) == (plan.parameters, plan.macs)
