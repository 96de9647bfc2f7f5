"""What DARTS calls the tensors of a genotype's network."""

from __future__ import annotations

import pytest

from autodl.errors import CheckpointError
from autodl.spaces.classic.cifar_quick import cifar_quick_plan
from autodl.spaces.genotype.names import darts_names, from_darts
from autodl.spaces.genotype.plan import published_genotype_plan

PLAN = published_genotype_plan(genotype="LRC_1", channels=4, layers=3)


def test_names_as_the_code_of_darts_has_them():
    names = darts_names(PLAN)
    assert names["stem.conv.weight"] == "stem.0.weight"
    assert names["stem.norm._mean"] == "stem.1.running_mean"
    assert names["cell0.edge0.first.depthwise.weight"] == "cells.0._ops.0.op.1.weight"
    assert names["cell0.edge0.second.norm._variance"] == "cells.0._ops.0.op.7.running_var"
    assert names["cell0.entry1.norm.bias"] == "cells.0.preprocess1.op.2.bias"
    assert names["cell2.entry0.halve.odd.weight"] == "cells.2.preprocess0.conv_2.weight"
    assert names["cell2.entry0.halve.norm.weight"] == "cells.2.preprocess0.bn.weight"
    assert names["head.classifier.bias"] == "classifier.bias"
    head = darts_names(PLAN, auxiliary=True)
    assert head["auxiliary.widen.conv.weight"] == "auxiliary_head.features.5.weight"
    assert not set(head) & set(names)


def test_pairs_are_sequences_without_a_name():
    """DARTS writes ``nn.Sequential(ReLU, Conv2d, Conv2d, BatchNorm2d)`` for them."""
    names = darts_names(published_genotype_plan(genotype="AmoebaNet-A", channels=4, layers=3))
    pair = [own for own in names if ".pair." in own and own.endswith(".weight")]
    assert [names[own].split("._ops.")[1].split(".", 1)[1] for own in pair[:3]] == [
        "1.weight",
        "2.weight",
        "3.weight",
    ]


def test_arrays_get_the_names_of_the_network():
    names = darts_names(PLAN)
    arrays = {other: number for number, other in enumerate(sorted(names.values()))}
    assert from_darts(PLAN, arrays) == {own: arrays[other] for own, other in names.items()}
    with pytest.raises(CheckpointError, match=r"the network has no 'cells\.5\.bn'$"):
        from_darts(PLAN, {**arrays, "cells.5.bn": 0})
    del arrays["cells.2._ops.3.op.1.weight"]
    with pytest.raises(CheckpointError, match=r"'cells\.2\._ops\.3\.op\.1\.weight' is missing$"):
        from_darts(PLAN, arrays)
    del arrays["stem.0.weight"]
    with pytest.raises(CheckpointError, match="is missing, and 1 others"):
        from_darts(PLAN, arrays)


def test_a_layer_of_another_network_has_no_name():
    with pytest.raises(ValueError, match="is no layer of a genotype's network"):
        darts_names(cifar_quick_plan())
