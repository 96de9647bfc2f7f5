"""The space of DARTS: rows, published genotypes in it, and what weights stand for."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.spaces.genotype.architecture import Genotype, GenotypeCell, published_genotype
from autodl.spaces.genotype.mixture import EDGES
from autodl.spaces.genotype.plan import genotype_plan
from autodl.spaces.genotype.space import GenotypeSpace
from autodl.strategies.evolution import Evolution
from autodl.strategies.options import EvolutionOptions
from autodl.trial import Evaluation, Trial, TrialState

SPACE = GenotypeSpace()
V2 = published_genotype("DARTS_V2")


def test_a_row_has_three_decisions_of_each_node():
    assert SPACE.sizes == (1, 7, 7, 3, 7, 7, 6, 7, 7, 10, 7, 7) * 2
    assert SPACE.labels[:4] == (
        *("normal node 2 reads", "normal node 2 earlier", "normal node 2 later"),
        "normal node 3 reads",
    )
    row = SPACE.encode(V2)
    # node 5 of the normal cell: skip_connect of node 0 and dil_conv_3x3 of 2, the second pair
    assert row[9:12].tolist() == [1, 2, 5]
    assert EDGES[:5] == ((0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    assert len(EDGES) == 14


def test_published_genotypes_are_of_the_space_and_their_canonical_form_is_the_same_network():
    for name in ("DARTS_V1", "DARTS_V2"):
        genotype = published_genotype(name)
        form = SPACE.canonical(genotype)
        assert SPACE.decode(SPACE.encode(genotype)) == form
        assert genotype_plan(form).parameters == genotype_plan(genotype).parameters
        assert genotype_plan(form).macs == genotype_plan(genotype).macs
    assert genotype_plan(SPACE.canonical(V2)).parameters == 3_349_342


@pytest.mark.parametrize(
    "change, wanted",
    [
        ({"edges": (("sep_conv_3x3", 0), ("skip_connect", 0)) * 4}, "reads node 0 twice"),
        ({"edges": (("sep_conv_7x7", 0), ("skip_connect", 1)) * 4}, "'sep_conv_7x7', which"),
        ({"concat": (3, 4, 5)}, "all of which are its output"),
        ({"edges": V2.normal.edges[:6], "concat": (2, 3, 4)}, "has 3 nodes"),
    ],
)
def test_other_genotypes_are_refused(change, wanted):
    cell = replace(V2.normal, **change) if "concat" in change else None
    cell = cell or GenotypeCell(change["edges"], (2, 3, 4, 5))
    for genotype in (Genotype(cell, V2.reduce), Genotype(V2.reduce, cell)):
        with pytest.raises(ConfigError, match=wanted):
            SPACE.check(genotype)


@pytest.mark.parametrize("operations", [(), ("none",), ("skip_connect", "skip_connect")])
def test_spaces_that_cannot_be_are_refused(operations):
    with pytest.raises(ConfigError, match=r"Space.operations must be some of skip_connect"):
        GenotypeSpace(operations)


def test_any_weights_stand_for_a_genotype_of_the_space():
    """Two different earlier nodes each, never none: those of the largest weights without none."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        weights = {name: rng.dirichlet(np.ones(8), size=14) for name in ("normal", "reduce")}
        genotype = SPACE.check(SPACE.strongest(weights))
        assert genotype == SPACE.canonical(genotype)
        for name, cell in (("normal", genotype.normal), ("reduce", genotype.reduce)):
            table = weights[name]
            for number, (operation, source) in enumerate(cell.edges):
                row = EDGES.index((source, number // 2 + 2))
                assert operation == SPACE.operations[table[row, 1:].argmax()]
                kept = {source for _, source in cell.edges[number - number % 2 :][:2]}
                others = [one for one in range(number // 2 + 2) if one not in kept]
                for other in others:
                    rival = EDGES.index((other, number // 2 + 2))
                    assert table[row, 1:].max() >= table[rival, 1:].max()


def test_none_counts_for_nothing_and_of_equals_the_first_is_taken():
    weights = np.full((14, 8), 0.02)
    weights[:, 0] = 0.86
    equal = SPACE.strongest({"normal": weights, "reduce": weights})
    assert equal.normal.edges == (("max_pool_3x3", 0), ("max_pool_3x3", 1)) * 4
    weights[EDGES.index((3, 5)), 4] = 0.03
    raised = SPACE.strongest({"normal": weights, "reduce": weights})
    assert raised.normal.edges[6:] == (("max_pool_3x3", 0), ("sep_conv_3x3", 3))


def test_evolution_searches_it():
    """Towards skip connections, which are counted: 16 of 16 is the most."""
    strategy = Evolution(SPACE, EvolutionOptions(population=12, tournament=6))
    best = 0
    for number in range(250):
        genotype = strategy.ask(np.random.default_rng(number))
        skips = SPACE.operations_of(genotype).count("skip_connect")
        best = max(best, skips)
        strategy.tell(Trial(number, genotype, TrialState.COMPLETE, Evaluation(float(skips))))
    assert best >= 10


def test_an_architecture_file_has_darts_four_keys():
    text = json.dumps(SPACE.sample(np.random.default_rng(0)).to_json())
    assert set(json.loads(text)) == {
        *("kind", "version", "normal", "normal_concat", "reduce", "reduce_concat")
    }
