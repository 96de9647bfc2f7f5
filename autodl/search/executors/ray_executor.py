"""Evaluating on a Ray cluster: the worker processes of ``processes.py``, on every node."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autodl.errors import AutoDLError, ConfigError
from autodl.runs.store import Proposal
from autodl.search.executors import ray_cluster
from autodl.search.executors.devices import gpu_share
from autodl.search.executors.ray_worker import RayWorker
from autodl.spaces.codec import encode_text
from autodl.system.cpus import usable_cpus
from autodl.trial import Stage, Trial, TrialState

_LOOK_EVERY_SECONDS = 1.0
_START_SECONDS = 300.0
_NODE_GRACE_SECONDS = 3.0
_LOSSES = 3  # of nodes under a trial: then it is the one that takes them down

_Work = tuple[Proposal, Stage | None]


@dataclass(slots=True)
class _Worker:
    """An actor, the call that it is busy with, and what it evaluates.

    ``node`` is known once it is ready. ``dead_nodes`` are those that were lost before it started.
    ``arrival`` is a call that the actor answers just before it begins with the work.
    """

    actor: Any
    call: Any
    dead_nodes: frozenset[str]
    node: str = ""
    work: _Work | None = None
    arrival: Any = None
    begun: float = 0.0


class RayExecutor:
    """Evaluates in long-lived actors of a Ray cluster, each with a worker process of one thread.

    A trial that crashes, or goes over a limit, takes its worker process with it and is FAILED
    with the reason, as without Ray. Its actor survives that, so an actor is lost only to the
    world around it. If Ray counts its node among the dead, at once or within 3 seconds, the trial
    is evaluated again elsewhere, from its beginning or the stage's checkpoint (but after a third
    such loss it is FAILED); else somebody, or Ray's memory monitor, killed the actor, and the
    trial is FAILED, unless the actor was dead before the trial came to it: then another has it.
    An actor is replaced when it is needed. Ray needs some 15 seconds to miss a
    node that goes without a word. Where its head is lost, Ray ends this process a minute later;
    the search can be resumed.

    On every node the package ``autodl`` with its requirements, the data (``Data.path``) and the
    plugins must be in the same places as here; a relative path starts at the driver's working
    folder. Only the factory, its argument and the results travel. The output of worker ``n`` is
    on its node, at the path of the log folder, in ``ray-n/worker-0.log``.

    Args:
        factory: dotted path ``module:function`` of what makes the evaluator in the worker.
        argument: what it is called with; plain values.
        workers: None for one per processor of the cluster, or per GPU.
        address: see ``ray_cluster.connect``.
        on_gpus: give each worker a GPU, or its part of one where there are more workers.
        trial_seconds, trial_memory_mb: as for ``ProcessExecutor``.

    Raises:
        ConfigError: Ray cannot be reached, or has no processor or GPU at all.
        MissingPackageError: Ray is not installed.
    """

    def __init__(
        self,
        factory: str,
        argument: Any,
        seed: int,
        *,
        log_folder: Path,
        workers: int | None = None,
        address: str | None = None,
        on_gpus: bool = False,
        trial_seconds: float | None = None,
        trial_memory_mb: int | None = None,
    ) -> None:
        if workers is not None and workers < 1:
            raise ConfigError(f"Search.workers must be at least 1, got {workers}")
        self._connected_here = ray_cluster.connect(address, workers or usable_cpus())
        self._options = {
            "factory": factory,
            "argument": argument,
            "seed": seed,
            "trial_seconds": trial_seconds,
            "trial_memory_mb": trial_memory_mb,
        }
        self._log_folder = log_folder.absolute()
        self._queue: deque[_Work] = deque()
        self._workers: dict[int, _Worker] = {}
        self._losses: Counter[int] = Counter()
        self._news = 0.0  # when a worker last had something to say
        try:
            self.workers, self._needs = _size(workers, on_gpus)
        except ConfigError:
            self.close()
            raise

    def submit(self, proposal: Proposal, stage: Stage | None = None) -> None:
        """Give the proposal to a free worker, or start one; see ``Executor.submit``."""
        if not self._workers:
            self._news = time.monotonic()
        self._queue.append((proposal, stage))
        self._assign()

    def running(self) -> tuple[int, ...]:
        """Ids of the trials that are evaluated or wait for a worker, in order."""
        works = [*self._queue, *(w.work for w in self._workers.values() if w.work is not None)]
        return tuple(sorted(proposal.id for proposal, _ in works))

    def wait(self, timeout: float | None = None) -> Trial | None:
        """The next trial that an actor reports or loses by dying.

        Raises:
            AutoDLError: a worker could not make its evaluator, or none has started for 5 minutes.
        """
        import ray

        end = None if timeout is None else time.monotonic() + timeout
        while True:
            self._assign()
            calls = {w.call: n for n, w in self._workers.items() if w.call is not None}
            left = _LOOK_EVERY_SECONDS if end is None else max(end - time.monotonic(), 0.0)
            ready, _ = ray.wait(list(calls), timeout=min(left, _LOOK_EVERY_SECONDS))
            for call in ready:
                if (trial := self._hear(calls[call])) is not None:
                    return trial
            self._check_started()
            if end is not None and time.monotonic() >= end:
                return None

    def cut(self, reason: str) -> list[Trial]:
        """Kill the actors that are busy or starting; see ``Executor.cut``."""
        import ray

        trials = []
        for number, worker in list(self._workers.items()):
            if worker.call is None:
                continue
            work = worker.work
            if work is not None and ray.wait([worker.call], timeout=0)[0]:
                trial = self._hear(number)  # a result that nobody has read yet is a result
            else:
                self._remove(number)
                trial = _failed(work, worker.begun, reason) if work is not None else None
            trials += [trial] if trial is not None else []
        self._queue.clear()
        return trials

    def close(self) -> None:
        """Kill all actors, and end what was started for them."""
        for number in list(self._workers):
            self._remove(number)
        self._queue.clear()
        if self._connected_here:
            self._connected_here = False
            ray_cluster.disconnect()

    def _assign(self) -> None:
        """Give what waits to workers that are free, and start those that are missing."""
        for worker in self._workers.values():
            if self._queue and worker.call is None:
                worker.work = proposal, stage = self._queue.popleft()
                worker.begun = time.monotonic()
                text = encode_text(proposal.architecture)
                worker.arrival = worker.actor.__ray_ready__.remote()  # calls are done in order
                worker.call = worker.actor.evaluate.remote(proposal.id, text, stage)
        starting = sum(not worker.node for worker in self._workers.values())
        while starting < len(self._queue) and len(self._workers) < self.workers:
            self._start()
            starting += 1

    def _start(self) -> None:
        import ray

        number = next(n for n in range(len(self._workers) + 1) if n not in self._workers)
        options = {**self._options, "log_folder": str(self._log_folder / f"ray-{number}")}
        dead = ray_cluster.nodes(alive=False)
        if dead and not ray_cluster.nodes(alive=True):
            raise ConfigError(
                "every node of the Ray cluster is lost; start it again and go on with --resume"
            )
        actor = ray.remote(**self._needs)(RayWorker).remote(options, os.getcwd())
        self._workers[number] = _Worker(actor, actor.prepare.remote(), dead)

    def _remove(self, number: int) -> None:
        import ray

        worker = self._workers.pop(number)
        with suppress(Exception):  # it is dead already, or the cluster is
            ray.kill(worker.actor)

    def _hear(self, number: int) -> Trial | None:
        """The result that a worker has for us; None if it only says that it is ready."""
        import ray

        worker = self._workers[number]
        self._news = time.monotonic()
        try:
            answer = ray.get(worker.call)
        except ray.exceptions.RayError as error:
            return self._lose(number, error)
        worker.call = None
        if isinstance(answer, AutoDLError):
            self._remove(number)
            raise answer
        if worker.work is None:
            worker.node = answer
            return None
        trial: Trial
        trial, usable = answer
        proposal, _ = worker.work
        worker.work = None
        if not usable:
            self._remove(number)
        return replace(trial, architecture=proposal.architecture)

    def _lose(self, number: int, error: Exception) -> Trial | None:
        """What becomes of the work of an actor that is gone: done again, or a FAILED trial."""
        worker = self._workers[number]
        self._remove(number)
        if worker.work is not None and not _has_arrived(worker):
            self._queue.appendleft(worker.work)  # it died while idle: not the trial's fault
            return None
        node_lost = _node_is_lost(worker, error)
        if worker.work is None:
            if not node_lost:
                raise ConfigError(
                    f"no worker can be started on a Ray node ({_detail(error)}); autodl and its"
                    " requirements have to be installed on every node"
                )
            return None
        proposal, _ = worker.work
        self._losses[proposal.id] += node_lost
        if node_lost and self._losses[proposal.id] < _LOSSES:
            self._queue.appendleft(worker.work)
            return None
        how = f"its node was lost, {_LOSSES} times" if node_lost else "its Ray actor died"
        return _failed(worker.work, worker.begun, f"{how}: {_detail(error)}")

    def _check_started(self) -> None:
        """Raise ConfigError if trials have waited for long and there is no worker for any."""
        if any(worker.node for worker in self._workers.values()):
            return
        if time.monotonic() - self._news > _START_SECONDS:
            needs = " and ".join(f"{self._needs[key]:g} {key[4:].upper()}" for key in self._needs)
            raise ConfigError(
                f"no worker has started on the Ray cluster within {_START_SECONDS:g} s; each needs"
                f" {needs}, and `ray status` tells what is free"
            )


def _size(workers: int | None, on_gpus: bool) -> tuple[int, dict[str, float]]:
    """How many workers there are, and what each of them needs."""
    name = "GPU" if on_gpus else "CPU"
    there = ray_cluster.resources(name)
    if not there and (on_gpus or workers is None):
        raise ConfigError(
            f"the Ray cluster has no {name}; "
            + ("set Global.device=cpu" if on_gpus else "set Search.workers, or add a node to it")
        )
    workers = workers or there
    return workers, {"num_cpus": 1, **({"num_gpus": gpu_share(workers, there)} if on_gpus else {})}


def _has_arrived(worker: _Worker) -> bool:
    """Whether an actor that is gone now was there to begin with its work."""
    import ray

    try:
        ray.get(worker.arrival, timeout=_LOOK_EVERY_SECONDS)
    except ray.exceptions.RayError:
        return False
    return True


def _node_is_lost(worker: _Worker, error: Exception) -> bool:
    """Whether the actor went with its node, or the connection to it broke.

    Where a whole machine is shut down, the end of its actors is known a moment before its own.
    """
    import ray

    if isinstance(error, ray.exceptions.ActorUnavailableError):
        return True
    end = time.monotonic() + _NODE_GRACE_SECONDS
    while isinstance(error, ray.exceptions.RayActorError):
        dead = ray_cluster.nodes(alive=False)
        if worker.node in dead if worker.node else dead - worker.dead_nodes:
            return True
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    return False


def _detail(error: Exception) -> str:
    """Ray's last word on what happened; the lines before it name the actor."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    last = (lines or [type(error).__name__])[-1]
    return last.partition(" Some common causes")[0][:250]


def _failed(work: _Work, begun: float, reason: str) -> Trial:
    proposal, _ = work
    return Trial(
        id=proposal.id,
        architecture=proposal.architecture,
        state=TrialState.FAILED,
        reason=reason,
        seconds=time.monotonic() - begun,
        broken_off=True,
    )
