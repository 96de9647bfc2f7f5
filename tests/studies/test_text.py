"""Numbers as texts."""

import pytest

from autodl.studies.statistics import Spread
from autodl.studies.text import signed, spread_text

NAN = float("nan")


@pytest.mark.parametrize(
    "spread, text",
    [
        (Spread(3, 0.43301, 0.0052, 0.4), "0.4330 ± 0.0052"),
        (Spread(2, 77.125, 0.5, 77), "77.12 ± 0.50"),
        (Spread(2, 1_429_067.3, 1000.4, 0), "1,429,067 ± 1,000"),
        (Spread(1, 123.45, NAN, 123.45), "123.5"),
        (Spread(0, NAN, NAN, NAN), "-"),
    ],
)
def test_spread(spread, text):
    assert spread_text(spread) == text


def test_signed():
    assert signed(0.5, 0.1) == "+0.5000"
    assert signed(-2_000.4, 5_000) == "-2,000"
    assert signed(NAN, 1) == "-"
