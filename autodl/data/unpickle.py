"""A reader for the pickles of the official CIFAR archives that runs nothing foreign.

Those files hold dictionaries, lists, numbers, byte strings and one NumPy array. Of all the
names a pickle may ask for, only the handful that rebuilds such an array is answered, and
not even with NumPy's own functions but with stand-ins from this file that check what they
are given. Any other name is refused before anything is built.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.errors import DataError

_ALLOWED_DTYPES = ("u1", "i4", "i8")  # pictures, and labels if kept as an array


class _ArrayData:
    """Stand-in for ``numpy.ndarray``: keeps a checked array in ``values``."""

    __slots__ = ("values",)

    values: NDArray[Any]

    def __setstate__(self, state: Any) -> None:
        _version, shape, dtype, columns_first, raw = state
        values = np.frombuffer(_as_bytes(raw), dtype.resolved())
        self.values = values.reshape(shape, order="F" if columns_first else "C")


class _DtypeData:
    """Stand-in for ``numpy.dtype``: one of a few plain integer types."""

    __slots__ = ("code", "order")

    def __init__(self, code: Any, _align: Any = False, _copy: Any = False) -> None:
        self.code = code.decode("latin1") if isinstance(code, bytes) else code
        self.order = "|"
        if self.code not in _ALLOWED_DTYPES:
            raise ValueError(f"arrays of {self.code!r}")

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        self.order = order.decode("latin1") if isinstance(order, bytes) else order
        if self.order not in ("<", ">", "|", "="):
            raise ValueError(f"byte order {self.order!r}")

    def resolved(self) -> np.dtype[Any]:
        return np.dtype(self.code).newbyteorder(self.order)  # type: ignore[arg-type]


class _Reconstruct:
    """Stand-in for ``numpy.core.multiarray._reconstruct``: an array still without content."""

    __slots__ = ()

    def __call__(self, *_arguments: Any) -> _ArrayData:
        return _ArrayData()


class _FromBuffer:
    """Stand-in for ``numpy.core.numeric._frombuffer``, which pickle protocol 5 uses."""

    __slots__ = ()

    def __call__(self, raw: Any, dtype: Any, shape: Any, order: Any) -> _ArrayData:
        array = _ArrayData()
        array.__setstate__((1, shape, dtype, order == "F", raw))
        return array


class _Encode:
    """Stand-in for ``_codecs.encode``: how Python 3 writes bytes for Python 2."""

    __slots__ = ()

    def __call__(self, text: Any, encoding: Any = "latin1") -> bytes:
        if encoding not in ("latin1", b"latin1"):
            raise ValueError(f"text in {encoding!r}")
        return _as_bytes(text)


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): object(),  # only ever named, as an argument of _reconstruct
    ("numpy", "dtype"): _DtypeData,
    ("_codecs", "encode"): _Encode(),
    **{
        (f"numpy.{core}.{module}", name): stand_in
        for core in ("core", "_core")  # the second since NumPy 2
        for module, name, stand_in in (
            ("multiarray", "_reconstruct", _Reconstruct()),
            ("numeric", "_frombuffer", _FromBuffer()),
        )
    },
}


class _RestrictedUnpickler(pickle.Unpickler):
    def __init__(self, content: bytes, where: str) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self._where = where

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise DataError(
                f"{self._where} asks for the foreign global {module}.{name}, which no CIFAR "
                "file needs; nothing was run. Get the official archive again"
            ) from None


def load_restricted(content: bytes, where: str) -> dict[str, Any]:
    """The dictionary pickled in ``content``, its keys as text, its arrays as NumPy arrays.

    Byte strings inside values stay bytes. ``where`` names the file in messages.

    Raises:
        DataError: damaged content, a foreign global, or something else than a dictionary.
    """
    try:
        loaded = _RestrictedUnpickler(content, where).load()
        if not isinstance(loaded, dict):
            raise TypeError(f"a {type(loaded).__name__} where a dictionary belongs")
        return {as_text(key): _plain(value) for key, value in loaded.items()}
    except DataError:
        raise
    except Exception as error:  # damaged pickles raise nearly every builtin error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{where} is damaged or no CIFAR file ({reason}). Get the official archive again"
        ) from error


def as_text(value: Any) -> str:
    """``value`` as text; Python 2 wrote byte strings, Python 3 writes either.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(value, bytes):
        return value.decode("latin1")
    if isinstance(value, str):
        return value
    raise TypeError(f"a {type(value).__name__} where text belongs")


def _plain(value: Any) -> Any:
    return value.values if isinstance(value, _ArrayData) else value


def _as_bytes(raw: Any) -> bytes:
    if isinstance(raw, (bytes, bytearray)):
        return bytes(raw)
    if isinstance(raw, str):
        return raw.encode("latin1")
    raise TypeError(f"a {type(raw).__name__} where bytes belong")
