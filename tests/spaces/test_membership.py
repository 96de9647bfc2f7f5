"""Whether an architecture is of a space, and the codes of its values."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.errors import ConfigError, EncodingError
from autodl.spaces.membership import check_used, codes_of, of_kind, values_of

ALTERNATIVES = (("a", "b"), (1, 2, 4), (True, False))


def test_an_architecture_of_the_kind_is_handed_on():
    value = [1]
    assert of_kind(value, list, "lists") is value


def test_one_of_another_kind_is_refused_by_name():
    with pytest.raises(ConfigError, match="this space holds lists, got a tuple"):
        of_kind((1,), list, "lists")


def test_the_first_value_that_is_left_out_is_named():
    check_used(["x", "y", "x"], ("x", "y"), "it uses")
    check_used([], ("x",), "it uses")
    with pytest.raises(ConfigError, match=r"^it uses 'z', which .*; it chooses from x, y$"):
        check_used(["x", "z", "w"], ("x", "y"), "it uses")


def test_codes_are_the_places_of_values():
    for row in np.ndindex(2, 3, 2):
        values = values_of(np.array(row), ALTERNATIVES)
        assert values == [some[code] for some, code in zip(ALTERNATIVES, row, strict=True)]
        assert codes_of(values, ALTERNATIVES).tolist() == list(row)
    assert codes_of(["b", 4, True], ALTERNATIVES).dtype == np.int64


@pytest.mark.parametrize("row", [[0, 0], [0, 3, 0], [0.0, 0.0, 0.0]])
def test_a_row_that_is_none_is_refused(row):
    with pytest.raises(EncodingError):
        values_of(np.array(row), ALTERNATIVES)
