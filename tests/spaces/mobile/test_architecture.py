"""Mobile blocks and their space: codes, JSON, uniform draws, single mutations."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from autodl.errors import ConfigError, EncodingError
from autodl.spaces.codec import decode_architecture, decode_text, encode_text
from autodl.spaces.mobile.architecture import PRIMITIVES, MobileArchitecture, MobileBlock
from autodl.spaces.mobile.space import MobileSpace

SPACE = MobileSpace()
BLOCK = MobileBlock("sep_conv", 3, False, 1, 1.0)
PLAIN = MobileArchitecture((BLOCK,) * 7)


def test_all_block_codes_round_trip():
    """Codes, object and text of all 288 blocks; the size of the space is 288 ** 7."""
    codes = list(itertools.product(*map(range, SPACE.choices)))
    assert len(codes) == 288
    assert len(codes) ** SPACE.blocks == 164_341_563_462_254_592
    for start in range(0, 288, 6):  # seven at a time, the last of one being the first of the next
        rows = np.array([codes[(start + i) % 288] for i in range(7)])
        architecture = SPACE.decode(rows)
        np.testing.assert_array_equal(SPACE.encode(architecture).reshape(7, 5), rows)
        assert SPACE.decode(rows.reshape(-1)) == architecture
        assert MobileArchitecture.from_json(architecture.to_json()) == architecture


def test_random_networks_round_trip():
    rng = np.random.default_rng(0)
    for _ in range(2_000):
        codes = rng.integers(SPACE.choices, size=(7, 5))
        architecture = SPACE.decode(codes)
        assert (SPACE.encode(architecture) == codes.reshape(-1)).all()
        assert decode_text(encode_text(architecture)) == architecture


def test_codes_are_those_of_the_public_code():
    """Operation, kernel 2 * (code + 1) + 1, skip, depth code + 1; widths in rising order."""
    architecture = SPACE.decode([[2, 1, 1, 3, 0]] * 7)
    assert architecture.blocks[3] == MobileBlock("mb_conv_6", 5, True, 4, 0.5)
    assert SPACE.encode(architecture).dtype == np.int64
    for code, kernel in enumerate(PRIMITIVES["kernel"]):
        assert kernel == 2 * (code + 1) + 1
    assert PRIMITIVES["depth"] == tuple(code + 1 for code in range(4))


def test_the_json_form_is_by_name_and_value():
    assert PLAIN.to_json()["blocks"][0] == {
        "operation": "sep_conv",
        "kernel": 3,
        "skip": False,
        "depth": 1,
        "width": 1.0,
    }
    assert PLAIN.to_json()["kind"] == SPACE.kind


def test_equal_numbers_of_other_types_give_equal_texts():
    same = MobileBlock("sep_conv", np.int64(3), False, 1, 1)
    assert same == BLOCK
    assert (type(same.kernel), type(same.width)) == (int, float)
    assert encode_text(MobileArchitecture([same] * 7)) == encode_text(PLAIN)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"operation": "mb_conv_4"}, "operation is one of sep_conv, mb_conv_3, mb_conv_6; got"),
        ({"operation": 0}, "operation is one of"),
        ({"kernel": 4}, "kernel is one of 3, 5, 7; got 4"),
        ({"kernel": "3"}, "kernel is one of"),
        ({"kernel": [3]}, "kernel is one of"),
        ({"skip": 1}, "skip is one of False, True; got 1"),
        ({"depth": 5}, "depth is one of 1, 2, 3, 4; got 5"),
        ({"depth": True}, "depth is one of 1, 2, 3, 4; got True"),
        ({"width": 0.75}, "width is one of 0.5, 1.0, 1.5, 2.0; got 0.75"),
        ({"width": float("nan")}, "width is one of"),
        ({"width": None}, "width is one of"),
    ],
)
def test_values_outside_the_space_are_refused(change, message):
    values = {name: getattr(BLOCK, name) for name in PRIMITIVES} | change
    with pytest.raises(EncodingError, match=message):
        MobileBlock(**values)
    stored = PLAIN.to_json()
    stored["blocks"][4] = values
    with pytest.raises(EncodingError, match=f"block 4: a block's {message}") as caught:
        decode_architecture(stored)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"version": 2}, "reads mobile version 1, got 2"),
        ({"blocks": 7}, "blocks must be a list of objects, got 7"),
        ({"blocks": [1] * 7}, "block 0 must be an object, got 1"),
        ({"blocks": [{}] * 7}, "block 0 has no 'depth'"),
        ({"blocks": []}, "has 7 blocks, got 0"),
        ({"stem": 32}, "a mobile network has only the keys blocks, kind, version, got 'stem'"),
    ],
)
def test_other_json_is_refused(change, message):
    text = json.dumps(PLAIN.to_json() | change)
    with pytest.raises(EncodingError, match=message) as caught:
        decode_text(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "codes, message",
    [
        ([[0, 0, 0, 0, 4]] * 7, "codes of width go from 0 to 3, got 4"),
        ([[0, 0, -1, 0, 0]] * 7, "codes of skip go from 0 to 1, got -1"),
        ([[0] * 5] * 6, r"7 rows of 5 integers, got int64 of shape \[6, 5\]"),
        ([[0] * 4] * 7, "7 rows of 5 integers"),
        ([[0.0] * 5] * 7, "7 rows of 5 integers, got float64"),
        ([[True] * 5] * 7, "7 rows of 5 integers, got bool"),
        ([], "7 rows of 5 integers"),
    ],
)
def test_codes_outside_the_space_are_refused(codes, message):
    with pytest.raises(EncodingError, match=message):
        SPACE.decode(codes)


def test_blocks_are_checked():
    with pytest.raises(EncodingError, match="has 7 blocks, got 6"):
        MobileArchitecture((BLOCK,) * 6)
    with pytest.raises(ConfigError, match="holds mobile networks, got a list"):
        SPACE.check([BLOCK] * 7)


def test_every_primitive_of_every_block_is_sampled_uniformly():
    """Chi-square of 35 multinomials: below mean + 5 standard deviations of its distribution.

    It has as many degrees of freedom as there are choices less one, in each of the 35; a
    chi-square's variance is twice its mean. The seed is fixed.
    """
    rng, draws = np.random.default_rng(3), 4000
    codes = np.stack([SPACE.encode(SPACE.sample(rng)).reshape(7, 5) for _ in range(draws)])
    statistic = 0.0
    for primitive, count in enumerate(SPACE.choices):
        for block in range(SPACE.blocks):
            observed = np.bincount(codes[:, block, primitive], minlength=count)
            statistic += ((observed - draws / count) ** 2 / (draws / count)).sum()
    freedom = SPACE.blocks * sum(count - 1 for count in SPACE.choices)
    assert statistic < freedom + 5 * np.sqrt(2 * freedom)


def test_a_mutation_gives_one_primitive_of_one_block_another_value_evenly():
    """Of 77 neighbours, a primitive's share one in 35 of the draws, evenly; bound as above."""
    rng, draws = np.random.default_rng(4), 20_000
    parent = SPACE.sample(rng)
    codes = SPACE.encode(parent).reshape(7, 5)
    counts: dict[tuple[int, int, int], int] = {}
    for _ in range(draws):
        child = SPACE.encode(SPACE.mutate(parent, rng)).reshape(7, 5)
        ((block, primitive),) = np.argwhere(child != codes)
        key = (int(block), int(primitive), int(child[block, primitive]))
        counts[key] = counts.get(key, 0) + 1
    neighbours = SPACE.blocks * sum(count - 1 for count in SPACE.choices)
    assert len(counts) == neighbours == 77
    expected = {key: draws / 35 / (SPACE.choices[key[1]] - 1) for key in counts}
    statistic = sum((counts[key] - expected[key]) ** 2 / expected[key] for key in counts)
    assert statistic < (neighbours - 1) + 5 * np.sqrt(2 * (neighbours - 1))
