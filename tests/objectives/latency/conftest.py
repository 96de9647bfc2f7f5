"""A plan of three layers and a table written by hand that fits it."""

from __future__ import annotations

import json

import pytest

from autodl.plans.layers import Conv, GlobalAvgPool, Relu
from autodl.plans.plan import PlanBuilder

CONV = "Conv in_channels=3 out_channels=4 kernel=1x1 <- 3x8x8"


def _timing(ms):
    return {"ms": ms, "low": 0.5 * ms, "high": 2 * ms}


@pytest.fixture
def content():
    """The table as JSON values: 1 + 0.5 + 0.25 ms, and networks take twice their sum."""
    return {
        "format": "autodl latency table",
        "version": 1,
        "machine": {
            "kind": "cpu",
            "device": "Imagined CPU",
            "platform": "Linux riscv64",
            "threads": 1,
            "paddle": "3.3.1",
            "numpy": "2.3.0",
            "python": "3.11.1",
            "autodl": "0.1.0",
        },
        "batch_size": 1,
        "repetitions": 30,
        "config": "search/cell-demo.yaml",
        "measured": "2026-01-01T00:00:00+0000",
        "seconds": 1.5,
        "disturbed": 0.0,
        "networks": [
            {"architecture": {"kind": "cell_pair"}, "sum_ms": 2.0, "timing": _timing(ms)}
            for ms in (4.0, 3.0, 50.0)  # factors 2, 1.5, 25: their median is 2
        ],
        "records": {
            CONV: _timing(1.0),
            "Relu <- 4x8x8": _timing(0.5),
            "GlobalAvgPool <- 4x8x8": _timing(0.25),
        },
    }


@pytest.fixture
def path(tmp_path, content):
    """The table as a file."""
    path = tmp_path / "table.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def plan():
    """A convolution, a ReLU read twice, pooling."""
    builder = PlanBuilder((3, 8, 8))
    x = builder.add("conv", Conv(3, 4, (1, 1)), 0)
    x = builder.add("relu", Relu(), x)
    builder.add("pool", GlobalAvgPool(), x)
    return builder.finish()
