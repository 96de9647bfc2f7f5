"""Kernels of oneDNN, a library that Paddle brings along and runs in static graphs alone.

Only what is needed of its C interface of version 3, through ``ctypes``. It is not there in every
build of Paddle, and does not know every case: whoever asks has another way to go.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_void_p
from functools import lru_cache
from math import prod
from pathlib import Path
from threading import Lock

import paddle

from autodl.plans.step_table import Kernels

_VERSION = 3  # of the interface: its numbers, below, are the same in all releases of it
FLOAT32, BFLOAT16 = 3, 2
_ANY = 1  # a layout that the kernel chooses
FORWARD = 64  # in training
_CPU, _IN_ORDER = 1, 1
_AMX_BFLOAT16 = 0x800  # a processor's instructions, among the flags of all that it has
_IMPLEMENTATION = 8  # a question to the description of a kernel
_REORDERED, _TO = 1, 17
DIRECT, GELU = 0x1, 0x31  # algorithms: a convolution's, and x times the normal's share below x
SOURCE, RESULT, WEIGHTS, BIAS = 1, 17, 33, 41  # arguments of kernels
OF_SOURCE, OF_RESULT, OF_WEIGHTS = 129, 145, 161  # gradients of these
_LAYOUTS = {  # argument: the question for its layout, and which of them
    SOURCE: (129, 0),
    OF_SOURCE: (130, 0),
    WEIGHTS: (131, 0),
    BIAS: (131, 1),
    OF_WEIGHTS: (132, 0),
    RESULT: (133, 0),
    OF_RESULT: (134, 0),
}
_ONE_AT_A_TIME = Lock()  # threads share kernels, and these the addresses of their arguments


class Unsupported(Exception):
    """OneDNN is not there, or has no fast kernel for this."""


class _Version(ctypes.Structure):
    _fields_ = (("major", c_int), ("minor", c_int))


class _Argument(ctypes.Structure):
    _fields_ = (("name", c_int), ("memory", c_void_p))


class _Handle:
    """Something that oneDNN made, until nobody holds it."""

    def __init__(self, create: str, destroy: str, *arguments: object) -> None:
        library, self.value = _library(), c_void_p()
        _check(getattr(library, create)(byref(self.value), *arguments))
        end = weakref.finalize(self, getattr(library, destroy), self.value)
        end.atexit = False  # the library may be gone by then


def _check(status: int) -> None:
    if status:
        raise Unsupported(f"oneDNN answers with status {status}")


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    """The library.

    Raises:
        Unsupported: this Paddle has none, or one with another interface.
    """
    for path in sorted(Path(paddle.__file__).with_name("libs").glob("libdnnl.so*")):
        library = ctypes.CDLL(str(path))
        library.dnnl_version.restype = POINTER(_Version)
        if library.dnnl_version().contents.major != _VERSION:
            continue
        library.dnnl_primitive_desc_query_md.restype = c_void_p
        library.dnnl_memory_desc_get_size.restype = c_size_t
        library.dnnl_memory_set_data_handle.argtypes = [c_void_p, c_void_p]
        library.dnnl_memory_set_data_handle.restype = c_int
        return library
    raise Unsupported("this Paddle brings no oneDNN of version 3 along")


@lru_cache(maxsize=1)
def available() -> bool:
    """Whether this Paddle brings oneDNN along."""
    try:
        return bool(_library())
    except (Unsupported, OSError, AttributeError):
        return False


@lru_cache(maxsize=1)
def multiplies_bfloat16() -> bool:
    """Whether the processor multiplies matrices of it, by AMX.

    AVX512-BF16 alone multiplies vectors: convolutions train slower by it than by float32.
    """
    return available() and bool(_library().dnnl_get_effective_cpu_isa() & _AMX_BFLOAT16)


def training_kernels(amp: bool = False) -> Kernels:
    """Whose kernels convolutions and GELUs are trained by on the device that is selected.

    Args:
        amp: whether it is a training of mixed precision.
    """
    if paddle.get_device() != "cpu":
        return "Paddle in float16" if amp else "Paddle"
    if not available():
        return "Paddle"
    return "oneDNN in bfloat16" if amp and multiplies_bfloat16() else "oneDNN"


@lru_cache(maxsize=1)
def _engine() -> tuple[_Handle, _Handle]:
    """The processor, and a queue for it."""
    engine = _Handle("dnnl_engine_create", "dnnl_engine_destroy", _CPU, c_size_t(0))
    stream = _Handle("dnnl_stream_create", "dnnl_stream_destroy", engine.value, _IN_ORDER)
    return engine, stream


def numbers(values: Sequence[int]) -> ctypes.Array[c_int64]:
    """Integers as oneDNN takes shapes, strides and the like."""
    return (c_int64 * len(values))(*values)


class Layout:
    """How an array lies in memory: row by row as Paddle's, or as a kernel likes it.

    Args:
        free: the kernel chooses.
        kind: of the numbers.
    """

    def __init__(self, shape: Sequence[int], *, free: bool = False, kind: int = FLOAT32) -> None:
        name, last = "dnnl_memory_desc_create_with_strides", None
        if free:
            name, last = "dnnl_memory_desc_create_with_tag", c_int(_ANY)
        strides = [prod(shape[place + 1 :]) for place in range(len(shape))]
        rows = numbers(strides) if last is None else last
        sizes = numbers(shape)
        end = "dnnl_memory_desc_destroy"
        self._made = _Handle(name, end, c_int(len(shape)), sizes, c_int(kind), rows)
        self.value = self._made.value


class Description:
    """A kernel that is not compiled yet: oneDNN's choice for what was asked.

    Raises:
        Unsupported: it has none.
    """

    def __init__(self, name: str, *arguments: object) -> None:
        engine, _ = _engine()
        self._made = _Handle(name, "dnnl_primitive_desc_destroy", engine.value, *arguments, None)
        self.value = self._made.value

    @property
    def implementation(self) -> str:
        """Such as ``jit:avx2``: compiled for the processor; ``ref:any`` is a plain loop."""
        found = c_char_p()
        query = _library().dnnl_primitive_desc_query
        _check(query(self.value, _IMPLEMENTATION, 0, byref(found)))
        return (found.value or b"").decode()

    def layout(self, argument: int) -> c_void_p:
        """What the kernel wants of an argument, or gives; valid as long as this object."""
        return c_void_p(_library().dnnl_primitive_desc_query_md(self.value, *_LAYOUTS[argument]))


class Primitive:
    """A compiled kernel; it is called with the addresses of its arguments."""

    def __init__(self, description: c_void_p, arguments: Sequence[tuple[int, c_void_p]]) -> None:
        engine, stream = _engine()
        self._made = _Handle("dnnl_primitive_create", "dnnl_primitive_destroy", description)
        self._memories = [
            _Handle("dnnl_memory_create", "dnnl_memory_destroy", layout, engine.value, None)
            for _, layout in arguments
        ]
        pairs = zip(arguments, self._memories, strict=True)
        self._arguments = (_Argument * len(arguments))(
            *(_Argument(name, memory.value) for (name, _), memory in pairs)
        )
        self._stream = stream

    def __call__(self, *addresses: int) -> None:
        library, count = _library(), c_int(len(addresses))
        with _ONE_AT_A_TIME:
            for memory, address in zip(self._memories, addresses, strict=True):
                _check(library.dnnl_memory_set_data_handle(memory.value, address))
            made, stream = self._made.value, self._stream.value
            _check(library.dnnl_primitive_execute(made, stream, count, self._arguments))


class Reordering:
    """From rows of float32 to a kernel's layout and kind of numbers, or back.

    Nothing is to do where the two are the same. ``room`` is what the kernel's layout takes, in
    numbers of float32.
    """

    def __init__(self, shape: Sequence[int], layout: c_void_p, *, back: bool = False) -> None:
        library, (engine, _) = _library(), _engine()
        rows = Layout(shape)
        self.room = -(-library.dnnl_memory_desc_get_size(layout) // 4)
        self.move: Primitive | None = None
        if library.dnnl_memory_desc_equal(rows.value, layout):
            return
        first, second = (layout, rows.value) if back else (rows.value, layout)
        made = _Handle(
            "dnnl_reorder_primitive_desc_create",
            "dnnl_primitive_desc_destroy",
            first,
            engine.value,
            second,
            engine.value,
            None,
        )
        self.move = Primitive(made.value, [(_REORDERED, first), (_TO, second)])
