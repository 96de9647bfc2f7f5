"""The benchmark measures what it says; how fast it is, it alone says."""

from __future__ import annotations

import numpy as np

from autodl.reparam import benchmark
from autodl.spaces.classic.cifar_quick import cifar_quick_plan

FORMS = (
    "trained_eager",
    "fused_eager",
    "built_plain_eager",
    "trained_inference",
    "fused_inference",
)


def test_keys_and_values(monkeypatch):
    networks = {"tiny": (cifar_quick_plan(image_size=15), "dbb")}
    monkeypatch.setattr(benchmark, "NETWORKS", networks)
    numbers = benchmark.reparam(repetitions=2)
    expected = {"repetitions"}
    for at in ("tiny_batch_1", "tiny_batch_64"):
        expected |= {f"{at}_{form}_ms" for form in FORMS}
        expected |= {f"{at}_eager_speedup", f"{at}_inference_speedup"}
    assert set(numbers) == expected
    for key, value in numbers.items():
        if key.endswith("_ms"):
            assert 0 < value[0] <= value[1] <= value[2]
        else:
            assert value > 0


def test_the_fused_form_is_what_was_trained(tmp_path):
    """1e-4 of the largest output: float32, through batch-norms of fresh statistics."""
    plan = cifar_quick_plan(image_size=15)
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
