"""Networks for series as values: what they hold, their JSON, what is refused."""

from __future__ import annotations

import pytest

from autodl.errors import EncodingError
from autodl.spaces.codec import decode_text, encode_text
from autodl.spaces.sequence.architecture import (
    GATES,
    HEADS,
    OPERATIONS,
    SequenceArchitecture,
    SequenceBlock,
)

ONE = SequenceArchitecture((SequenceBlock("conv_3", "linear", True, False),), "last")


def test_the_json_form_is_by_name():
    assert ONE.to_json() == {
        "kind": "sequence",
        "version": 1,
        "blocks": [{"operation": "conv_3", "gate": "linear", "skip": True, "halve": False}],
        "head": "last",
    }


def test_every_value_round_trips():
    for operation in OPERATIONS:
        for gate in GATES:
            for head in HEADS:
                block = SequenceBlock(operation, gate, halve=gate == "none")
                architecture = SequenceArchitecture([block, block], head)
                assert decode_text(encode_text(architecture)) == architecture
                assert isinstance(architecture.blocks, tuple)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"version": 2}, "reads sequence version 1, got 2"),
        ({"head": "first"}, "head is one of mean, max, last; got 'first'"),
        ({"blocks": []}, "has 1 to 64 blocks, got 0"),
        ({"blocks": {}}, "must be a list of objects"),
        ({"blocks": [7]}, "block 0 must be an object"),
        ({"more": 1}, "has only the keys"),
    ],
)
def test_what_is_no_network_for_series_is_refused(change, message):
    with pytest.raises(EncodingError, match=message) as caught:
        SequenceArchitecture.from_json({**ONE.to_json(), **change})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"operation": "conv3"}, "Did you mean 'conv_3'"),
        ({"operation": ["conv_3"]}, "block 0: a block's operation is one of"),
        ({"gate": None}, "gate is one of none, linear, temporal, channel; got None"),
        ({"skip": 1}, "skip is true or false; got 1"),
        ({"halve": "yes"}, "halve is true or false; got 'yes'"),
    ],
)
def test_what_is_no_block_is_refused(change, message):
    value = ONE.to_json()
    value["blocks"][0] |= change
    with pytest.raises(EncodingError, match=message) as caught:
        SequenceArchitecture.from_json(value)
    assert "\n" not in str(caught.value)
