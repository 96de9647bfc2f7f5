"""Evaluators that behave as the first node of the normal cell says, for worker processes.

Workers find this module through PYTHONPATH; it imports no Paddle.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from autodl.config.plugins import import_plugins
from autodl.errors import ConfigError
from autodl.spaces.codec import encode_text, register_architecture
from autodl.trial import Evaluation, Stage, TrialFailure

(FINE, RAISE, GIVE_UP, NAN, KILLED, EXIT, NO_EVALUATION, NUMPY_NUMBERS, SYSTEM_EXIT, HALF) = range(
    10
)
(HANG, HOG, HOARD, CLOSE) = range(10, 14)
HOARD_BYTES = 100_000_000
hoard = []


def make(argument):
    """Reward: ``argument["scale"]`` times a draw from the trial's generator."""
    return lambda architecture, rng: evaluate(architecture, rng, argument["scale"])


def evaluate(architecture, rng, scale):
    command = architecture.normal.op_ids[0]
    if command == RAISE:
        raise ValueError("no such\nthing")
    if command == GIVE_UP:
        raise TrialFailure("the loss\nis nan")
    if command == KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    if command == EXIT:
        os._exit(3)
    if command == HALF:  # of a message to the driver: its length, and less than that
        os.write(int(sys.argv[2]), struct.pack("!i", 100) + b"half")
        os._exit(5)
    if command == CLOSE:  # its pipe, and live on
        os.close(int(sys.argv[2]))
    if command in (HANG, CLOSE):
        time.sleep(60)
    if command == HOG:
        hoard.append(b"x" * 2 * HOARD_BYTES)
        time.sleep(60)
    if command == HOARD:  # memory that is kept after the trial
        hoard.append(b"x" * HOARD_BYTES)
        time.sleep(0.4)
    if command == SYSTEM_EXIT:
        raise SystemExit(4)
    if command == NO_EVALUATION:
        return 0.5
    reward = scale * rng.random()
    if command == NAN:
        reward = float("nan")
    if command == NUMPY_NUMBERS:
        curve = ({"epoch": np.int64(1), "loss": np.float32(0.5)},)
        return Evaluation(np.float32(0.5), {"parameters": np.int64(7)}, curve)
    return Evaluation(reward, {"process": os.getpid()})


def make_slowly(argument):
    """The evaluator, after half a second."""
    time.sleep(0.5)
    return make(argument)


def refuse(argument):
    """An evaluator that cannot be had, for a reason that the user can mend."""
    raise ConfigError(f"no such thing as {argument!r}; choose another")


def break_down(argument):
    """An evaluator that cannot be had, for a reason that nobody has thought of."""
    raise RuntimeError("out of\nluck")


def exit_at_once(argument):
    """A library that ends the process while it is loaded."""
    print("last words")
    sys.stdout.flush()
    os._exit(7)


def crash_at_once(argument):
    """A library that crashes while it is loaded."""
    os.kill(os.getpid(), signal.SIGSEGV)


def make_with_plugin(argument):
    """The evaluator, with the scale that a plugin in the working folder knows."""
    import_plugins(["plugin_in_the_working_folder"])
    return make({"scale": sys.modules["plugin_in_the_working_folder"].SCALE})


def make_leaving_traces(argument):
    """An evaluator that takes its time and writes down what it begins, and under which node."""

    def evaluate(architecture, rng):
        with open(Path(argument["folder"]) / "begun", "a") as begun:
            begun.write(f"{os.environ['RAY_RAYLET_PID']} {encode_text(architecture)}\n")
        time.sleep(argument["seconds"])
        return Evaluation(rng.random())

    return evaluate


def make_seeing_gpus(argument):
    """An evaluator that tells which GPU its process sees."""
    device = float(os.environ["CUDA_VISIBLE_DEVICES"])
    return lambda architecture, rng: Evaluation(0.0, {"gpu": device})


class Staged:
    """An evaluator whose checkpoint is the epochs at which its stages ended, and its parent's."""

    def __call__(self, architecture, rng):
        return self.stage(architecture, rng, Stage(4))

    def stage(self, architecture, rng, stage):
        ends = (stage.checkpoint or stage.parent) + bytes([stage.epochs])
        return Evaluation(rng.random(), fidelity=stage.epochs / 4, checkpoint=ends)


def make_staged(argument):
    return Staged()


def make_knowing_a_kind(argument):
    """An evaluator that knows a kind of architecture whose class no other process can have."""

    class Own:
        def to_json(self):
            return {"kind": "own", "version": 1}

    with suppress(ValueError):  # where this process knows it already
        register_architecture("own", lambda value: Own())
    return lambda architecture, rng: Evaluation(float(architecture.to_json()["version"]))


def make_from_a_file(argument):
    """The evaluator, with a scale that a file in the working folder holds."""
    scale = float(Path("scale.txt").read_text())
    return lambda architecture, rng: Evaluation(scale)
