"""Networks in the ONNX format, and ONNX Runtime; both come with ``requirements-onnx.lock``."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autodl.errors import MissingPackageError
from autodl.networks.inference import INPUT, Images, threads
from autodl.networks.quiet import quiet
from autodl.system.packages import require
from autodl.system.resources import ONNX_LOCK

OPSET = 13


def require_onnx() -> None:
    """Check that everything ONNX needs is installed, without importing it.

    Raises:
        MissingPackageError: it is not; the message holds the command that installs it.
    """
    for package in ("paddle2onnx", "onnx", "onnxruntime"):
        require(package, ONNX_LOCK)


def convert_to_onnx(folder: Path, program: str, weights: str) -> bytes:
    """What ``save_inference`` wrote, as a checked ONNX model of the same input and output.

    paddle2onnx also offers to optimise the model, and by default does so with a tool that runs pip
    to install what it lacks: in this environment, other versions of our packages included. It
    is told not to.

    Raises:
        MissingPackageError: an ONNX package is absent or cannot be imported.
        ValueError: it cannot be converted.
    """
    require_onnx()
    with quiet() as printed:
        try:
            paddle2onnx, onnx = import_module("paddle2onnx"), import_module("onnx")
            model: bytes = paddle2onnx.export(
                str(folder / program),
                str(folder / weights),
                opset_version=OPSET,
                optimize_tool="None",
            )
            onnx.checker.check_model(model, full_check=True)
        except ImportError as error:
            raise MissingPackageError(
                f"an ONNX package cannot be imported ({' '.join(str(error).split())})"
            ) from error
        except (Exception, SystemExit) as error:  # paddle2onnx prints its errors, and exits
            _, _, reason = re.sub(r"\x1b\[[0-9;]*m", "", printed()).partition("[ERROR]")
            raise ValueError(f"paddle2onnx: {' '.join((reason or str(error)).split())}") from error
    return model


class OnnxRuntime:
    """Runs an ONNX model by ONNX Runtime on the CPU.

    Raises:
        MissingPackageError: ONNX Runtime is absent.
    """

    def __init__(self, model: bytes) -> None:
        require_onnx()
        runtime = import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads()
        options.log_severity_level = 3  # errors
        self._session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def __call__(self, images: Images) -> NDArray[np.float32]:
        """Outputs of a batch."""
        outputs: NDArray[np.float32] = self._session.run(None, {INPUT: images})[0]
        return outputs
