"""A mixture is its weighted operations; a decided one is the network of its architecture."""

from __future__ import annotations

from functools import partial

import numpy as np
import paddle
import pytest
from mixtures_for_tests import CELLS, GENOTYPES

from autodl.networks.network import PlanNetwork
from autodl.spaces.genotype.mixture import EDGES, NODES
from autodl.spaces.genotype.plan import genotype_plan
from autodl.spaces.genotype.space import GenotypeSpace
from autodl.supernets.relaxed.network import RelaxedNetwork, statistics_kept

CERTAIN = 1e3  # logits so far from the others that float32 has weights of 1 and 0


def inputs(seed=1):
    return paddle.to_tensor(
        np.random.default_rng(seed).normal(size=(4, 3, 8, 8)).astype(np.float32)
    )


def set_logits(network, name, values):
    network.logits[name].set_value(np.asarray(values, np.float32))


def copied(network, plan, held):
    """The plan's network with a mixture's weights; ``held`` names a layer in the mixture."""
    alone, arrays = PlanNetwork(plan, 0), network.state_dict()
    for name, value in alone.state_dict().items():
        layer, _, leaf = name.rpartition(".")
        if (source := f"{held(layer)}.{leaf}") in arrays:
            value.set_value(arrays[source])
        else:  # of batch-norms without one
            assert leaf in ("weight", "bias")
            assert "norm" in layer
    alone.train()
    return alone


def test_decided_edge_cells_are_the_discrete_network(cells):
    """Zeros that are added change nothing but the order of sums: a few float32 roundings."""
    space, rng = cells.space, np.random.default_rng(3)
    cells.train()
    for _ in range(4):
        row = rng.integers(5, size=6)
        cell = space.decode(row)
        set_logits(cells, "edges", CERTAIN * np.eye(5)[row])
        assert cells.strongest() == cell
        chosen = dict(zip(("0_1", "0_2", "1_2", "0_3", "1_3", "2_3"), cell.operations, strict=True))

        def held(layer, chosen=chosen):
            head, _, tail = layer.partition(".edge")
            return f"{head}.edge{tail[:3]}.{chosen[tail[:3]]}{tail[3:]}" if tail else layer

        alone = copied(cells, CELLS(cell), held)
        np.testing.assert_allclose(
            cells(inputs()).numpy(), alone(inputs()).numpy(), rtol=1e-4, atol=1e-5
        )


def test_decided_genotypes_are_the_discrete_network(genotypes):
    """Without pools, which have batch-norms in the mixture alone; all other edges are none."""
    space, rng = GenotypeSpace(), np.random.default_rng(3)
    without = GenotypeSpace(tuple(one for one in space.operations if "pool" not in one))
    genotypes.train()
    for _ in range(2):
        genotype = without.sample(rng)
        rows = {}
        for name, cell in (("normal", genotype.normal), ("reduce", genotype.reduce)):
            logits = np.zeros((len(EDGES), 8))
            logits[:, 0] = CERTAIN
            for number, (operation, source) in enumerate(cell.edges):
                row = EDGES.index((source, NODES[number // 2]))
                rows[name, number] = (row, operation)
                logits[row] = CERTAIN * (np.arange(8) == 1 + space.operations.index(operation))
            set_logits(genotypes, name, logits)
        reduces = {0: "reduce", 1: "reduce"}  # of two cells both: 2 // 3 and 4 // 3

        def held(layer, rows=rows, reduces=reduces):
            cell, _, inside = layer.partition(".edge")
            if not inside:
                return layer
            number, _, rest = inside.partition(".")
            row, operation = rows[reduces[int(cell.removeprefix("cell"))], int(number)]
            return f"{cell}.edge{row}.{operation}.{rest}"

        alone = copied(genotypes, GENOTYPES(genotype), held)
        np.testing.assert_allclose(
            genotypes(inputs()).numpy(), alone(inputs()).numpy(), rtol=1e-4, atol=1e-5
        )
        # the nodes that nothing else leads to are what their two strongest edges make them
        assert genotypes.space.strongest(genotypes.weights()) == genotype


def test_a_constant_added_to_a_row_changes_nothing(cells):
    """Up to float32's rounding of the shifted logits."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6, 5)).astype(np.float32)
    cells.train()
    set_logits(cells, "edges", logits)
    before, chosen = cells(inputs()).numpy(), cells.strongest()
    set_logits(cells, "edges", logits + rng.normal(size=(6, 1)))
    np.testing.assert_allclose(cells(inputs()).numpy(), before, rtol=1e-4, atol=1e-5)
    assert cells.strongest() == chosen


def test_constant_logits_and_learned_ones_compute_the_same(cells):
    set_logits(cells, "edges", np.random.default_rng(0).normal(size=(6, 5)))
    cells.train()
    constant = cells(inputs()).numpy()
    with cells.learning() as logits:
        learned = cells(inputs())
        learned.sum().backward()
        assert logits[0].grad is not None
        logits[0].clear_gradient(False)
    np.testing.assert_allclose(learned.numpy(), constant, rtol=1e-5, atol=1e-6)
    assert logits[0].stop_gradient
    loss = cells(inputs()).sum()
    loss.backward()
    assert logits[0].grad is None


def test_first_logits_are_small_and_normal_and_the_seed_is_all():
    """0.001 N(0, 1): five standard errors of 224 draws' deviation are 24 %."""
    one, same, other = (RelaxedNetwork(GenotypeSpace(), GENOTYPES, seed) for seed in (0, 0, 1))
    drawn = np.concatenate([logits.numpy().ravel() for logits in one.logits.values()])
    assert drawn.shape == (2 * 14 * 8,)
    assert abs(drawn.std() / 1e-3 - 1) < 0.24
    for name, value in one.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), same.state_dict()[name].numpy())
    assert (one.logits["normal"].numpy() != other.logits["normal"].numpy()).all()


def test_published_parameters(genotypes):
    """1,930,618 is what DARTS' own code counts, 3,349,342 its DARTS_V2; logits are not weights."""
    plan = genotype_plan(GenotypeSpace().mixture, channels=16, layers=8)
    assert plan.parameters == 1_930_618
    assert genotypes.trained_parameters == genotypes.plan.parameters
    assert "logits_normal" in genotypes.state_dict()


def test_statistics_are_kept(cells):
    cells.train()
    cells(inputs(1))
    before = {name: value.numpy() for name, value in cells.state_dict().items()}
    with statistics_kept(cells):
        cells(inputs(2))
    for name, value in cells.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])
    cells(inputs(2))
    assert (cells.state_dict()["stem.norm._mean"].numpy() != before["stem.norm._mean"]).any()


@pytest.mark.parametrize("operations", [("nor_conv_3x3",), ("none", "skip_connect")])
def test_one_operation_is_no_mixture(operations):
    from autodl.errors import ConfigError
    from autodl.spaces.edge_cell.space import EdgeCellSpace

    with pytest.raises(ConfigError, match="a mixture is of two operations or more"):
        RelaxedNetwork(EdgeCellSpace(operations), partial(CELLS), 0)
