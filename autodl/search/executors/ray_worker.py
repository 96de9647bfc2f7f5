"""What runs on a Ray node: an actor that keeps one worker process, and its limits."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from autodl.errors import AutoDLError
from autodl.runs.store import Proposal
from autodl.search.executors.processes import ProcessExecutor
from autodl.search.executors.worker_process import EncodedArchitecture
from autodl.trial import Stage, Trial


class RayWorker:
    """The actor of one worker.

    The evaluator lives in a process below it, the same as without Ray: whatever a trial does to
    its process, the actor lives to tell, and memory and time are limited where they are spent.
    Errors come back as values, for Ray would wrap them.

    Args:
        options: of ``ProcessExecutor``, with ``log_folder`` as a text.
        folder: the driver's working folder, used here as well if it is there: what a
            configuration calls ``data/cifar`` is then the same.
    """

    def __init__(self, options: dict[str, Any], folder: str) -> None:
        self._options = options
        self._folder = folder
        self._executor: ProcessExecutor | None = None

    def prepare(self) -> str | AutoDLError:
        """Make the evaluator; the id of this node, or why there is none."""
        import ray

        with suppress(OSError):
            os.chdir(self._folder)
        options = {**self._options, "log_folder": Path(self._options["log_folder"])}
        try:
            self._executor = ProcessExecutor(**options, workers=1)
            self._executor.prepare()
        except AutoDLError as error:
            return error
        return str(ray.get_runtime_context().get_node_id())

    def evaluate(
        self, trial_id: int, text: str, stage: Stage | None
    ) -> tuple[Trial, bool] | AutoDLError:
        """The trial, and whether the worker process is there for another one."""
        assert self._executor is not None  # noqa: S101  (it was prepared)
        self._executor.submit(Proposal(trial_id, EncodedArchitecture(text), 0), stage)
        try:
            trial = self._executor.wait()
        except AutoDLError as error:
            return error
        assert trial is not None  # noqa: S101  (no time limit was given)
        return trial, self._executor.idle() > 0
