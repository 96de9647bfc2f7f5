"""Roles are played by methods that can be called so, not by names."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Protocol, TypeVar, runtime_checkable

import pytest

from autodl.errors import ConfigError
from autodl.system.roles import Role, missing, require

T = TypeVar("T")


@runtime_checkable
class Walker(Role, Protocol[T]):
    """Walks."""

    pace: int

    def walk(self, way: T, steps: int) -> T:
        """Walk."""
        ...

    @property
    def home(self) -> str:
        """Where it lives."""
        ...


@runtime_checkable
class Runner(Walker[T], Protocol[T]):
    """Runs, too."""

    def run(self, rest: float = 0.0) -> None:
        """Run."""
        ...


class Dog:
    pace, home = 3, "here"

    def walk(self, where, how_far, *more):
        return where

    def run(self):
        pass


class Statue:
    pace, home, walk = 0, "there", 5


class Slow(Dog):
    def walk(self, way):
        return way


class Called(Protocol):
    """Called with a thing."""

    def __call__(self, thing: int) -> int:
        """Call."""
        ...


@pytest.mark.parametrize(
    "value, lacks",
    [
        (Dog(), []),
        (Slow(), ["walk(way, steps)"]),
        (Statue(), ["walk(way, steps)", "run()"]),
        (SimpleNamespace(walk=lambda way, steps: way, run=print, home="", pace=1), []),
        (SimpleNamespace(walk=partial(max, 3), run=lambda: None), ["pace", "home"]),
        (None, ["pace", "walk(way, steps)", "home", "run()"]),
    ],
)
def test_what_is_missing_is_named_as_one_would_write_it(value, lacks):
    assert missing(value, Runner) == lacks
    assert isinstance(value, Runner) == (not lacks)


def test_a_number_of_a_methods_name_plays_no_role():
    assert not isinstance(Statue(), Walker)
    assert isinstance(Dog(), Walker)


@pytest.mark.parametrize(
    "value, calls",
    [
        (lambda thing: thing, True),
        (lambda: 0, False),
        (lambda one, two: 0, False),
        (5, False),
        (SimpleNamespace(__call__=lambda thing: thing), False),  # Python would not find it
        (partial(max, 1), True),
        (int, True),
    ],
)
def test_whether_something_can_be_called(value, calls):
    assert (not missing(value, Called)) == calls


def test_the_message_names_who_needs_what():
    require(Dog(), Runner, "the race needs runners")
    with pytest.raises(ConfigError) as caught:
        require(Statue(), Runner, "the race needs runners")
    wanted = "the race needs runners, and Statue lacks walk(way, steps), run()"
    assert str(caught.value) == wanted
