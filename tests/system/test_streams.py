"""Terminals without our letters, and streams that were closed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from autodl.system.resources import PACKAGE

SPEAK = """
import os, sys
from autodl.system.streams import prepare_streams
prepare_streams()
prepare_streams()
file = open(sys.argv[1], "w")
print("données", os.fsdecode(b"caf\\xe9"))
print("données", os.fsdecode(b"caf\\xe9"), file=sys.stderr)
sys.stdout.flush()
for handle in (1, 2):
    os.write(handle, b"of a library in C\\n")
file.write("content")
"""


def speak(tmp_path, shell='exec "$@"', encoding="utf-8", program=SPEAK):
    """Run the program by way of a shell; its output, and what its file holds."""
    command = [sys.executable, "-c", program, str(tmp_path / "file")]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        ["sh", "-c", shell, "sh", *command], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr, (tmp_path / "file").read_text()


@pytest.mark.parametrize(
    "encoding, word", [("ascii", b"donn?es caf?"), ("utf-8", "données caf?".encode())]
)
def test_any_text_is_written_to_any_terminal(tmp_path, encoding, word):
    stdout, stderr, content = speak(tmp_path, encoding=encoding)
    assert stdout == word + b"\nof a library in C\n"
    assert b"caf\\udce9" in stderr  # Python's own way with this stream
    assert content == "content"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_leads_to_nowhere_and_its_handle_to_no_file(tmp_path, closed):
    stdout, stderr, content = speak(tmp_path, shell=f'exec "$@" {closed}')
    assert content == "content"
    assert bool(stdout) == (closed == "2>&-")
    assert bool(stderr) == (closed == ">&-")


@pytest.mark.parametrize("module", ["autodl.__main__", "autodl.system.console"])
def test_every_tool_begins_so(tmp_path, module):
    entry = {
        "autodl.__main__": "from autodl.__main__ import main; main(['--version'])",
        "autodl.system.console": (
            "from autodl.system.console import Parser; Parser().parse_args([])"
        ),
    }[module]
    program = f"import sys\n{entry}\nprint('é')\nopen(sys.argv[1], 'w').write('content')\n"
    assert speak(tmp_path, encoding="ascii", program=program)[0].endswith(b"?\n")
    assert speak(tmp_path, shell='exec "$@" >&-', program=program)[2] == "content"
