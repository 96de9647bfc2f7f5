"""The benchmark measures what it says; how fast it is, it alone says."""

from __future__ import annotations

import time

import numpy as np
import pytest

from autodl.jobs.bench import reparam as benchmark
from autodl.plans.layers import GlobalAvgPool, Linear, Relu
from autodl.plans.plan import PlanBuilder
from autodl.plans.stacking import conv_norm

FORMS = (
    "trained_eager",
    "fused_eager",
    "built_plain_eager",
    "trained_inference",
    "fused_inference",
)


def tiny():
    """One convolution, so that both forms are exported and timed in no time."""
    builder = PlanBuilder((3, 6, 6))
    x = builder.add("relu", Relu(), conv_norm(builder, 0, "stem", 4, 3))
    builder.add("classifier", Linear(4, 10), builder.add("pool", GlobalAvgPool(), x))
    return builder.finish()


def test_keys_and_values(monkeypatch):
    """With runners that sleep in the place of networks, which the next test makes and runs."""
    asked = []

    def runners(plan, block, folder):
        asked.append((plan, block, folder.is_dir()))
        return {form: lambda images: time.sleep(0.002) for form in FORMS}

    monkeypatch.setattr(benchmark, "_runners", runners)
    monkeypatch.setattr(benchmark, "NETWORKS", {"tiny": (tiny(), "dbb")})
    numbers = benchmark.reparam(repetitions=2)
    assert asked == [(tiny(), "dbb", True)]
    assert numbers.pop("repetitions") == 2
    expected = set()
    for at in ("tiny_batch_1", "tiny_batch_64"):
        expected |= {f"{at}_{form}_ms" for form in FORMS}
        for way in ("eager", "inference"):
            expected.add(f"{at}_{way}_speedup")
            trained, fused = (numbers[f"{at}_{form}_{way}_ms"][1] for form in ("trained", "fused"))
            # rounded to 0.005, from times of 2 ms and more that are rounded to 0.0005 ms
            assert numbers[f"{at}_{way}_speedup"] == pytest.approx(trained / fused, 1e-3, 0.006)
    assert set(numbers) == expected
    for key, value in numbers.items():
        if key.endswith("_ms"):
            assert 2 <= value[0] <= value[1] <= value[2]


def test_the_fused_form_is_what_was_trained(tmp_path):
    """1e-4 of the largest output: float32, through batch-norms of fresh statistics."""
    plan = tiny()
    runners = benchmark._runners(plan, "dbb", tmp_path)
    assert set(runners) == set(FORMS)
    images = np.random.default_rng(0).normal(size=(2, *plan.input_shape)).astype("float32")
    outputs = {name: runner(images) for name, runner in runners.items()}
    expected = outputs.pop("trained_eager")
    assert not np.allclose(outputs.pop("built_plain_eager"), expected)
    for found in outputs.values():
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_the_networks_fit_the_machine():
    """Batch 64 in about a second each, at 5 x 10^9 multiply-accumulates a second."""
    for plan, block in benchmark.NETWORKS.values():
        assert block in ("dbb", "repvgg")
        assert plan.input_shape == (3, 32, 32)
        assert 64 * plan.macs < 5e9
