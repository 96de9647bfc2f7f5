"""From a trained network to files that run without this project.

A folder holds ``inference.json`` and ``inference.pdiparams`` (Paddle's inference format),
``inference.onnx`` where the ONNX packages are installed, and ``deployment.json``, which says what
goes in and what comes out. As is the custom of Paddle's model zoos, the network takes normalised
pictures: whoever deploys it scales and normalises as ``deployment.json`` says.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autodl.errors import AutoDLError, MissingPackageError
from autodl.runs.folder import versions
from autodl.system.files import check_free, folder_aside, write_bytes, write_json
from autodl.trained.network import TrainedNetwork, best_trained
from autodl.trained.series import TrainedSeriesNetwork, load_any_network

if TYPE_CHECKING:
    from paddle import nn

    from autodl.networks.costs import Costs
    from autodl.networks.inference import Latency, Runner

PREFIX, DESCRIPTION = "inference", "deployment.json"
TOLERANCE = 1e-4  # of the largest output; float32 in another order of summation gives 1e-6
_COMPARED = 8  # pictures


class ExportError(AutoDLError, RuntimeError):
    """A network cannot be written in a format, or gives other outputs in it."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written to ``folder``, and what it was made from.

    ``files`` holds the names of the formats' files.
    ``trained`` and ``deployed`` are the costs of the two forms; ``fused`` is whether they differ.
    ``packed`` is whether the files hold packed weights, which are decoded when they are loaded.
    ``differences`` from the trained network's outputs are shares of the largest of them.
    ``without_onnx`` says why there is no ONNX file, if there is none. ``runners`` are ways to run
    the network, the trained form first.
    """

    folder: Path
    files: Mapping[str, list[str]]
    network: TrainedNetwork | TrainedSeriesNetwork
    fused: bool
    packed: bool
    trained: Costs
    deployed: Costs
    differences: Mapping[str, float]
    without_onnx: str
    runners: Mapping[str, Runner]


def export(source: Path, out: Path, *, needs_onnx: bool = False) -> Exported:
    """Fuse a trained network, write it, run what was written, and compare.

    Args:
        source: the folder of a training or compression, or one with several, of which the best is
            taken.

    Raises:
        StoreError: no training in ``source``.
        AutoDLError: as ``export_network``, or the network cannot be loaded.
    """
    check_free(out)
    folder = best_trained(source)  # both before Paddle is imported

    from autodl.training.device import computing_on

    _why_no_onnx(needs_onnx)
    with computing_on("cpu"):
        trained = load_any_network(folder)
    return export_network(trained, out, needs_onnx=needs_onnx)


def export_network(
    trained: TrainedNetwork | TrainedSeriesNetwork, out: Path, *, needs_onnx: bool = False
) -> Exported:
    """The same of a network that is loaded already, as ``autodl.release.load`` gives it.

    The folder ``out`` appears when all of it is right, or not at all.

    Args:
        needs_onnx: refuse to do without an ONNX file; else there is one if the packages are.

    Raises:
        StoreError: ``out`` is not empty or cannot be written.
        MissingPackageError: ONNX is needed, and its packages are absent.
        ExportError: a format cannot hold the network, or gives other outputs.
        AutoDLError: the network cannot be fused.
    """
    check_free(out)
    from autodl.networks.costs import network_costs
    from autodl.networks.inference import eager
    from autodl.training.device import computing_on

    why_no_onnx = _why_no_onnx(needs_onnx)
    with computing_on("cpu"):
        shape = trained.input_shape
        runners = {"trained": eager(trained.network)}
        deployed, fused = packed_form(trained), False
        packed = deployed is not None
        if deployed is None:
            deployed, fused = deployed_form(trained.network)
        if fused:
            runners["fused"] = eager(deployed)
        with folder_aside(out) as aside:
            files = _write(deployed, aside, shape, runners, with_onnx=not why_no_onnx)
            differences = compare(runners, shape)
            exported = Exported(
                folder=out,
                files=files,
                network=trained,
                fused=fused,
                packed=packed,
                trained=network_costs(trained.network, shape),
                deployed=network_costs(deployed if fused else trained.network, shape),
                differences=differences,
                without_onnx=why_no_onnx,
                runners=runners,
            )
            write_json(aside / DESCRIPTION, describe(exported))
    return exported


def packed_form(trained: TrainedNetwork | TrainedSeriesNetwork) -> nn.Layer | None:
    """A network that holds the weights as they were packed; None if it was not, or is no more.

    Batch-norms stay: within a kernel they would make a value of their own for every channel.
    """
    from autodl.compression.bits.decoding import decoding_network
    from autodl.compression.bits.packed_network import read_packed
    from autodl.compression.errors import CompressionError

    if not isinstance(trained, TrainedNetwork) or trained.packed is None:
        return None
    try:
        return decoding_network(trained.network, read_packed(trained.network, trained.packed))
    except CompressionError:
        return None  # trained on since it was loaded


def deployed_form(network: nn.Layer) -> tuple[nn.Layer, bool]:
    """A fused copy of a network, and whether there was anything to fuse.

    Raises:
        ReparameterisationError: a branch holds what cannot be folded.
    """
    from autodl.reparam.block import MultiBranchConv2D
    from autodl.reparam.fusion import fuse
    from autodl.reparam.pairs import conv_norm_pairs

    branched = any(isinstance(layer, MultiBranchConv2D) for layer in network.sublayers())
    if branched or conv_norm_pairs(network):
        return fuse(network), True
    copied = copy.deepcopy(network)
    copied.eval()
    return copied, False


def compare(runners: Mapping[str, Runner], input_shape: tuple[int, ...]) -> dict[str, float]:
    """How far all runners but the first are from the first, on random pictures.

    Returns:
        Largest absolute differences, as shares of the largest output.

    Raises:
        ExportError: one is above ``TOLERANCE``, or an output is not finite or of another shape.
    """
    rng = np.random.default_rng(0)
    images = rng.normal(size=(_COMPARED, *input_shape)).astype(np.float32)
    first, *others = runners
    expected = runners[first](images)
    if not np.isfinite(expected).all():
        raise ExportError("the trained network's outputs are not finite; train it anew")
    differences = {name: _difference(runners[name](images), expected) for name in others}
    for name, difference in differences.items():
        if not difference <= TOLERANCE:
            raise ExportError(
                f"the outputs of form {name!r} differ from the trained network's by"
                f" {difference:.1e} of the largest, allowed is {TOLERANCE:.0e}; nothing was written"
            )
    return differences


def describe(exported: Exported) -> dict[str, Any]:
    """What somebody who runs the files has to know, as plain values."""
    network = exported.network
    return {
        "files": dict(exported.files),
        **network.interface(),
        "fused": exported.fused,
        "packed": exported.packed,
        "trained_form": asdict(exported.trained),
        "deployed_form": asdict(exported.deployed),
        "largest_difference": dict(exported.differences),
        **network.worth(),
        "weights_sha256": network.weights_sha256,
        "versions": versions(),
    }


def latencies(exported: Exported, repetitions: int) -> dict[str, dict[int, Latency]]:
    """Latency of every form at batch 1 and 64; see ``time_runners``."""
    from autodl.networks.inference import time_runners
    from autodl.training.device import computing_on

    shape = exported.network.input_shape
    with computing_on("cpu"):
        return time_runners(exported.runners, shape, repetitions=repetitions)


def export_lines(exported: Exported) -> list[str]:
    """What was done, for people."""
    network = exported.network
    worth = f" ({network.worth_text})" if network.worth_text else ""
    what = "RGB" if isinstance(network, TrainedNetwork) else "channels and steps"
    gives = "logits" if "classes" in network.interface() else "values"
    shape = ", ".join(map(str, network.input_shape))
    lines = [
        f"{network.folder}{worth} is exported to {exported.folder}",
        f"trained form: {_costs(exported.trained)}",
        _form(exported),
        f"input: float32 [N, {shape}], {what}, normalised as {DESCRIPTION} says;"
        f" output: {gives} [N, {network.outputs}]",
        "largest difference from the trained form, as a share of the largest output: "
        + ", ".join(f"{name} {value:.1e}" for name, value in exported.differences.items()),
    ]
    return [*lines, f"no ONNX file: {exported.without_onnx}"] if exported.without_onnx else lines


def _form(exported: Exported) -> str:
    if exported.packed:
        return "exported with packed weights, which are decoded when the files are loaded"
    if exported.fused:
        return f"fused form: {_costs(exported.deployed)}"
    return "there was nothing to fuse: it is exported in the form that was trained"


def latency_lines(measured: Mapping[str, Mapping[int, Latency]], repetitions: int) -> list[str]:
    """A table of latencies, for people."""
    from autodl.networks.inference import threads

    lines = [f"milliseconds, median (quartiles) of {repetitions}, {threads()} thread(s):"]
    for name, row in measured.items():
        cells = ", ".join(f"batch {size}: {latency}" for size, latency in row.items())
        lines.append(f"  {name:<12} {cells}")
    return lines


def _write(
    deployed: nn.Layer,
    folder: Path,
    shape: tuple[int, ...],
    runners: dict[str, Runner],
    *,
    with_onnx: bool,
) -> dict[str, list[str]]:
    """Write the formats, add what runs them to ``runners``, and return the names of the files."""
    from autodl.networks.inference import InferenceEngine, save_inference

    try:
        program, weights = save_inference(deployed, folder / PREFIX, shape)
        runners["inference"] = InferenceEngine(folder, program, weights, shape)
        files = {"paddle": [program, weights]}
        if with_onnx:
            from autodl.networks.onnx import OnnxRuntime, convert_to_onnx

            model = convert_to_onnx(folder, program, weights)
            write_bytes(folder / f"{PREFIX}.onnx", model)
            runners["onnxruntime"] = OnnxRuntime(model)
            files["onnx"] = [f"{PREFIX}.onnx"]
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        if isinstance(error, AutoDLError):
            raise
        reason = " ".join(str(error).split())[-300:]
        raise ExportError(f"the network cannot be exported: {reason}") from error
    return files


def _difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _why_no_onnx(needed: bool) -> str:
    from autodl.networks.onnx import require_onnx

    try:
        require_onnx()
    except MissingPackageError as error:
        if needed:
            raise
        return str(error)
    return ""


def _costs(costs: Costs) -> str:
    return f"{costs.parameters:,} parameters, {costs.macs:,} multiply-accumulates"
