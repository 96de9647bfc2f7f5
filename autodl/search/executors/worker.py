"""What a worker process runs: makes its evaluator once, then evaluates what it is sent."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports NumPy

import signal
import traceback
from dataclasses import replace
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from autodl.errors import AutoDLError, ConfigError
from autodl.system.parent import end_with_parent
from autodl.system.streams import prepare_streams


def main(handle: int) -> None:
    """Serve the executor behind the pipe ``handle`` until it closes."""
    prepare_streams()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's business
    connection: Connection[Any, Any] = Connection(handle)
    try:
        factory, argument, seed = connection.recv()
        end_with_parent()
        try:
            module, _, function = str(factory).partition(":")
            evaluator = getattr(import_module(module), function)(argument)
        except Exception as error:
            if not isinstance(error, AutoDLError):
                traceback.print_exc()  # into the worker's log
                message = " ".join(str(error).split())
                error = ConfigError(
                    f"a worker cannot make its evaluator: {type(error).__name__}: {message}."
                    " Its log in logs/ has the traceback"
                )
            connection.send(error)
            return
        from autodl.search.evaluate import evaluate_trial
        from autodl.search.executors.worker_process import READY, EncodedArchitecture
        from autodl.spaces.codec import decode_text

        connection.send(READY)
        while True:
            trial_id, text, stage = connection.recv()
            trial = evaluate_trial(evaluator, trial_id, decode_text(text), seed, stage)
            # the driver has the architecture, and whoever passes the trial on may not know its kind
            connection.send(replace(trial, architecture=EncodedArchitecture(text)))
    except (EOFError, ConnectionError):
        return  # the driver is gone, so nobody wants the result
