"""Output that is collected, whoever writes it."""

from __future__ import annotations

import os
import sys

import pytest

from autodl.networks.quiet import quiet


def test_everything_is_collected_and_nothing_else(capfd):
    print("before")
    with quiet() as printed:
        print("from Python")
        print("errors too", file=sys.stderr)
        first = printed()
        os.write(1, b"past Python\n")
        os.write(2, b"and its errors\n")
        print("last")
        text = printed()
    print("after")
    assert first == "from Python\nerrors too\n"
    assert text == first + "past Python\nand its errors\nlast\n"
    assert capfd.readouterr() == ("before\nafter\n", "")


def test_an_error_passes_and_output_is_back(capfd):
    def fail():
        with quiet():
            print("lost")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    os.write(1, b"shown\n")
    print("too")
    assert sorted(capfd.readouterr().out.split()) == ["shown", "too"]
