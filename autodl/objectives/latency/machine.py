"""On what latencies were measured: the part of a table that decides whom it is true for."""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from autodl import __version__
from autodl.system.cpus import cores_in_affinity

Kind = Literal["cpu", "gpu"]
# what latencies depend on, and what people call it; the other versions are there to be read
DECISIVE = {
    "device": "device",
    "platform": "platform",
    "threads": "number of threads",
    "paddle": "version of Paddle",
}


class Machine(BaseModel):
    """A device with the software on it.

    ``device`` is the model of the CPU or GPU, ``threads`` what one process computes with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Kind
    device: str
    platform: str
    threads: int = Field(ge=1)
    paddle: str
    numpy: str
    python: str
    autodl: str

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.device}, {self.platform}, {threads}, Paddle {self.paddle}"


def this_machine(kind: Kind = "cpu") -> Machine:
    """This machine with the CPU, or the current GPU (only that imports Paddle), as its device."""
    return Machine(
        kind=kind,
        device=_cpu_model() if kind == "cpu" else _gpu_model(),
        platform=f"{platform.system()} {platform.machine()}",
        threads=_threads(),
        paddle=_paddle_version(),
        numpy=np.__version__,
        python=platform.python_version(),
        autodl=__version__,
    )


def _cpu_model(source: Path = Path("/proc/cpuinfo")) -> str:
    """The model's name; with its numbers, since virtual machines shorten the name."""
    try:
        text = source.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:  # not Linux
        text = ""
    found = dict(re.findall(r"^([^\t:]+?)\s*: *(.*)$", text, re.MULTILINE))
    name = found.get("model name") or platform.processor() or platform.machine()
    keys = ("cpu family", "model", "stepping", "CPU implementer", "CPU part")
    numbers = ", ".join(f"{key.removeprefix('CPU ')} {found[key]}" for key in keys if key in found)
    return " ".join(f"{name} ({numbers})".split()) if numbers else name


def _gpu_model() -> str:
    from autodl.system.packages import require_paddle

    require_paddle()
    import paddle

    return str(paddle.device.cuda.get_device_name())


def _threads() -> int:
    """What OMP_NUM_THREADS says (the tools set it to 1), else one for each core."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else cores_in_affinity()


def _paddle_version() -> str:
    for package in ("paddlepaddle-gpu", "paddlepaddle"):
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return "none"
