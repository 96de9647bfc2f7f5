"""Small data sets as the official files of CIFAR hold them."""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np


class _Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its `str`, as in the official files."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012

    def save_python2_str(self, value: bytes) -> None:
        short = len(value) < 256
        head = b"U" + bytes([len(value)]) if short else b"T" + struct.pack("<i", len(value))
        self.write(head + value)
        self.memoize(value)

    dispatch[bytes] = save_python2_str


def python2_pickle(value: Any) -> bytes:
    """As Python 2 and the NumPy of its time wrote the official files."""
    buffer = io.BytesIO()
    _Python2Pickler(buffer, protocol=2).dump(value)
    return buffer.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def _planes(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


CIFAR10_NAMES = [f"class{number}".encode() for number in range(10)]
CIFAR100_NAMES = [f"fine{number}".encode() for number in range(100)]


def cifar10_contents() -> dict[str, dict[bytes, Any]]:
    """File name -> dictionary; 20 pictures per training batch, 10 to test."""
    files: dict[str, dict[bytes, Any]] = {
        f"data_batch_{number}": {
            b"batch_label": b"training batch",
            b"labels": [label % 10 for label in range(20)],
            b"data": _planes(20, number),
            b"filenames": [b"x.png"] * 20,
        }
        for number in range(1, 6)
    }
    files["test_batch"] = {b"labels": list(range(10)), b"data": _planes(10, 6)}
    files["batches.meta"] = {b"label_names": CIFAR10_NAMES, b"num_vis": 3072}
    return files


def cifar100_contents() -> dict[str, dict[bytes, Any]]:
    """The same of CIFAR-100: two pictures a class to train, one to test."""
    coarse = [0] * 200
    fine = [label % 100 for label in range(200)]
    return {
        "train": {b"fine_labels": fine, b"coarse_labels": coarse, b"data": _planes(200, 7)},
        "test": {b"fine_labels": list(range(100)), b"data": _planes(100, 8)},
        "meta": {b"fine_label_names": CIFAR100_NAMES, b"coarse_label_names": [b"all"]},
    }


def write_cifar(contents: dict[str, Any], folder: Path) -> Path:
    """Write contents as files of the official folder, which is given back."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, value in contents.items():
        content = value if isinstance(value, bytes) else python2_pickle(value)
        (folder / file).write_bytes(content)
    return folder
