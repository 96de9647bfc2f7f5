"""The benchmark of an update adds its layers up by kind; how long it takes is not tested."""

from __future__ import annotations

import pytest

from autodl.jobs.bench.parts import BENCHMARKS
from autodl.jobs.bench.update import update


@pytest.mark.parametrize("amp", [False, True])
def test_it_measures_the_update_and_each_kind_of_layer(amp):
    found = update(batch=16, rounds=1, amp=amp)
    assert {"update", "update-amp"} <= BENCHMARKS.keys()
    assert found["amp"] == amp
    for kind in ("convolutions", "gelu", "pools", "norms"):
        assert found[f"{kind}_ms"] > 0
    assert found["floor_ms"] > 0
    # of milliseconds that are rounded to 0.01
    ratio = found["ms_per_picture"] / found["floor_ms"]
    assert abs(found["ratio_to_floor"] - ratio) < 0.02 * ratio
