"""Paddle's inference format and engine, and how long different ways to run a network take."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn

from autodl.networks.quiet import quiet
from autodl.networks.timing import time_calls
from autodl.plans.layers import Shape

INPUT = "image"
Images: TypeAlias = NDArray[np.float32]
Runner: TypeAlias = Callable[[Images], NDArray[np.float32]]  # [B, 3, H, W] to [B, classes]


def threads() -> int:
    """Threads of one computation: ``OMP_NUM_THREADS``, else 1."""
    number = os.environ.get("OMP_NUM_THREADS", "")
    return int(number) if number.isdigit() and int(number) > 0 else 1


def eager(network: nn.Layer) -> Runner:
    """A network as it is, called layer by layer in evaluation mode."""
    network.eval()

    def run(images: Images) -> NDArray[np.float32]:
        with paddle.no_grad():
            outputs: NDArray[np.float32] = network(paddle.to_tensor(images)).numpy()
        return outputs

    return run


def save_inference(network: nn.Layer, prefix: Path, input_shape: Shape) -> tuple[str, str]:
    """Write ``PREFIX.json`` and ``PREFIX.pdiparams``, for batches of any size.

    Args:
        network: in evaluation mode; it stays as it is.
        input_shape: of one input, without the batch axis.

    Returns:
        The names of the two files, program and weights.
    """
    spec = paddle.static.InputSpec([None, *input_shape], "float32", name=INPUT)
    with warnings.catch_warnings():  # of constants like DBB's identity, in vain
        warnings.filterwarnings("ignore", message="Tensor do not have 'place' interface")
        paddle.jit.save(network, str(prefix), input_spec=[spec])
    # Paddle 3 writes .json, unless FLAGS_enable_pir_api=0 asks for the older program
    program = ".json" if prefix.with_suffix(".json").is_file() else ".pdmodel"
    return f"{prefix.name}{program}", f"{prefix.name}.pdiparams"


class InferenceEngine:
    """Runs what ``save_inference`` wrote, by ``paddle.inference`` on the CPU with oneDNN."""

    def __init__(self, folder: Path, program: str, weights: str, input_shape: Shape) -> None:
        from paddle import inference

        config = inference.Config(str(folder / program), str(folder / weights))
        config.disable_gpu()
        config.disable_glog_info()
        config.set_cpu_math_library_num_threads(threads())
        config.enable_onednn()
        config.switch_ir_optim(True)
        self._predictor = inference.create_predictor(config)
        self._input = self._predictor.get_input_handle(self._predictor.get_input_names()[0])
        with quiet():  # at the first run oneDNN's passes print debugging remarks
            self(np.zeros((1, *input_shape), np.float32))

    @property
    def output(self) -> str:
        """The name of the output."""
        name: str = self._predictor.get_output_names()[0]
        return name

    def __call__(self, images: Images) -> NDArray[np.float32]:
        """Outputs of a batch."""
        self._input.reshape(list(images.shape))
        self._input.copy_from_cpu(images)
        self._predictor.run()
        outputs: NDArray[np.float32] = self._predictor.get_output_handle(self.output).copy_to_cpu()
        return outputs


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds for a batch: median and quartiles."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} to {self.high:.3g})"


def time_runners(
    runners: Mapping[str, Runner],
    input_shape: Shape,
    *,
    batch_sizes: Sequence[int] = (1, 64),
    repetitions: int = 20,
) -> dict[str, dict[int, Latency]]:
    """Time runners on random inputs, one of each in turn (see ``time_calls``).

    All of them take and give NumPy arrays, so what that costs is in all figures.

    Returns:
        For every runner the latency at every batch size.
    """
    rng = np.random.default_rng(0)
    found: dict[str, dict[int, Latency]] = {name: {} for name in runners}
    for batch_size in batch_sizes:
        images = rng.normal(size=(batch_size, *input_shape)).astype(np.float32)
        calls = [partial(runner, images) for runner in runners.values()]
        times, _ = time_calls(calls, repetitions)
        for name, row in zip(runners, times, strict=True):
            low, median, high = (float(value) for value in np.quantile(row, [0.25, 0.5, 0.75]))
            found[name][batch_size] = Latency(median, low, high)
    return found
