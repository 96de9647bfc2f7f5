"""Numbers of a table as texts."""

from __future__ import annotations

from autodl.studies.statistics import Spread


def spread_text(spread: Spread) -> str:
    """``0.4330 ± 0.0052``; without a deviation the mean, without a number a dash."""
    if spread.n == 0:
        return "-"
    digits = digits_of(spread.mean)
    text = f"{spread.mean:,.{digits}f}"
    return text if spread.n < 2 else f"{text} ± {spread.sd:,.{digits}f}"


def signed(value: float, like: float) -> str:
    """With its sign and as many digits as a number ``like`` it has; a dash for NaN."""
    return "-" if value != value else f"{value:+,.{digits_of(like)}f}"


def digits_of(value: float) -> int:
    """Digits behind the point: four below 10, as an accuracy has, none from 1000 on."""
    size = abs(value)
    return next((digits for limit, digits in ((10, 4), (100, 2), (1000, 1)) if size < limit), 0)
