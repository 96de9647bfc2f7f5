"""Small data sets in the official formats, and pictures whose pixels can be recomputed."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cifar_for_tests
import numpy as np
import pytest

from autodl.data.dataset import Dataset, Pictures


@pytest.fixture
def python2_pickle() -> Callable[[Any], bytes]:
    return cifar_for_tests.python2_pickle


@pytest.fixture
def cifar10_contents() -> dict[str, dict[bytes, Any]]:
    return cifar_for_tests.cifar10_contents()


@pytest.fixture
def cifar100_contents() -> dict[str, dict[bytes, Any]]:
    return cifar_for_tests.cifar100_contents()


@pytest.fixture
def write_cifar(tmp_path: Path) -> Callable[..., Path]:
    """Write contents as files of the official folder and return that folder."""

    def write(contents: dict[str, Any], name: str = "cifar-10-batches-py") -> Path:
        return cifar_for_tests.write_cifar(contents, tmp_path / "data" / name)

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
