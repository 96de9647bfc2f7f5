"""State as bytes and back, without pickle: arrays as safetensors, the rest as JSON in its header.

Used for the snapshots of a strategy and the checkpoints of a training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from autodl.errors import StoreError

_ARRAY = "__array__"


def encode_state(state: Mapping[str, Any]) -> bytes:
    """Pack nested mappings and lists of numbers, texts, None and NumPy arrays.

    Raises:
        TypeError: something else is in the state.
    """
    arrays: dict[str, np.ndarray[Any, Any]] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            if value.dtype.kind not in "biuf":
                raise TypeError(f"a state holds arrays of numbers, got one of {value.dtype}")
            name = str(len(arrays))
            # native byte order; not ascontiguousarray, which gives a 0-d array an axis
            arrays[name] = np.array(value, value.dtype.newbyteorder("="), order="C")
            return {_ARRAY: name}
        if isinstance(value, Mapping):
            if bad := [key for key in value if not isinstance(key, str) or key == _ARRAY]:
                raise TypeError(f"keys of a state are texts (not {_ARRAY!r}), got {bad[0]!r}")
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        if isinstance(value, np.generic):
            return value.item()
        return value

    text = json.dumps(plain(state))
    packed: bytes = save(arrays, metadata={"state": text})
    return packed


def decode_state(data: bytes) -> dict[str, Any]:
    """The inverse of ``encode_state``; tuples come back as lists.

    Raises:
        StoreError: the bytes are damaged.
    """

    def rich(value: Any) -> Any:
        if isinstance(value, dict):
            if set(value) == {_ARRAY}:
                return arrays[value[_ARRAY]].copy()  # what safetensors gives is read-only
            return {key: rich(item) for key, item in value.items()}
        if isinstance(value, list):
            return [rich(item) for item in value]
        return value

    try:
        arrays = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        result: dict[str, Any] = rich(json.loads(header["__metadata__"]["state"]))
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"stored state is damaged: {error}") from None
    if not isinstance(result, dict):
        raise StoreError(f"stored state is damaged: no mapping but {str(result)[:40]!r}")
    return result
