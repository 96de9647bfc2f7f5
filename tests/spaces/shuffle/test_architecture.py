"""Networks of shuffle blocks as values and JSON objects."""

from __future__ import annotations

import pytest

from autodl.errors import EncodingError
from autodl.spaces.shuffle.architecture import ShuffleArchitecture

ONE = ShuffleArchitecture((("shuffle_3x3", "xception_3x3"), ("shuffle_7x7",)))


def test_json_and_back():
    plain = ONE.to_json()
    assert plain["stages"] == [["shuffle_3x3", "xception_3x3"], ["shuffle_7x7"]]
    assert ShuffleArchitecture.from_json(plain) == ONE


@pytest.mark.parametrize(
    "change, wanted",
    [
        ({"version": 2}, "reads shuffle version 1, got 2"),
        ({"stages": "all"}, "stages must be lists of names of blocks, got 'all'"),
        ({"stages": [["shuffle_3x3"], 4]}, "stages must be lists"),
        ({"stages": []}, "a stage or more, each with a block or more"),
        ({"stages": [["shuffle_3x3"], []]}, "a stage or more"),
        ({"stages": [["shufle_3x3"]]}, "Did you mean 'shuffle_3x3'"),
        ({"width": 3}, "only the keys"),
    ],
)
def test_mistakes(change, wanted):
    with pytest.raises(EncodingError, match=wanted):
        ShuffleArchitecture.from_json({**ONE.to_json(), **change})
