"""Evaluating in long-lived worker processes on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from autodl.errors import AutoDLError, ConfigError
from autodl.runs.store import Proposal
from autodl.search.executors.worker_process import READY, WorkerProcess, can_measure_memory
from autodl.spaces.codec import encode_text
from autodl.trial import Stage, Trial, TrialState

_MEASURE_EVERY_SECONDS = 0.5
_MB = 1_000_000


@dataclass(slots=True)
class _Worker:
    """A worker, what it is to evaluate, and since when it does (None while it starts)."""

    process: WorkerProcess
    proposal: Proposal | None = None
    stage: Stage | None = None
    begun: float | None = None
    evaluated: int = 0


class ProcessExecutor:
    """Evaluates in worker processes that live as long as the search; each uses one thread.

    A worker is a fresh interpreter, so scripts and notebooks need no main guard. A worker that
    dies makes its trial FAILED with the reason and is replaced when it is needed; one that dies
    before it has made its evaluator ends the search. Output of worker ``n`` goes to
    ``worker-n.log`` in the log folder.

    Args:
        factory: dotted path ``module:function`` of what makes the evaluator in the worker.
        argument: what it is called with; plain values.
        environment: worker number -> environment variables of its own.
        trial_seconds: a trial that takes longer is FAILED; starting a worker does not count.
        trial_memory_mb: so is one whose worker holds more than so many million bytes in memory,
            looked at twice a second. Where earlier trials of the worker may have left something
            behind, the trial is first tried again in a fresh one.

    Raises:
        ConfigError: a limit makes no sense or cannot be enforced on this system.
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
        trial_seconds: float | None = None,
        trial_memory_mb: int | None = None,
    ) -> None:
        if workers < 1:
            raise ConfigError(f"Search.workers must be at least 1, got {workers}")
        if trial_seconds is not None and not trial_seconds > 0:
            raise ConfigError(f"Search.trial_seconds must be above 0, got {trial_seconds}")
        if trial_memory_mb is not None and trial_memory_mb < 1:
            raise ConfigError(f"Search.trial_memory_mb must be at least 1, got {trial_memory_mb}")
        if trial_memory_mb is not None and not can_measure_memory():
            raise ConfigError(
                f"Search.trial_memory_mb={trial_memory_mb} needs /proc, which this system lacks;"
                " leave it out"
            )
        self.workers = workers
        self._setup = (factory, argument, seed)
        self._log_folder = log_folder
        self._environment = environment
        self._trial_seconds = trial_seconds
        self._trial_memory_mb = trial_memory_mb
        self._workers: dict[int, _Worker] = {}

    def prepare(self) -> None:
        """Start a worker and wait until it is ready, before there is a trial for it.

        Raises:
            AutoDLError: it could not make its evaluator.
        """
        self._hear(self._start())

    def idle(self) -> int:
        """The number of workers that are ready for another trial."""
        return len(self._workers) - len(self._busy())

    def submit(self, proposal: Proposal, stage: Stage | None = None) -> None:
        """Give the proposal to a free worker, started first if there is none."""
        worker = next((w for w in self._workers.values() if w.proposal is None), None)
        if worker is not None and not _begin(worker, proposal, stage):
            self._remove(worker)  # it died while idle, which is not the trial's fault
            worker = None
        if worker is None:
            worker = self._start()
            worker.proposal, worker.stage = proposal, stage  # which begin once it is ready

    def running(self) -> tuple[int, ...]:
        """Ids of the trials that workers are busy with, in order."""
        return tuple(sorted(w.proposal.id for w in self._workers.values() if w.proposal))

    def wait(self, timeout: float | None = None) -> Trial | None:
        """The next trial that a worker reports, loses by dying, or is not allowed to end.

        Raises:
            AutoDLError: a worker could not make its evaluator, which no other trial would
                survive either.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            # limits first, or a worker that hangs would outlive them while others keep reporting
            for worker in self._busy():
                if (trial := self._over_limit(worker)) is not None:
                    return trial
            busy = {worker.process.connection: worker for worker in self._busy()}
            for connection in wait(list(busy), self._pause(end)):
                trial = self._hear(busy[connection])  # type: ignore[index]
                if trial is not None:
                    return trial
            if end is not None and time.monotonic() >= end:
                return None

    def cut(self, reason: str) -> list[Trial]:
        """Kill the workers that are busy; see ``Executor.cut``."""
        trials, cut = [], []
        for worker in self._busy():
            if worker.begun is not None and worker.process.connection.poll():
                trial = self._hear(worker)  # a result that nobody has read yet is a result
            else:
                worker.process.kill()
                cut.append(worker)
                begun = worker.begun is not None
                trial = _failed(worker, reason, broken_off=True) if begun else None
            trials += [trial] if trial is not None else []
        for worker in cut:
            self._remove(worker)
        return trials

    def close(self) -> None:
        """Kill all workers."""
        for worker in self._workers.values():
            worker.process.kill()
        for worker in list(self._workers.values()):
            self._remove(worker)

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers.values() if worker.proposal is not None]

    def _start(self) -> _Worker:
        number = next(n for n in range(len(self._workers) + 1) if n not in self._workers)
        log = self._log_folder / f"worker-{number}.log"
        worker = _Worker(WorkerProcess(self._setup, log, self._environment(number)))
        self._workers[number] = worker
        return worker

    def _remove(self, worker: _Worker) -> str:
        """Forget a worker that is dead or as good as dead, and say what ended it."""
        self._workers = {n: other for n, other in self._workers.items() if other is not worker}
        return worker.process.end()

    def _hear(self, worker: _Worker) -> Trial | None:
        """The result that the worker has for us; None if it only says that it is ready."""
        log = worker.process.log
        try:
            message = worker.process.receive()
        except (EOFError, OSError):
            ending = self._remove(worker)
            if worker.begun is None:
                raise ConfigError(
                    f"a worker process died while it was starting ({ending}), so no trial can be"
                    f" evaluated; {log} has its output. Less memory is needed with fewer workers,"
                    " and with Search.executor=inline it all happens in one process"
                ) from None
            return _failed(
                worker,
                f"its worker process died ({ending}); {log.parent.name}/{log.name} has its output",
                broken_off=True,
            )
        if isinstance(message, AutoDLError):
            self._remove(worker)
            raise message
        if message == READY:
            self._check_idle_memory(worker)
            if worker.proposal is not None:  # if it is dead, the next message is its end
                _begin(worker, worker.proposal, worker.stage)
            return None
        assert isinstance(message, Trial)  # noqa: S101
        assert worker.proposal is not None  # noqa: S101
        trial = replace(message, architecture=worker.proposal.architecture)
        worker.proposal, worker.stage, worker.begun = None, None, None
        worker.evaluated += 1
        return trial

    def _pause(self, end: float | None) -> float | None:
        """Seconds until something has to be looked at even if no message comes."""
        now = time.monotonic()
        moments = [end] if end is not None else []
        if self._trial_seconds is not None:
            begun = [worker.begun for worker in self._busy() if worker.begun is not None]
            moments += [moment + self._trial_seconds for moment in begun]
        if self._trial_memory_mb is not None:
            moments.append(now + _MEASURE_EVERY_SECONDS)
        return max(min(moments) - now, 0.0) if moments else None

    def _over_limit(self, worker: _Worker) -> Trial | None:
        """The failed trial of a worker that was over a limit, and is killed."""
        late, large = self._overdue(worker), self._oversize(worker)
        if not (late or large) or worker.process.connection.poll():  # a result came just in time
            return None
        worker.process.kill()
        self._remove(worker)
        if not late and worker.evaluated:  # what earlier trials left behind counts against none
            fresh = self._start()
            fresh.proposal, fresh.stage = worker.proposal, worker.stage
            return None
        return _failed(worker, late or large)

    def _overdue(self, worker: _Worker) -> str:
        """What to say of a trial over the time limit; empty within it."""
        limit = self._trial_seconds
        if limit is None or worker.begun is None or time.monotonic() - worker.begun < limit:
            return ""
        return f"it took longer than Search.trial_seconds={limit:g}"

    def _oversize(self, worker: _Worker) -> str:
        """What to say of a trial over the memory limit; empty within it."""
        limit = self._trial_memory_mb
        if limit is None or worker.begun is None:
            return ""
        used = worker.process.memory_bytes() / _MB
        if used <= limit:
            return ""
        return f"it used {used:.0f} MB of memory, more than Search.trial_memory_mb={limit}"

    def _check_idle_memory(self, worker: _Worker) -> None:
        used = worker.process.memory_bytes() / _MB
        if self._trial_memory_mb is not None and used > self._trial_memory_mb:
            raise ConfigError(
                f"Search.trial_memory_mb={self._trial_memory_mb} is too little: a worker takes"
                f" {used:.0f} MB before its first trial"
            )


def _begin(worker: _Worker, proposal: Proposal, stage: Stage | None) -> bool:
    """Send the proposal to a worker that is ready, and say whether the worker was there."""
    sent = worker.process.send((proposal.id, encode_text(proposal.architecture), stage))
    if sent:
        worker.proposal, worker.stage, worker.begun = proposal, stage, time.monotonic()
    return sent


def _failed(worker: _Worker, reason: str, *, broken_off: bool = False) -> Trial:
    assert worker.proposal is not None  # noqa: S101  (busy ones only)
    assert worker.begun is not None  # noqa: S101
    return Trial(
        id=worker.proposal.id,
        architecture=worker.proposal.architecture,
        state=TrialState.FAILED,
        reason=reason,
        seconds=time.monotonic() - worker.begun,
        broken_off=broken_off,
    )
