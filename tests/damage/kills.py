"""Kill -9 at random moments of every job, then go on: the same as unbroken, by checksum.

    python tests/damage/kills.py                   a hundred moments of each job, about an hour
    python tests/damage/kills.py 20 training 7     so many, of one job, and another seed

Jobs: training, compression, width (search), release. Each moment is a run of its own, in a fork of
this process, killed after a random part of the time that it takes unbroken; a second fork goes on
with it. What both have written then (weights, packed weights, architectures, rankings, metrics
without seconds, all of a release) has to be the same, byte for byte. Exit code 1 if it is not.
``test_kills.py`` runs a few.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import tiny_runs

MOMENTS = 100
JOBS: dict[str, Callable[[Path, Path], None]] = {
    "training": tiny_runs.training,
    "compression": tiny_runs.compression,
    "width": tiny_runs.width,
    "release": tiny_runs.release,
}
PLACE = "it"
_TIMES = (
    *("seconds", "compute_seconds", "core_seconds"),
    *("search_seconds", "fine_tuning_seconds"),
)
# what a run goes on from and what it says of its starts differ with the moments
_OF_ITS_WAY = ("run.json", "checkpoint.safetensors", "choice.safetensors")


def outcome(folder: Path) -> dict[str, str]:
    """The checksums of what a run came to, by file; times do not count."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder)).removeprefix(f"{PLACE}/")
        # what else begins with a dot was being written when the kill came, and should be gone
        if not path.is_file() or name in _OF_ITS_WAY or name.startswith((".lock", "vdl")):
            continue
        content = path.read_bytes()
        if name == "metrics.json":
            content = json.dumps(without_times(json.loads(content))).encode()
        found[name] = hashlib.sha256(content).hexdigest()
    return found


def without_times(value: Any) -> Any:
    """A value from JSON without the seconds, and the checksums of files that hold them."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in _TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def run_forked(
    job: Callable[[Path, Path], None], root: Path, folder: Path, kill_after: float | None = None
) -> tuple[bool, float]:
    """Run a job in a fork; whether it was killed, and the seconds it took.

    Raises:
        RuntimeError: it failed, with its own words on stderr.
    """
    begun, child = time.monotonic(), os.fork()
    if child == 0:
        try:
            job(root, folder)
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
    if kill_after is not None:
        while time.monotonic() - begun < kill_after:
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                break  # it was faster than the unbroken one
            time.sleep(min(0.002, kill_after))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status)
    if not killed and os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"the run in {folder} failed")
    return killed, time.monotonic() - begun


def check(name: str, root: Path, moments: int, seed: int = 0) -> tuple[int, list[str]]:
    """Kill a job so often, and go on: how many came in time, and what ended differently."""
    job, rng = JOBS[name], random.Random(f"{name} {seed}")
    place, different, killed = root / "killed" / PLACE, list[str](), 0
    whole, took = dict[str, str](), 0.0
    while killed < moments:
        shutil.rmtree(place.parent, ignore_errors=True)
        place.parent.mkdir()
        if not whole:
            took = run_forked(job, root, place)[1]
            whole = outcome(place.parent)
            continue
        moment = rng.uniform(0, took)
        came, _ = run_forked(job, root, place, moment)
        if not came:
            continue
        killed += 1
        try:
            run_forked(job, root, place)
        except RuntimeError as error:
            different.append(f"{name} after {moment:.3f} s of {took:.3f}: {error}")
            continue
        found = outcome(place.parent)
        if changed := [n for n in {*whole, *found} if whole.get(n) != found.get(n)]:
            different.append(f"{name} after {moment:.3f} s of {took:.3f}: {sorted(changed)}")
    return killed, different


def main(moments: int = MOMENTS, only: str = "", seed: int = 0) -> int:
    """Kill every job, and print a line for each and for every difference."""
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        tiny_runs.write_inputs(root)
        tiny_runs.training(root, root / "training" / "cell")
        for name in [only] if only else JOBS:
            begun = time.monotonic()
            killed, different = check(name, root, moments, seed)
            print("\n".join([*different, ""]), end="")
            spent = time.monotonic() - begun
            print(
                f"{name}: {killed} kills, {len(different)} ended otherwise, {spent:.0f} s",
                flush=True,
            )
            failed = failed or bool(different)
    return 1 if failed else 0


if __name__ == "__main__":
    count, *others = [int(word) for word in sys.argv[1:] if word.isdigit()] or [MOMENTS]
    named = [word for word in sys.argv[1:] if not word.isdigit()]
    sys.exit(main(count, *named[:1] or [""], *others[:1]))
