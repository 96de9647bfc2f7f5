#!/usr/bin/env python3
"""Make the two embedded examples of series, ``autodl/data/series/signals.npz`` and ``level.npz``.

``signals``: 720 short signals of two channels in six classes, each with a phase, a frequency, an
amplitude and a warp of time of its own, under noise. ``level``: 3,000 steps of a water level that
follows a chaotic course (Mackey and Glass, Science 197, 1977), a day's rhythm and, four steps
late, the wind, which is recorded beside it.

Example: python examples/make_series.py --out autodl/data/series
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
LENGTH, OF_EACH_CLASS, STEPS = 64, 120, 3000
NOISE = 0.6  # deviation; the signals' own is about 0.7


def tone(time: Values, phase: float) -> Values:
    """Four waves."""
    return np.sin(phase + 2 * np.pi * 4 * time)


def harmonics(time: Values, phase: float) -> Values:
    """The same, and its octave."""
    return 0.7 * np.sin(phase + 2 * np.pi * 4 * time) + 0.7 * np.sin(2 * phase + 16 * np.pi * time)


def rising(time: Values, phase: float) -> Values:
    """A pitch that rises."""
    return np.sin(phase + 2 * np.pi * (2 * time + 2.5 * time**2))


def falling(time: Values, phase: float) -> Values:
    """A pitch that falls."""
    return np.sin(phase + 2 * np.pi * (7 * time - 2.5 * time**2))


def beat(time: Values, phase: float) -> Values:
    """Four waves that swell and fade."""
    return np.sin(phase + 2 * np.pi * 4 * time) * (1 + np.sin(2 * np.pi * 2 * time + phase)) / 1.2


def bursts(time: Values, phase: float) -> Values:
    """Strokes that die away."""
    since = (time * 2.5 + phase / (2 * np.pi)) % 1
    return 1.6 * np.exp(-5 * since) * np.sin(2 * np.pi * 5 * since)


CLASSES: dict[str, Callable[[Values, float], Values]] = {
    "tone": tone,
    "harmonics": harmonics,
    "rising": rising,
    "falling": falling,
    "beat": beat,
    "bursts": bursts,
}


def signal(make: Callable[[Values, float], Values], rng: np.random.Generator) -> Values:
    """One signal ``[2, LENGTH]``; the second channel hears it later, weaker and with more noise."""
    even = np.linspace(0, 1, LENGTH)
    bend, tempo, phase = rng.uniform(-0.12, 0.12), rng.uniform(0.8, 1.25), rng.uniform(0, 2 * np.pi)
    time = tempo * (even + bend * np.sin(np.pi * even))
    delay, gain = rng.uniform(0.01, 0.05), rng.uniform(0.7, 1.3)
    pair = np.stack([make(time, phase), 0.7 * make(time - delay, phase)])
    return gain * pair + NOISE * rng.normal(size=pair.shape) * np.array([[1.0], [1.2]])


def signals(seed: int = 2018) -> dict[str, NDArray[Any]]:
    """``series`` float16 ``[720, 2, 64]`` and ``labels``, in an order that says nothing."""
    made = [
        (signal(make, np.random.default_rng((seed, number, index))), name)
        for number, (name, make) in enumerate(CLASSES.items())
        for index in range(OF_EACH_CLASS)
    ]
    order = np.random.default_rng(seed).permutation(len(made))
    series = np.stack([made[i][0] for i in order])
    # two decimals: what another processor's sine differs by is lost in the rounding
    labels = np.array([made[i][1] for i in order])
    return {"series": np.round(series, 2).astype(np.float16), "labels": labels}


def mackey_glass(steps: int, *, delay: int = 17, before: int = 500) -> Values:
    """X' = 0.2 x(t - 17) / (1 + x(t - 17)^10) - 0.1 x, by Euler's rule, a step a unit of time.

    Products alone: they are rounded alike everywhere, and chaos would make much of a last bit.
    """
    past = [1.2] * (delay + 1)
    for _ in range(before + steps):
        late, now = past[-1 - delay], past[-1]
        square = late * late
        tenth = square * square * square * square * square
        past.append(now + 0.2 * late / (1 + tenth) - 0.1 * now)
    return np.array(past[-steps:])


def level(seed: int = 2018) -> dict[str, NDArray[Any]]:
    """``values`` float32 ``[3000, 2]``, in metres and metres a second, and ``columns``."""
    rng = np.random.default_rng(seed)
    wind = np.zeros(STEPS)
    for step in range(1, STEPS):
        wind[step] = 0.9 * wind[step - 1] + rng.normal()
    day = np.sin(2 * np.pi * np.arange(STEPS) / 24)
    late = np.concatenate([np.zeros(4), wind[:-4]])
    height = 2 + mackey_glass(STEPS) + 0.15 * day + 0.08 * late + 0.02 * rng.normal(size=STEPS)
    values = np.round(np.stack([height, wind], axis=1), 3).astype(np.float32)
    return {"values": values, "columns": np.array(["level", "wind"])}


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the two files")
    folder = parser.parse_args().out
    np.savez_compressed(folder / "signals.npz", **signals())
    np.savez_compressed(folder / "level.npz", **level())


if __name__ == "__main__":
    main()
