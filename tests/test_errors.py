"""The project's exceptions and the lookup of names."""

from __future__ import annotations

import inspect
import pickle

import pytest

from autodl import errors
from autodl.errors import AutoDLError, UnknownNameError, did_you_mean, lookup

FAMILY = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, AutoDLError) and kind is not AutoDLError
]


@pytest.mark.parametrize("kind", FAMILY)
def test_every_class_is_also_a_builtin_error_and_says_its_one_line(kind):
    error = kind("the value 3 is wrong")
    assert str(error) == "the value 3 is wrong"
    assert isinstance(error, ValueError | RuntimeError | ImportError | KeyError)


@pytest.mark.parametrize("kind", FAMILY)
def test_workers_can_send_it(kind):
    again = pickle.loads(pickle.dumps(kind("the value 3 is wrong")))
    assert (type(again), str(again)) == (kind, "the value 3 is wrong")


def test_lookup_finds_what_is_there():
    assert lookup({"conv": 1, "pool": None}, "pool", "operation") is None


def test_lookup_names_value_neighbour_and_what_is_known():
    with pytest.raises(UnknownNameError) as caught:
        lookup({"pool": 1, "conv_3x3": 2}, "conv_3x", "operation")
    assert str(caught.value) == (
        "unknown operation 'conv_3x'. Did you mean 'conv_3x3'? Known: conv_3x3, pool."
    )


@pytest.mark.parametrize(
    "name, known, hint",
    [
        ("sed", ["seed", "device"], " Did you mean 'seed'?"),
        ("banana", ["seed", "device"], ""),
        ("", ["seed"], ""),
        ("seed", [], ""),
    ],
)
def test_did_you_mean(name, known, hint):
    assert did_you_mean(name, iter(known)) == hint
