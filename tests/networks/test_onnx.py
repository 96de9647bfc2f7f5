"""ONNX files: the outputs of the network, errors in one line, and no package installed by them."""

from __future__ import annotations

import os
import subprocess
from importlib.util import find_spec

import numpy as np
import pytest

from autodl.errors import MissingPackageError
from autodl.networks.inference import eager, save_inference
from autodl.networks.network import PlanNetwork
from autodl.networks.onnx import OnnxRuntime, convert_to_onnx, require_onnx
from autodl.spaces.classic.cifar_quick import cifar_quick_plan
from autodl.spaces.classic.repvgg import repvgg_plan

needs_onnx = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("paddle2onnx", "onnx", "onnxruntime")),
    reason="ONNX is not installed (make onnx)",
)


@pytest.mark.parametrize("absent", ["paddle2onnx", "onnx", "onnxruntime"])
def test_missing_packages_come_with_the_command(monkeypatch, absent):
    monkeypatch.setattr(
        "autodl.system.packages.find_spec", lambda name: None if name == absent else 1
    )
    with pytest.raises(MissingPackageError, match=rf"'{absent}'.*requirements-onnx\.lock"):
        require_onnx()


@needs_onnx
@pytest.mark.parametrize(
    "plan",
    [
        cifar_quick_plan(image_size=15, classes=4),
        repvgg_plan(variant="D2se", layers=(1, 1, 1, 1), width=0.1, image_size=16, classes=3),
    ],
    ids=["cifar_quick", "squeeze"],
)
def test_onnx_runtime_gives_the_outputs_of_the_network(plan, tmp_path, monkeypatch, capfd):
    """1e-5 of the largest output: float32 sums of up to 1,000 terms in another order.

    paddle2onnx's optimiser would run pip, as a process of its own.
    """

    def forbidden(*arguments, **options):
        raise AssertionError(f"a process was started: {arguments}")

    network = PlanNetwork(plan, seed=0)
    network.eval()
    files = save_inference(network, tmp_path / "inference", plan.input_shape)
    capfd.readouterr()
    monkeypatch.setattr(subprocess, "Popen", forbidden)
    run = OnnxRuntime(convert_to_onnx(tmp_path, *files))
    assert capfd.readouterr() == ("", "")
    assert "POLYGRAPHY_AUTOINSTALL_DEPS" not in os.environ
    for count in (1, 3):
        images = np.random.default_rng(0).normal(size=(count, *plan.input_shape)).astype("float32")
        expected = eager(network)(images)
        np.testing.assert_allclose(
            run(images), expected, rtol=0, atol=1e-5 * np.abs(expected).max()
        )


@needs_onnx
def test_what_cannot_be_converted_is_one_error(tmp_path, capfd):
    (tmp_path / "net.json").write_text("{}")
    (tmp_path / "net.pdiparams").write_bytes(b"")
    with pytest.raises(ValueError, match=r"^paddle2onnx: Failed to convert[^\x1b\n]+$"):
        convert_to_onnx(tmp_path, "net.json", "net.pdiparams")
    assert capfd.readouterr() == ("", "")
