"""Memory that a training frees is used again within it, and given back behind it."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from autodl.system import memory
from autodl.system.memory import freed_memory_kept

_BYTES = 1 << 26
_PAGE = resource.getpagesize()
needs_glibc = pytest.mark.skipif(memory._glibc() is None, reason="another allocator")


@pytest.fixture
def library():
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    return library


def _pages_asked_for(library):
    """When so much is allocated, filled and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = library.malloc(_BYTES)
    library.memset(block, 1, _BYTES)
    library.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def _resident():
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE


@needs_glibc
def test_what_is_freed_is_used_again(library):
    with freed_memory_kept():
        _pages_asked_for(library)
        with freed_memory_kept():
            second = _pages_asked_for(library)
        third = _pages_asked_for(library)
        kept = _resident()
    assert second + third < 0.1 * _BYTES / _PAGE
    assert kept - _resident() > 0.9 * _BYTES


def test_an_error_ends_it_too():
    with pytest.raises(ValueError, match="within"), freed_memory_kept():
        raise ValueError("within")
    assert memory._depth == 0


@pytest.mark.parametrize(
    "set_by_user", [{}, {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}, {"MALLOC_MMAP_MAX_": "9"}]
)
def test_what_the_user_has_set_counts(set_by_user):
    usual = {k: v for k, v in os.environ.items() if "GLIBC" not in k and "MALLOC" not in k}
    code = "from autodl.system.memory import _glibc; print(_glibc() is None)"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env=usual | set_by_user,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    ).stdout
    assert (told == "True\n") == bool(set_by_user) or memory._glibc() is None
