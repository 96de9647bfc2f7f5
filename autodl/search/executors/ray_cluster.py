"""The connection to Ray: to a cluster that is there, or to one started on this machine.

Ray is imported only here and in functions, so that it may be absent.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from autodl.errors import ConfigError
from autodl.system.children import python_path
from autodl.system.packages import require
from autodl.system.resources import RAY_LOCK

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 20.0
_STORE_BYTES = 100_000_000  # Ray's share of memory for objects: ours are configs and results
_PROBE = "import sys, ray; ray.init(sys.argv[1], log_to_driver=False, logging_level='ERROR')"


def connect(address: str | None, workers: int) -> bool:
    """Connect to Ray, quietly, and say whether this did it: a connection that is there is used.

    Args:
        address: ``host:port`` of a cluster that this machine is a node of (``ray start``); None
            starts Ray here, with one processor for each of the ``workers``.

    Raises:
        ConfigError: nothing answers at the address within 25 seconds, or Ray refuses.
        MissingPackageError: Ray is not installed.
    """
    require("ray", RAY_LOCK)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of a change
    import ray

    if ray.is_initialized():
        return False
    if address is not None:
        _check_answer(address)
    local = {
        "num_cpus": workers,
        "include_dashboard": False,
        "object_store_memory": _STORE_BYTES,
    }
    try:
        with _own_sigterm(), _importable():
            ray.init(
                address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **({} if address else local),
            )
    except Exception as error:  # of many kinds, none of them documented
        where = f"at Search.ray_address={address}" if address else "on this machine"
        raise ConfigError(f"Ray cannot be used {where}: {_one_line(str(error))}") from error
    # log_to_driver=False leaves the messages of Ray itself, which go to stdout
    ray._private.worker._worker_logs_enabled = False
    return True


def disconnect() -> None:
    """End the connection, and Ray itself where it was started here."""
    import ray

    ray.shutdown()
    ray._private.worker._worker_logs_enabled = True


def resources(name: str) -> int:
    """How many of a resource (``CPU``, ``GPU``) the nodes of the cluster have in all."""
    import ray

    return int(ray.cluster_resources().get(name, 0))


def nodes(*, alive: bool) -> frozenset[str]:
    """Ids of the nodes of the cluster that are alive, or of those that are lost."""
    import ray

    return frozenset(node["NodeID"] for node in ray.nodes() if node["Alive"] == alive)


def _check_answer(address: str) -> None:
    """See whether Ray answers, in a process that can be ended: ``ray.init`` tries for minutes."""
    host, _, port = address.rpartition(":")
    mend = "check that Ray runs there (`ray status`) and on this machine, which has to be a node"
    try:
        socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"nothing answers at Search.ray_address={address} ({_one_line(str(error))}); {mend}"
        ) from None
    try:
        subprocess.run(
            [sys.executable, "-P", "-c", _PROBE, address],
            timeout=_ANSWER_SECONDS,
            capture_output=True,
            text=True,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"no Ray answers at Search.ray_address={address} within {_ANSWER_SECONDS:g} s; {mend}"
        ) from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ConfigError(
            f"Ray at Search.ray_address={address} refuses: {_one_line(last)}; {mend}"
        ) from None


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep this process's reaction to SIGTERM, which ``ray.init`` replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _importable() -> Iterator[None]:
    """Let what is started here find this package, wherever it was imported from."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = python_path(before or "")
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
