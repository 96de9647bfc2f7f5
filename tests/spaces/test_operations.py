"""The table of operations, SAME padding by brute force, and the shapes each one promises."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from autodl.errors import EncodingError
from autodl.plans.layers import Relu
from autodl.plans.plan import PlanBuilder
from autodl.spaces import operations
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import decode_text, encode_text
from autodl.spaces.operations import (
    ORIGINAL_OPERATIONS,
    operation,
    operation_names,
    register_operation,
    same_padding,
)

ORIGINAL = (
    "conv_1x1", "conv_3x3", "conv_5x5", "dil_conv_3x3", "conv_1x3_3x1", "conv_1x5_5x1",
    "max_pool_3x3", "max_pool_5x5", "avg_pool_3x3", "avg_pool_5x5",
)  # fmt: skip
EXTRA = (
    "skip_connect", "conv_2x2", "conv_4x4", "max_pool_2x2", "max_pool_4x4", "avg_pool_2x2",
    "avg_pool_4x4", "sep_conv_2x2", "sep_conv_3x3", "sep_conv_4x4", "sep_conv_5x5",
    "conv_1x2_2x1", "conv_1x4_4x1", "dilated_2x2",
)  # fmt: skip


@pytest.fixture
def table(monkeypatch):
    """A private copy of the table, so that a test can add to it."""
    monkeypatch.setattr(operations, "_TABLE", dict(operations._TABLE))
    monkeypatch.setattr(operations, "_BY_ID", list(operations._BY_ID))


def test_ids_are_those_of_the_specification():
    assert ORIGINAL_OPERATIONS == ORIGINAL
    assert [operation(number).name for number in range(24)] == [*ORIGINAL, *EXTRA]
    assert operation_names()[:24] == ORIGINAL + EXTRA
    for number, name in enumerate(operation_names()):
        assert operation(name).id == number
        assert operation(number) is operation(name)


@pytest.mark.parametrize("key", [-1, 10_000])
def test_unknown_ids_name_the_range(key):
    with pytest.raises(EncodingError, match=rf"ids go from 0 to \d+, got {key}"):
        operation(key)


def test_unknown_names_get_a_suggestion():
    with pytest.raises(EncodingError) as caught:
        operation("conv3x3")
    message = str(caught.value)
    assert message.startswith("unknown operation 'conv3x3'. Did you mean 'conv_3x3'?")
    assert "avg_pool_5x5" in message
    assert "\n" not in message


@pytest.mark.usefixtures("table")
def test_an_added_operation_changes_no_saved_architecture():
    space = CellSpace(nodes=6, operations=operation_names())
    rng = np.random.default_rng(0)
    before = [space.sample(rng) for _ in range(20)]
    texts = [encode_text(architecture) for architecture in before]
    tokens = [architecture.to_tokens() for architecture in before]

    added = register_operation("aaa_first_by_name", operation("conv_3x3").build)

    assert added.id == len(operation_names()) - 1
    assert operation("aaa_first_by_name") is operation(added.id) is added
    restored = [decode_text(text) for text in texts]
    assert restored == before
    assert [architecture.to_tokens() for architecture in restored] == tokens
    assert [encode_text(architecture) for architecture in restored] == texts
    assert ORIGINAL_OPERATIONS == ORIGINAL


@pytest.mark.usefixtures("table")
def test_files_hold_names_so_that_another_order_of_ids_reads_them_too():
    """Another release could number its operations anew: names, not ids, carry the meaning."""
    text = encode_text(CellSpace(nodes=4).sample(np.random.default_rng(1)))
    names = json.loads(text)["normal"]["operations"]
    moved = [
        operations.Operation(number, known.name, known.build)
        for number, known in enumerate(reversed(operations._BY_ID))
    ]
    operations._BY_ID[:] = moved
    operations._TABLE.update({known.name: known for known in moved})
    assert list(decode_text(text).normal.operations) == names
    assert encode_text(decode_text(text)) == text


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    "name, message", [("conv_3x3", "exists already"), ("a b", "identifier"), ("", "identifier")]
)
def test_bad_names_are_not_registered(name, message):
    before = operation_names()
    with pytest.raises(ValueError, match=message):
        register_operation(name, operation("conv_3x3").build)
    assert operation_names() == before


def brute_force_same(size, kernel, stride, dilation):
    """The fewest zeros with which ceil(size / stride) windows fit; the odd one at the end."""
    reach = dilation * (kernel - 1) + 1
    wanted = -(-size // stride)
    total = next(t for t in range(reach + size) if (wanted - 1) * stride + reach <= size + t)
    return total // 2, total - total // 2


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_padding_by_brute_force(stride, dilation):
    for size in range(1, 34):
        for kernel in range(1, 8):
            assert same_padding(size, kernel, stride, dilation) == brute_force_same(
                size, kernel, stride, dilation
            ), (size, kernel)


@pytest.mark.parametrize("name", ORIGINAL + EXTRA)
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (7, 7), (8, 8), (5, 8), (33, 16)])
def test_shapes_in_both_roles(name, size):
    height, width = size
    for downsample, expected in [
        (False, (6, height, width)),
        (True, (12, -(-height // 2), -(-width // 2))),
    ]:
        builder = PlanBuilder((6, height, width))
        x = builder.add("before", Relu(), 0)
        end = operation(name).build(builder, x, "node", downsample)
        assert builder.shape(end) == expected
        for record in builder.finish().records[2:]:
            assert record.name.startswith("node.")


def test_spaces_never_import_a_framework():
    code = """
import pkgutil, importlib, sys
import autodl.spaces, autodl.strategies.random_search, autodl.evaluation.synthetic
for module in pkgutil.iter_modules(autodl.spaces.__path__):
    importlib.import_module(f"autodl.spaces.{module.name}")
import autodl.agents.options, autodl.recipes.options
print([name for name in ("paddle", "parl", "torch", "visualdl") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
