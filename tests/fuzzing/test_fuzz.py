"""A sample of what ``fuzz.py`` tries in full: no input ends in a foreign exception."""

from __future__ import annotations

import pytest
from fuzz import KINDS, outcome
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_input_is_read_right_or_refused_in_one_line(kind, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")

    @settings(max_examples=150)
    @given(st.integers(0, 2**32))
    def each(number):
        found = outcome(kind, 0, number, folder)
        assert found in ("accepted", "refused"), found

    each()


def test_the_inputs_are_not_all_too_bad(tmp_path):
    for kind in KINDS:
        found = [outcome(kind, 1, number, tmp_path) for number in range(200)]
        assert {"accepted", "refused"} <= set(found), kind
