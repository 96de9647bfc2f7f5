"""What is refused of a file that should hold a table."""

from __future__ import annotations

import json

import pytest

from autodl.errors import DataError
from autodl.plans.table_file import TableValue, read_table


class Lengths(TableValue):
    format: str
    version: int
    lengths: dict[str, float]


SOUND = {"format": "autodl list of lengths", "version": 1, "lengths": {"a": 1.5}}


def read(path):
    return read_table(path, Lengths, "list of lengths", "measure --out TABLE")


def test_a_sound_one(tmp_path):
    path = tmp_path / "lengths.json"
    path.write_text(json.dumps(SOUND))
    assert read(path).lengths == {"a": 1.5}


@pytest.mark.parametrize(
    "text, why",
    [
        (None, "cannot read the list of lengths"),
        (b"\xff", "is damaged: 'utf-8'"),
        (b"{", "is damaged: Expecting"),
        (b"[]", "is no list of lengths: its 'format' is not 'autodl list of lengths'"),
        (json.dumps({**SOUND, "format": "else"}).encode(), "is no list of lengths"),
        (json.dumps({**SOUND, "version": 2}).encode(), "has version 2, this program reads .* 1"),
        (json.dumps({**SOUND, "lengths": {"a": "x"}}).encode(), r"lengths\.a: .*, got 'x'"),
        (json.dumps({**SOUND, "width": 1}).encode(), "width: Extra inputs"),
    ],
)
def test_what_is_refused_in_one_line(tmp_path, text, why):
    path = tmp_path / "lengths.json"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(DataError, match=f"{why}.*; measure one: measure --out TABLE") as caught:
        read(path)
    assert "\n" not in str(caught.value)
