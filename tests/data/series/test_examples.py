"""The embedded series are those that the committed script makes, and what it says they are."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from autodl.data.series import labelled, recording
from autodl.system.resources import PACKAGE

FOLDER = PACKAGE / "data" / "series"
SCRIPT = PACKAGE.parent / "examples" / "make_series.py"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize("name, unit", [("signals", 0.01), ("level", 0.001)])
def test_the_script_makes_them_value_for_value(script, name, unit):
    """One unit of the last decimal is allowed: another processor's sine may round the other way."""
    with np.load(FOLDER / f"{name}.npz") as stored:
        made = script[name]()
        assert {*stored.files} == {*made}
        for array, values in made.items():
            assert (stored[array].dtype, stored[array].shape) == (values.dtype, values.shape)
            if values.dtype.kind == "f":
                apart = np.abs(stored[array].astype(float) - values.astype(float))
                assert apart.max() <= unit * 1.01 + 2**-10 * (name == "signals")
                assert (apart > 0).mean() < 1e-3
            else:
                assert (stored[array] == values).all()


def test_they_are_small():
    assert sum(path.stat().st_size for path in Path(FOLDER).glob("*.npz")) < 200_000


def test_signals_are_six_classes_of_two_channels():
    found = labelled.read_labelled(FOLDER / "signals.npz")
    assert found.values.shape == (720, 2, 64)
    assert {name: found.labels.count(name) for name in sorted({*found.labels})} == dict.fromkeys(
        ("beat", "bursts", "falling", "harmonics", "rising", "tone"), 120
    )


def test_the_level_follows_the_wind_four_steps_late():
    found = recording.read_recording(FOLDER / "level.npz")
    assert (found.values.shape, found.columns) == ((3000, 2), ("level", "wind"))
    level, wind = found.values.T
    # the wind is a chain of its own, 0.9 of the step before: neighbours correlate as well
    by_delay = [np.corrcoef(level[9:], wind[9 - d : 3000 - d])[0, 1] for d in range(9)]
    assert int(np.argmax(by_delay)) == 4
