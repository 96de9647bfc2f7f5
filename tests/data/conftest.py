"""Small data sets in the official formats, and pictures whose pixels can be recomputed."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autodl.data.dataset import Dataset, Pictures


class _Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its `str`, as in the official files."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012

    def save_python2_str(self, value: bytes) -> None:
        short = len(value) < 256
        head = b"U" + bytes([len(value)]) if short else b"T" + struct.pack("<i", len(value))
        self.write(head + value)
        self.memoize(value)

    dispatch[bytes] = save_python2_str


def _python2_pickle(value: Any) -> bytes:
    buffer = io.BytesIO()
    _Python2Pickler(buffer, protocol=2).dump(value)
    return buffer.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def _planes(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


CIFAR10_NAMES = [f"class{number}".encode() for number in range(10)]
CIFAR100_NAMES = [f"fine{number}".encode() for number in range(100)]


def _cifar10_contents() -> dict[str, dict[bytes, Any]]:
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


def _cifar100_contents() -> dict[str, dict[bytes, Any]]:
    coarse = [0] * 200
    fine = [label % 100 for label in range(200)]
    return {
        "train": {b"fine_labels": fine, b"coarse_labels": coarse, b"data": _planes(200, 7)},
        "test": {b"fine_labels": list(range(100)), b"data": _planes(100, 8)},
        "meta": {b"fine_label_names": CIFAR100_NAMES, b"coarse_label_names": [b"all"]},
    }


@pytest.fixture
def python2_pickle() -> Callable[[Any], bytes]:
    return _python2_pickle


@pytest.fixture
def cifar10_contents() -> dict[str, dict[bytes, Any]]:
    return _cifar10_contents()


@pytest.fixture
def cifar100_contents() -> dict[str, dict[bytes, Any]]:
    return _cifar100_contents()


@pytest.fixture
def write_cifar(tmp_path: Path) -> Callable[..., Path]:
    """Write contents as files of the official folder and return that folder."""

    def write(contents: dict[str, Any], name: str = "cifar-10-batches-py") -> Path:
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, value in contents.items():
            content = value if isinstance(value, bytes) else _python2_pickle(value)
            (folder / file).write_bytes(content)
        return folder

    return write


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., Path]:
    """Pack a folder as .tar.gz, perhaps with further members, and return the archive."""

    def packed(folder: Path, *more: tuple[tarfile.TarInfo, bytes]) -> Path:
        path = tmp_path / "cifar-10-python.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            archive.add(folder, arcname=folder.name)
            for member, content in more:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return path

    return packed


@pytest.fixture
def make_dataset() -> Callable[..., Dataset]:
    """A data set whose picture n has the value n in its first pixel (n < 65,536)."""

    def make(per_class: int = 40, classes: int = 4, size: int = 8, test: int = 3) -> Dataset:
        def part(each: int, seed: int) -> Pictures:
            rng = np.random.default_rng(seed)
            labels = rng.permutation(np.repeat(np.arange(classes), each))
            images = rng.integers(0, 256, (len(labels), size, size, 3), dtype=np.uint8)
            numbers = np.arange(len(labels))
            images[:, 0, 0, 0], images[:, 0, 0, 1] = numbers % 256, numbers // 256
            return Pictures(images, labels.astype(np.int64))

        names = ("ant", "bee", "cat", "dog", "eel", "fox")[:classes]
        return Dataset("animals", part(per_class, 0), part(test, 1), names, None)

    return make


@pytest.fixture
def picture_number() -> Callable[[np.ndarray], np.ndarray]:
    """The numbers that ``make_dataset`` wrote into uint8 pictures."""
    return lambda images: images[:, 0, 0, 0].astype(int) + 256 * images[:, 0, 0, 1].astype(int)
