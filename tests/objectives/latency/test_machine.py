"""What a latency table says about the machine it was measured on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from autodl.objectives.latency import machine
from autodl.objectives.latency.machine import this_machine


def test_this_machine_is_the_same_each_time() -> None:
    assert this_machine() == this_machine()
    assert this_machine().kind == "cpu"
    assert "\n" not in str(this_machine())


def test_paddle_is_not_imported() -> None:
    program = (
        "import sys; from autodl.objectives.latency.machine import this_machine;"
        "import autodl.objectives.latency.table, autodl.objectives.latency.records;"
        "import autodl.jobs.latency;"
        "print(this_machine().paddle); print('paddle' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    version, imported = done.stdout.split()
    assert version[0].isdecimal()
    assert imported == "False"


@pytest.mark.parametrize(
    "text, model",
    [
        (
            "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD  EPYC\n"
            "stepping\t: 1\n\nprocessor\t: 1\nmodel name\t: another\n",
            "AMD EPYC (cpu family 25, model 17, stepping 1)",
        ),
        (
            "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n",
            "aarch64 (implementer 0x41, part 0xd0c)",
        ),
        ("", "aarch64"),
    ],
)
def test_model_of_the_processor(tmp_path, monkeypatch, text, model) -> None:
    """x86 gives a name; ARM numbers only; other systems have no such file."""
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    monkeypatch.setattr(machine.platform, "machine", lambda: "aarch64")
    source = tmp_path / "cpuinfo"
    if text:
        source.write_text(text)
    assert machine._cpu_model(source) == model


@pytest.mark.parametrize(
    "value, threads", [("1", 1), ("4", 4), (" 2,1", 2), ("0", 6), ("many", 6), (None, 6)]
)
def test_threads(monkeypatch, value, threads) -> None:
    monkeypatch.setattr(machine, "cores_in_affinity", lambda: 6)
    if value is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert this_machine().threads == threads
