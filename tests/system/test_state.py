"""State as bytes and back."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from autodl.errors import StoreError
from autodl.system.state import decode_state, encode_state

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
DTYPES = ["float32", "float64", "float16", "int64", "int8", "uint8", "bool"]
ARRAYS = arrays.arrays(
    st.sampled_from(DTYPES), arrays.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=3)
)
STATES = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        SCALARS | ARRAYS,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


def equal(one, two):
    if isinstance(one, np.ndarray):
        same = isinstance(two, np.ndarray) and (one.dtype, one.shape) == (two.dtype, two.shape)
        return same and one.tobytes() == two.tobytes()
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(equal(one[key], two[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(map(equal, one, two))
    return type(one) is type(two) and one == two


@settings(max_examples=60, deadline=None)  # machines may be busy
@given(STATES)
def test_what_is_packed_comes_back(state):
    assert equal(decode_state(encode_state(state)), state)


def test_numpy_scalars_and_tuples_come_back_plain():
    state = decode_state(encode_state({"x": (np.float32(0.5), np.int64(3), np.bool_(True))}))
    assert state == {"x": [0.5, 3, True]}
    assert [type(value) for value in state["x"]] == [float, int, bool]


def test_infinities_and_nan_come_back():
    state = decode_state(encode_state({"x": [math.inf, -math.inf, math.nan]}))
    assert state["x"][:2] == [math.inf, -math.inf]
    assert math.isnan(state["x"][2])


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4).T,
        np.arange(12)[::-2],
        np.arange(4, dtype=">i4"),
        np.array(2.5),
        np.zeros((0, 3), np.float32),
    ],
    ids=["transposed", "reversed", "big-endian", "no axis", "empty"],
)
def test_arrays_of_any_layout_come_back(array):
    again = decode_state(encode_state({"x": array}))["x"]
    assert again.shape == array.shape
    np.testing.assert_array_equal(again, array)


def test_keys_cannot_be_mistaken_for_paths():
    state = {"a/b": np.zeros(1), "a": {"b": np.ones(2), "0": np.full(3, 2.0)}, "l": [np.ones(4)]}
    assert equal(decode_state(encode_state(state)), state)


def test_arrays_can_be_changed_in_place_and_belong_to_the_caller():
    state = decode_state(encode_state({"x": np.zeros(3)}))
    state["x"] += 1
    source = np.zeros(3)
    packed = encode_state({"x": source})
    source += 1
    np.testing.assert_array_equal(decode_state(packed)["x"], np.zeros(3))


@pytest.mark.parametrize(
    "value",
    [
        {1: "a"},
        {"__array__": "0"},
        {"x": {"__array__": 1}},
        {"x": {1, 2}},
        {"x": object()},
        {"x": b"bytes"},
        {"x": np.array(["text"])},
        {"x": np.array([object()])},
        {"x": np.array([1j])},
    ],
)
def test_what_could_not_come_back_is_refused(value):
    with pytest.raises(TypeError):
        encode_state(value)


def test_damaged_bytes_give_store_errors_only():
    packed = encode_state({"weights": {"w": np.arange(20.0)}, "told": [1, {"x": None}], "t": "é"})
    rng, refused = np.random.default_rng(0), 0
    cases = [packed[:length] for length in range(0, len(packed), 7)]
    for _ in range(300):
        damaged = bytearray(packed)
        damaged[rng.integers(len(packed) - 160)] = rng.integers(256)
        cases.append(bytes(damaged))
    for case in [*cases, b"", b"\0" * 8, b"\x02" + b"\0" * 7 + b"{}"]:
        with contextlib.suppress(StoreError):  # and nothing else
            decode_state(case)
            continue
        refused += 1
    assert refused > 200
