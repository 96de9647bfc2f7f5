"""Export: what is written runs elsewhere with the same outputs, and it is all or nothing."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import inference

from autodl.data.load import load_split
from autodl.errors import MissingPackageError, StoreError
from autodl.jobs import export as module
from autodl.jobs.export import ExportError, compare, deployed_form, export, export_lines, latencies
from autodl.networks.inference import InferenceEngine, eager
from autodl.networks.network import PlanNetwork
from autodl.plans.fused import fused_plan
from autodl.plans.layers import Conv, GlobalAvgPool, Linear, Relu
from autodl.plans.plan import PlanBuilder
from autodl.reparam.replacement import replace_convolutions
from autodl.spaces.classic.cifar_quick import cifar_quick_plan
from autodl.trained.folder import load_trained
from autodl.trained.network import load_trained_network

HAS_ONNX = all(find_spec(name) for name in ("paddle2onnx", "onnx", "onnxruntime"))


@pytest.fixture(scope="module")
def exported(small_training, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "deep" / "out"
    return export(small_training.folder, out)


@pytest.fixture
def without_onnx(monkeypatch):
    """As if the ONNX packages were not there."""
    monkeypatch.setattr(
        "autodl.system.packages.find_spec", lambda name: None if "onnx" in name else find_spec(name)
    )


def described(exported):
    return json.loads((exported.folder / "deployment.json").read_text())


def test_files(exported):
    names = {path.name for path in exported.folder.iterdir()}
    expected = {"inference.json", "inference.pdiparams", "deployment.json"}
    assert names == expected | ({"inference.onnx"} if HAS_ONNX else set())
    listed = [name for files in described(exported)["files"].values() for name in files]
    assert {*listed, "deployment.json"} == names
    assert [path.name for path in exported.folder.parent.iterdir()] == ["out"]


def test_another_program_can_run_it_by_the_description_alone(exported, small_training):
    """Pictures as bytes, prepared as ``deployment.json`` says. 1e-5: float32 rounding, logits
    of about 1."""
    about = described(exported)
    config, _, _ = load_trained(small_training.folder)
    held_out = load_split(config.data).held_out
    pictures = held_out.images[:5]
    mean, std = (np.array(about["input"][name]) for name in ("mean", "std"))
    prepared = ((pictures / 255 - mean) / std).transpose(0, 3, 1, 2).astype("float32")
    assert [None, *prepared.shape[1:]] == about["input"]["shape"]

    paths = [str(exported.folder / name) for name in about["files"]["paddle"]]
    predictor = inference.create_predictor(inference.Config(*paths))
    assert predictor.get_input_names() == [about["input"]["name"]]
    predictor.get_input_handle("image").copy_from_cpu(np.ascontiguousarray(prepared))
    predictor.run()
    logits = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()

    network = load_trained_network(small_training.folder)
    expected = eager(network.network)(network.normalisation.normalise(pictures))
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert logits.shape[1:] == (len(about["classes"]),)
    assert about["classes"] == list(network.classes)


def test_costs_differences_and_lines(exported, small_training):
    plan = load_trained_network(small_training.folder).network.plan
    about = described(exported)
    fused = fused_plan(plan)
    assert about["trained_form"] == {"parameters": plan.parameters, "macs": plan.macs}
    assert about["deployed_form"] == {"parameters": fused.parameters, "macs": fused.macs}
    assert about["fused"] is True
    assert about["largest_difference"] == exported.differences
    assert {"fused", "inference"} <= set(exported.differences)
    assert all(0 <= value < 1e-5 for value in exported.differences.values())  # float32
    text = "\n".join(export_lines(exported))
    assert f"fused form: {fused.parameters:,} parameters" in text
    assert str(exported.folder) in text
    assert ("no ONNX file" in text) == (not HAS_ONNX)


def test_every_form_is_timed(exported):
    measured = latencies(exported, 2)
    assert list(measured)[:3] == ["trained", "fused", "inference"]
    assert all(list(row) == [1, 64] for row in measured.values())
    lines = module.latency_lines(measured, 2)
    assert lines[0] == "milliseconds, median (quartiles) of 2, 1 thread(s):"
    assert len(lines) == 1 + len(measured)


def test_an_empty_folder_is_taken_and_a_full_one_is_not(small_training, tmp_path, without_onnx):
    (tmp_path / "out").mkdir()
    result = export(small_training.folder.parent, tmp_path / "out")
    assert result.network.folder == small_training.folder
    assert "requirements-onnx.lock" in result.without_onnx
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(StoreError, match="not an empty folder"):
        export(small_training.folder, tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="not an empty folder"):
        export(small_training.folder, tmp_path / "file")
    with pytest.raises(StoreError, match="cannot write"):
        export(small_training.folder, tmp_path / "file" / "out")
    assert before == {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_loaded(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="the results go there"):
        export(tmp_path / "no training", tmp_path / "file" / "out")


def test_wrong_outputs_leave_nothing_behind(small_training, tmp_path, monkeypatch, without_onnx):
    """2e-4 of the largest output is too much."""
    call = InferenceEngine.__call__
    monkeypatch.setattr(InferenceEngine, "__call__", lambda self, x: call(self, x) * (1 + 2e-4))
    with pytest.raises(ExportError, match=r"form 'inference' differ .* by 2\.0e-04 of the largest"):
        export(small_training.folder, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_cannot_be_written_is_one_error(small_training, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("(Unimplemented) no such\noperator")

    monkeypatch.setattr(paddle.jit, "save", fail)
    with pytest.raises(ExportError, match=r"cannot be exported: \(Unimplemented\) no such oper"):
        export(small_training.folder, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_onnx_that_is_needed_and_absent(small_training, tmp_path, without_onnx):
    with pytest.raises(MissingPackageError, match=r"requirements-onnx\.lock"):
        export(small_training.folder, tmp_path / "out", needs_onnx=True)
    assert list(tmp_path.iterdir()) == []


def test_branches_are_fused_and_the_trained_network_stays():
    plan = cifar_quick_plan(image_size=15)
    network = PlanNetwork(plan, seed=0)
    replace_convolutions(network, "acb")
    network.eval()
    deployed, fused = deployed_form(network)
    assert fused
    assert deployed.plan == fused_plan(plan)
    differences = compare({"trained": eager(network), "fused": eager(deployed)}, (3, 15, 15))
    assert differences["fused"] < 1e-5  # float32
    assert len(list(network.parameters())) > len(list(deployed.parameters()))


def test_nothing_to_fuse_is_fine(small_training, tmp_path, monkeypatch, without_onnx):
    builder = PlanBuilder((3, 8, 8))
    x = builder.add("relu", Relu(), builder.add("conv", Conv(3, 4, (3, 3)), 0))
    builder.add("classifier", Linear(4, 10), builder.add("pool", GlobalAvgPool(), x))
    network = PlanNetwork(builder.finish(), seed=0)
    deployed, fused = deployed_form(network)
    assert not fused
    assert deployed is not network
    assert not deployed.training

    monkeypatch.setattr(module, "deployed_form", lambda network: (network, False))
    result = export(small_training.folder, tmp_path / "out")
    assert "there was nothing to fuse" in "\n".join(export_lines(result))
    assert list(result.differences) == ["inference"]
    assert described(result)["trained_form"] == described(result)["deployed_form"]


@pytest.mark.parametrize(
    "outputs, message",
    [
        (np.full((8, 2), np.nan), "trained network's outputs are not finite"),
        (np.ones((8, 2)), "form 'b' differ from the trained network's by inf"),
    ],
)
def test_outputs_that_cannot_be_compared(outputs, message):
    runners = {"a": lambda x: outputs, "b": lambda x: outputs[:3]}
    with pytest.raises(ExportError, match=message):
        compare(runners, (3, 4, 4))


def test_a_difference_that_is_no_number_is_refused():
    runners = {"a": lambda x: np.ones((8, 2)), "b": lambda x: np.full((8, 2), np.nan)}
    with pytest.raises(ExportError, match="by nan of the largest"):
        compare(runners, (3, 4, 4))


@pytest.mark.skipif(not HAS_ONNX, reason="ONNX is not installed (make onnx)")
def test_the_onnx_file_is_the_one_that_was_compared(exported):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(Path(exported.folder, "inference.onnx")))
    (given,) = session.get_inputs()
    about = described(exported)
    assert given.name == about["input"]["name"]
    assert given.shape[1:] == about["input"]["shape"][1:]
    assert about["largest_difference"]["onnxruntime"] < 1e-5  # float32
    images = np.zeros((2, *given.shape[1:]), np.float32)
    np.testing.assert_array_equal(
        session.run(None, {given.name: images})[0].shape, (2, len(about["classes"]))
    )


def test_an_interrupted_export_leaves_nothing(small_training, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "compare", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(small_training.folder, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_damaged_weights(small_training, tmp_path):
    folder = Path(shutil.copytree(small_training.folder, tmp_path / "spoilt"))
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(Exception, match="cannot read the weights"):
        export(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
