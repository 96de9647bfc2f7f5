"""Built networks of the public benchmarks' spaces: counts, zeros, and what cells compute."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.networks.layers import trainable
from autodl.networks.network import PlanNetwork
from autodl.plans.plan import Plan
from autodl.spaces.chain.plan import chain_plan
from autodl.spaces.chain.space import ChainSpace
from autodl.spaces.edge_cell.architecture import EdgeCell
from autodl.spaces.edge_cell.plan import edge_cell_plan
from autodl.spaces.edge_cell.space import EdgeCellSpace

PICTURES = np.random.default_rng(0).normal(size=(2, 3, 16, 16)).astype("float32")


def outputs(plan, seed=0):
    network = PlanNetwork(plan, seed)
    network.eval()
    return network(paddle.to_tensor(PICTURES)).numpy()


@pytest.mark.parametrize("seed", range(3))
def test_counted_and_built_parameters_agree(seed):
    rng = np.random.default_rng(seed)
    plans = (
        edge_cell_plan(EdgeCellSpace().sample(rng), image_size=16, width=4, cells=2),
        chain_plan(ChainSpace().sample(rng), image_size=16, stem_width=4, head_width=16),
    )
    for plan in plans:
        built = sum(int(np.prod(weight.shape)) for weight in trainable(PlanNetwork(plan, 0)))
        assert built == plan.parameters
        assert np.isfinite(outputs(plan)).all()


def test_a_cell_of_skip_connections_is_a_multiple_of_what_enters_it():
    """Node 1 is the input, node 2 twice the input, node 3 the sum of all: four times the input."""
    plan = edge_cell_plan(EdgeCell(("skip_connect",) * 6), image_size=16, cells=1)
    names = [record.name for record in plan.records]
    stem, cell = (
        outputs(Plan(plan.records[: names.index(name) + 1]))
        for name in ("stem.norm", "stage0.cell0.node3")
    )
    np.testing.assert_array_equal(4 * stem, cell)  # sums of equal floats are exact


def test_a_cell_of_nothing_gives_the_classifiers_answer_to_zeros():
    """Behind the stem all maps are what shortcuts make of zeros: the same for every picture."""
    found = outputs(edge_cell_plan(EdgeCell(("none",) * 6), image_size=16, cells=1))
    np.testing.assert_array_equal(found[0], found[1])
