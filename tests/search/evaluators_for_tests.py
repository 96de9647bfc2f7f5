"""Evaluators that behave as the first node of the normal cell says, for worker processes.

Workers find this module through PYTHONPATH; it imports no Paddle.
"""

from __future__ import annotations

import os
import signal
import struct
import sys

import numpy as np

from autodl.errors import ConfigError
from autodl.trial import Evaluation, TrialFailure

(FINE, RAISE, GIVE_UP, NAN, KILLED, EXIT, NO_EVALUATION, NUMPY_NUMBERS, SYSTEM_EXIT, HALF) = range(
    10
)


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
