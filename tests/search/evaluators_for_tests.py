"""Evaluators that behave as the first node of the normal cell says, for worker processes.

Workers find this module through PYTHONPATH; it imports no Paddle.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import time

import numpy as np

from autodl.errors import ConfigError
from autodl.plugins import import_plugins
from autodl.trial import Evaluation, TrialFailure

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
        os.write(int(sys.argv[1]), struct.pack("!i", 100) + b"half")
        os._exit(5)
    if command == CLOSE:  # its pipe, and live on
        os.close(int(sys.argv[1]))
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
