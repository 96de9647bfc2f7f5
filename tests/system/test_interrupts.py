"""Ctrl-C asks once, and breaks off the second time."""

from __future__ import annotations

import signal

import pytest

from autodl.system.interrupts import Interrupts


def test_the_first_asks_and_the_second_breaks_off(capsys):
    before = signal.getsignal(signal.SIGINT)
    interrupts = Interrupts("finishing")
    with interrupts.heeding():
        assert not interrupts.asked
        signal.raise_signal(signal.SIGINT)
        assert interrupts.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    assert capsys.readouterr().err == "\nfinishing; Ctrl-C again stops at once\n"
