"""Checks of foreign JSON; what they are used for is tested with the architectures."""

from __future__ import annotations

import pytest

from autodl.errors import EncodingError
from autodl.spaces.foreign_json import check_keys, check_version, short


@pytest.mark.parametrize("version", [None, 2, 0, True, "1", [1]])
def test_only_the_known_version_is_read(version):
    check_version({"version": 1}, "thing", 1)
    with pytest.raises(EncodingError, match="this release reads thing version 1, got") as caught:
        check_version({"version": version}, "thing", 1)
    assert "\n" not in str(caught.value)


def test_keys_are_all_there_and_no_others():
    check_keys({"a": 1, "b": 2}, {"a", "b"}, "a thing")
    with pytest.raises(EncodingError, match="a thing has no 'b'; it needs a, b"):
        check_keys({"a": 1}, {"a", "b"}, "a thing")
    with pytest.raises(EncodingError, match="a thing has only the keys a, got 'c'"):
        check_keys({"a": 1, "c": 1}, {"a"}, "a thing")


def test_foreign_values_are_cut_to_one_short_line():
    assert short("two\nlines" * 50).count("\n") == 0
    assert len(short("x" * 999)) == 60
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert short(deep) == "a deeply nested value"
    while deep:  # or its destruction would be as deep
        deep = deep[0]
