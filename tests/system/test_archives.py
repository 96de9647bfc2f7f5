"""Tar archives read in memory; hostile ones: data/test_cifar.py, import_fluid/test_archive.py."""

from __future__ import annotations

import io
import tarfile

import pytest

from autodl.errors import DataError
from autodl.system.archives import archived_files

FILES = {"a/one": b"1" * 700, "a/two": b"2", "b/three": b""}


@pytest.fixture(params=["w", "w:gz"])
def archive(request, tmp_path):
    with tarfile.open(tmp_path / "some.tar", request.param) as packed:
        for name, content in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return tmp_path / "some.tar"


def read(path, wanted=lambda parts: True, largest=1000):
    return dict(archived_files(path, wanted, largest=largest, mend="Get it again"))


def test_plain_and_packed_archives(archive):
    assert read(archive) == {tuple(name.split("/")): value for name, value in FILES.items()}
    assert list(archive.parent.iterdir()) == [archive]


def test_files_that_nobody_wants_are_not_read_but_checked(archive):
    assert read(archive, lambda parts: parts[-1] == "two") == {("a", "two"): b"2"}
    with pytest.raises(DataError, match=r"a file of 700 bytes: 'a/one'; nothing was unp"):
        read(archive, lambda parts: parts[-1] == "two", largest=600)


def test_a_changed_byte_of_a_packed_archive_is_found(archive):
    """By gzip's sum, which stands behind all that tar reads."""
    content = bytearray(archive.read_bytes())
    if content[:2] != b"\x1f\x8b":
        pytest.skip("a plain archive has no sum of its files")
    content[-6] ^= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"is truncated or no \.tar\.gz .*CRC.*Get it again"):
        read(archive)
