"""Where trials are evaluated: in this process, or in long-lived worker processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from autodl.errors import AutoDLError, ConfigError, StoreError
from autodl.search.evaluate import Evaluator, evaluate_trial
from autodl.search.store import Proposal
from autodl.spaces.codec import encode_text
from autodl.trial import Trial, TrialState


class Executor(Protocol):
    """Evaluates proposals, at most ``workers`` at a time."""

    workers: int

    def submit(self, proposal: Proposal) -> None:
        """Start evaluating; only while fewer than ``workers`` are running."""
        ...

    def running(self) -> tuple[int, ...]:
        """Ids of the trials that are being evaluated."""
        ...

    def wait(self) -> Trial:
        """The next trial to finish; only while one is running."""
        ...

    def close(self) -> None:
        """Stop everything at once; running trials are given up."""
        ...


class InlineExecutor:
    """Evaluates in this process, one trial at a time; simple to debug."""

    workers = 1

    def __init__(self, evaluator: Evaluator, seed: int) -> None:
        self._evaluator = evaluator
        self._seed = seed
        self._queue: deque[Proposal] = deque()

    def submit(self, proposal: Proposal) -> None:
        """Remember the proposal until ``wait``."""
        self._queue.append(proposal)

    def running(self) -> tuple[int, ...]:
        """The remembered proposal, if any."""
        return tuple(proposal.id for proposal in self._queue)

    def wait(self) -> Trial:
        """Evaluate the remembered proposal."""
        proposal = self._queue.popleft()
        return evaluate_trial(self._evaluator, proposal.id, proposal.architecture, self._seed)

    def close(self) -> None:
        """Nothing to stop."""
        self._queue.clear()


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection[Any, Any]
    proposal: Proposal | None = None


class ProcessExecutor:
    """Evaluates in worker processes that live as long as the search; each uses one thread.

    A worker is a fresh interpreter, so scripts and notebooks need no main guard. A worker that
    dies makes its trial FAILED with the reason and is replaced. Output of worker ``n`` goes to
    ``logs/worker-n.log`` in the run folder.

    Args:
        factory: dotted path ``module:function`` of what makes the evaluator in the worker.
        argument: what it is called with; plain values.
    """

    def __init__(
        self,
        factory: str,
        argument: Any,
        seed: int,
        *,
        workers: int,
        log_folder: Path,
        environment: Callable[[int], Mapping[str, str]] = lambda worker: {},
    ) -> None:
        if workers < 1:
            raise ConfigError(f"Search.workers must be at least 1, got {workers}")
        self.workers = workers
        self._setup = (factory, argument, seed)
        self._log_folder = log_folder
        self._environment = environment
        self._workers: list[_Worker] = []

    def submit(self, proposal: Proposal) -> None:
        """Give the proposal to a free worker, started first if there is none."""
        worker = next((w for w in self._workers if w.proposal is None), None)
        if worker is None:
            worker = self._start(len(self._workers))
            self._workers.append(worker)
        message = (proposal.id, encode_text(proposal.architecture))
        if not _sent(worker, message):  # it died while idle, which is not the trial's fault
            worker.connection.close()
            worker.process.wait()
            index = self._workers.index(worker)
            worker = self._workers[index] = self._start(index)
            _sent(worker, message)  # if this one is dead too, `wait` reports the trial
        worker.proposal = proposal

    def running(self) -> tuple[int, ...]:
        """Ids of the trials that workers are busy with, in order."""
        return tuple(sorted(w.proposal.id for w in self._workers if w.proposal is not None))

    def wait(self) -> Trial:
        """The next trial that a worker reports, or loses by dying.

        Raises:
            AutoDLError: a worker could not make its evaluator, which no other trial would
                survive either.
        """
        busy = {w.connection: i for i, w in enumerate(self._workers) if w.proposal is not None}
        ready = wait(list(busy))[0]
        index = busy[ready]  # type: ignore[index]
        worker = self._workers[index]
        assert worker.proposal is not None  # noqa: S101  (busy ones only)
        try:
            result = worker.connection.recv()
        except (EOFError, OSError):  # OSError: it died in the middle of a message
            trial = self._lost(worker)
            self._workers[index] = self._start(index)
            return trial
        if isinstance(result, AutoDLError):
            raise result
        worker.proposal = None
        finished: Trial = result
        return finished

    def close(self) -> None:
        """Kill all workers."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.wait()
            worker.connection.close()
        self._workers.clear()

    def _start(self, index: int) -> _Worker:
        ours, theirs = Pipe()
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **self._environment(index)}
        package_parent = str(Path(__file__).resolve().parents[2])
        environment["PYTHONPATH"] = os.pathsep.join(
            p for p in (package_parent, environment.get("PYTHONPATH", "")) if p
        )
        with self._log(index) as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "autodl.search.worker", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )
        theirs.close()
        worker = _Worker(process, ours)
        _sent(worker, self._setup)
        return worker

    def _log(self, index: int) -> BinaryIO:
        path = self._log_folder / f"worker-{index}.log"
        try:
            self._log_folder.mkdir(parents=True, exist_ok=True)
            return open(path, "ab")
        except OSError as error:
            raise StoreError(
                f"cannot write {path}: {error.strerror}. Free some space or choose another folder"
            ) from None

    def _lost(self, worker: _Worker) -> Trial:
        """The failed trial of a worker that is gone."""
        assert worker.proposal is not None  # noqa: S101
        worker.connection.close()
        code = worker.process.wait()
        cause = f"exit code {code}"
        if code < 0:
            known = {number.value: number.name for number in signal.Signals}
            cause = f"signal {-code}, {known.get(-code, 'a real-time signal')}"
        return Trial(
            id=worker.proposal.id,
            architecture=worker.proposal.architecture,
            state=TrialState.FAILED,
            reason=f"its worker process died ({cause}); {self._log_folder.name}/ has its output",
        )


def _sent(worker: _Worker, message: object) -> bool:
    """Send a message, and say whether the worker was there to get it."""
    try:
        worker.connection.send(message)
    except OSError:
        return False
    return True


def default_workers() -> int:
    """One worker for each processor core that this process may use."""
    affinity: Sequence[int] | set[int] = (
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    )
    return len(affinity)
