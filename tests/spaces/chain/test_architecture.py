"""Chains of blocks as values and JSON objects."""

from __future__ import annotations

import pytest

from autodl.errors import EncodingError
from autodl.spaces.chain.architecture import ChainArchitecture

CHAIN = ChainArchitecture(("identity", "mb_conv_3_by_3") * 4)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"version": True}, "reads chain version 1, got True"),
        ({"blocks": None}, "must be a list of names, got None"),
        ({"blocks": ["identity"] * 9}, "a chain has 8 places for blocks, got 9"),
        ({"blocks": ["mb_conv_3by3"] * 8}, "Did you mean 'mb_conv_3_by_3'?"),
        ({"head": 1}, "has only the keys blocks, kind, version, got 'head'"),
    ],
)
def test_damaged_objects_are_refused_in_one_line(change, message):
    with pytest.raises(EncodingError) as caught:
        ChainArchitecture.from_json({**CHAIN.to_json(), **change})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
