"""The benchmark of supernets' updates compares equal work; how long it takes is not tested."""

from __future__ import annotations

from autodl.jobs.bench.parts import BENCHMARKS
from autodl.jobs.bench.paths import paths


def test_it_measures_both_spaces():
    found = paths(batch=4, image_size=8, architectures=1)
    assert "paths" in BENCHMARKS
    for name in ("cells", "shuffles"):
        measured = found[f"{name}_path_ms"] / found[f"{name}_alone_ms"]
        assert found[f"{name}_ratio"] > 0
        assert abs(measured - found[f"{name}_ratio"]) < 0.1 * measured  # of rounded milliseconds
