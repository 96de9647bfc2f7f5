"""How many processor cores this process may use: cores of the machine, affinity and quota."""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import floor
from pathlib import Path, PurePosixPath

_SELF = Path("/proc/self")


def usable_cpus(process: Path = _SELF) -> int:
    """Cores that may work for this process at once, at least 1.

    The fewer of those in its affinity and those that the quota of its control groups pays for
    (containers and batch systems set one), rounded down: half a core makes slow work of two
    workers, and one and a half of two.

    Args:
        process: its folder in /proc.
    """
    quota = min(_quotas(process), default=float("inf"))
    return max(1, floor(min(quota, cores_in_affinity())))


def cores_in_affinity() -> int:
    """Cores that this process may run on, whatever part of their time is its own."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(process: Path) -> Iterator[float]:
    """The quotas, in cores, of the control groups that the process is in and of their parents."""
    try:
        groups = (process / "cgroup").read_text(encoding="utf-8", errors="replace")
        mounts = (process / "mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return
    for line in groups.splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        for root, mounted_at in _mounts(mounts, version_2=not controllers):
            # of a container, the group may be told from a root that lies above the mounted one
            inside = PurePosixPath(group)
            inside = inside.relative_to(root) if inside.is_relative_to(root) else PurePosixPath()
            for folder in (inside, *inside.parents):
                yield from _quota(mounted_at / str(folder).lstrip("/"))


def _mounts(mounts: str, *, version_2: bool) -> Iterator[tuple[str, Path]]:
    """Where control groups of one version are: the mounted group, and the folder it stands at."""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = (*after.split(maxsplit=2), "", "", "")[:3]
        controls_cpu = "cpu" in options.replace(" ", ",").split(",")
        if kind == "cgroup2" if version_2 else kind == "cgroup" and controls_cpu:
            root, folder = before.split()[3:5]
            yield root, Path(folder.replace("\\040", " "))


def _quota(folder: Path) -> Iterator[float]:
    """The quota that is set in one group: none, or of either version."""
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota, period = (
                (folder / f"cpu.cfs_{name}_us").read_text(encoding="ascii").strip()
                for name in ("quota", "period")
            )
        if quota not in ("max", "-1"):  # no limit
            yield float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):
        return
