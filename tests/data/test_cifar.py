"""Small archives in the official layout, whole and damaged in every way people meet."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import os
import shutil
import tarfile

import numpy as np
import pytest

from autodl.data import cifar
from autodl.data.cifar import LAYOUTS, load_cifar
from autodl.errors import DataError


def assert_is_cifar10(dataset, contents):
    training = [contents[f"data_batch_{number}"] for number in range(1, 6)]
    planes = np.concatenate([batch[b"data"] for batch in training])
    assert dataset.train.images.shape == (100, 32, 32, 3)
    for n, y, x, channel in ((0, 0, 0, 0), (3, 1, 2, 1), (57, 31, 0, 2), (99, 17, 30, 0)):
        assert dataset.train.images[n, y, x, channel] == planes[n, 1024 * channel + 32 * y + x]
    labels = [label for batch in training for label in batch[b"labels"]]
    np.testing.assert_array_equal(dataset.train.labels, labels)
    np.testing.assert_array_equal(dataset.test.labels, np.arange(10))
    np.testing.assert_array_equal(
        dataset.test.images[4].transpose(2, 0, 1).reshape(-1), contents["test_batch"][b"data"][4]
    )
    assert dataset.classes == tuple(f"class{number}" for number in range(10))
    assert dataset.name == "cifar10"
    assert dataset.official is False


def test_cifar10_from_everywhere(cifar10_contents, write_cifar, pack):
    folder = write_cifar(cifar10_contents)
    assert_is_cifar10(load_cifar(folder, 10), cifar10_contents)
    assert_is_cifar10(load_cifar(folder.parent, 10), cifar10_contents)
    archive = pack(folder)
    shutil.rmtree(folder.parent)
    assert_is_cifar10(load_cifar(archive, 10), cifar10_contents)
    assert_is_cifar10(load_cifar(archive.parent, 10), cifar10_contents)
    assert sorted(path.name for path in archive.parent.iterdir()) == [archive.name]


def test_cifar100_has_fine_labels(cifar100_contents, write_cifar):
    folder = write_cifar(cifar100_contents, "cifar-100-python")
    dataset = load_cifar(folder, 100)
    assert dataset.classes == tuple(f"fine{number}" for number in range(100))
    np.testing.assert_array_equal(dataset.train.labels, np.arange(200) % 100)
    assert dataset.train.images.shape == (200, 32, 32, 3)
    assert dataset.test.images.shape == (100, 32, 32, 3)
    assert dataset.name == "cifar100"


def test_labels_may_be_an_array(cifar10_contents, write_cifar):
    cifar10_contents["test_batch"][b"labels"] = np.arange(10)
    dataset = load_cifar(write_cifar(cifar10_contents), 10)
    np.testing.assert_array_equal(dataset.test.labels, np.arange(10))


def test_md5_sums_decide_official_and_nothing_else(
    cifar10_contents, write_cifar, pack, monkeypatch
):
    folder = write_cifar(cifar10_contents)
    archive = pack(folder)
    sums = {file.name: hashlib.md5(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    layout = dataclasses.replace(
        LAYOUTS[10], md5=sums, archive_md5=hashlib.md5(archive.read_bytes()).hexdigest()
    )
    monkeypatch.setattr(cifar, "LAYOUTS", {10: layout})
    assert load_cifar(folder, 10).official is True
    assert load_cifar(archive, 10).official is True
    monkeypatch.setattr(
        cifar, "LAYOUTS", {10: dataclasses.replace(layout, md5={**sums, "test_batch": "0"})}
    )
    assert load_cifar(folder, 10).official is False


def test_published_sums_have_the_right_form():
    for layout in LAYOUTS.values():
        assert set(layout.md5) == set(layout.files)
        for md5 in (*layout.md5.values(), layout.archive_md5):
            assert len(bytes.fromhex(md5)) == 16


def refuse(path, message, classes=10):
    with pytest.raises(DataError, match=message) as info:
        load_cifar(path, classes)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize(
    "file, change, message",
    [
        ("data_batch_3", {b"data": np.zeros((20, 3071), np.uint8)}, r"\[N, 3072\], got uint8 \[20"),
        ("data_batch_3", {b"data": np.zeros(20 * 3072, np.uint8)}, r"got uint8 \[61440\]"),
        ("data_batch_3", {b"data": np.zeros((20, 3072), np.int32)}, "got int32"),
        ("data_batch_3", {b"data": b"x" * 3072}, "got bytes"),
        ("data_batch_1", {b"labels": [0] * 19}, "20 pictures but 19 labels"),
        ("data_batch_1", {b"labels": [0] * 19 + [10]}, "label 10, allowed are 0 to 9"),
        ("data_batch_1", {b"labels": [-1] + [0] * 19}, "label -1, allowed"),
        ("data_batch_1", {b"labels": [2**70] + [0] * 19}, "list of integers"),
        ("data_batch_1", {b"labels": [0.5] * 20}, "list of integers"),
        ("data_batch_1", {b"labels": [[0]] * 20}, "list of integers"),
        ("data_batch_1", {b"labels": [[0], [0, 1]]}, "list of integers"),
        ("data_batch_1", {b"labels": b"0" * 20}, "list of integers"),
        ("batches.meta", {b"label_names": [b"a"] * 9}, "must list 10 names in 'label_names'"),
        ("batches.meta", {b"label_names": 3}, "must list 10 names"),
        ("batches.meta", {b"label_names": [1] * 10}, "a int where text belongs"),
        ("batches.meta", {b"label_names": [b"a"] * 10}, "names the class 'a' twice"),
    ],
)
def test_wrong_contents(cifar10_contents, write_cifar, file, change, message):
    cifar10_contents[file] |= change
    where = "" if "twice" in message else f"{file}.*"
    refuse(write_cifar(cifar10_contents), where + message)


@pytest.mark.parametrize("key", [b"data", b"labels"])
def test_missing_keys(cifar10_contents, write_cifar, key):
    del cifar10_contents["test_batch"][key]
    refuse(write_cifar(cifar10_contents), f"test_batch has no '{key.decode()}'")


@pytest.mark.parametrize("file", ["data_batch_4", "test_batch", "batches.meta"])
def test_missing_files(cifar10_contents, write_cifar, pack, file):
    del cifar10_contents[file]
    folder = write_cifar(cifar10_contents)
    refuse(folder, f"lacks {file}: it is incomplete")
    refuse(pack(folder), f"lacks cifar-10-batches-py/{file}: it is incomplete")


def test_places_without_an_archive(tmp_path, cifar10_contents, write_cifar):
    refuse(tmp_path / "nowhere", "nowhere does not exist: give the official cifar10 python")
    refuse(tmp_path, "holds neither cifar-10-batches-py/ nor cifar-10-python.tar.gz")
    folder = write_cifar(cifar10_contents)
    refuse(folder, "holds neither cifar-100-python/", classes=100)


@pytest.mark.parametrize("file", ["data_batch_2", "test_batch", "batches.meta"])
def test_truncated_files(cifar10_contents, write_cifar, file):
    folder = write_cifar(cifar10_contents)
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[: len(content) // 2])
    refuse(folder, f"{file} is damaged or no CIFAR file")


def test_archives_truncated_anywhere(cifar10_contents, write_cifar, pack):
    archive = pack(write_cifar(cifar10_contents))
    content = archive.read_bytes()
    for kept in (0, 1, 10, 200, len(content) // 3, len(content) // 2, len(content) * 9 // 10):
        archive.write_bytes(content[:kept])
        refuse(archive, "is truncated or no .tar.gz|is incomplete")


def test_plain_tar_archives_cut_between_files(cifar10_contents, write_cifar, pack):
    archive = pack(write_cifar(cifar10_contents))
    whole = gzip.decompress(archive.read_bytes())
    archive.write_bytes(gzip.compress(whole[: 512 * (len(whole) // 1024)]))
    refuse(archive, "is truncated or no .tar.gz|is incomplete")


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"PK\x03\x04" + b"0" * 600])
def test_files_that_are_no_archive(tmp_path, content):
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(content)
    refuse(path, "is truncated or no .tar.gz|is incomplete")


def test_flipped_bits_in_an_archive(cifar10_contents, write_cifar, pack):
    archive = pack(write_cifar(cifar10_contents))
    content = bytearray(archive.read_bytes())
    for place in range(300, len(content), len(content) // 7):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        archive.write_bytes(damaged)
        refuse(archive, "cifar-10")


def member(name, kind=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "hostile, message",
    [
        (member("../escaped"), "leads out of it: '../escaped'"),
        (member("cifar-10-batches-py/../../escaped"), "leads out of it"),
        (member("/tmp/escaped"), "leads out of it: '/tmp/escaped'"),
        (member("..\\escaped"), "leads out of it"),
        (member("C:/escaped"), "leads out of it"),
        (member("cifar-10-batches-py/link", tarfile.SYMTYPE, "/etc/passwd"), "a link"),
        (member("cifar-10-batches-py/link", tarfile.LNKTYPE, "test_batch"), "a link"),
        (member("cifar-10-batches-py/pipe", tarfile.FIFOTYPE), "a device or pipe"),
        (member("dev", tarfile.CHRTYPE), "a device or pipe"),
        (member("cifar-10-batches-py/test_batch"), "twice"),
    ],
)
def test_hostile_archives_are_refused(
    cifar10_contents, write_cifar, pack, tmp_path, hostile, message
):
    archive = pack(write_cifar(cifar10_contents), (hostile, b""))
    before = sorted(tmp_path.rglob("*"))
    refuse(archive, message)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_member_that_would_fill_the_memory(cifar10_contents, write_cifar, pack, monkeypatch):
    archive = pack(write_cifar(cifar10_contents))
    monkeypatch.setattr(cifar, "_LARGEST_MEMBER", 1000)
    refuse(archive, "a file of [0-9,]+ bytes")


def test_further_files_are_no_obstacle(cifar10_contents, write_cifar, pack):
    cifar10_contents["readme.html"] = b"<html>"
    archive = pack(write_cifar(cifar10_contents), (member("./notes/readme.txt"), b"hello"))
    assert len(load_cifar(archive, 10).train) == 100


def test_foreign_globals_in_an_archive(cifar10_contents, write_cifar, pack, tmp_path):
    trace = tmp_path / "trace"
    cifar10_contents["test_batch"] = (
        b"\x80\x02c" + os.mkdir.__module__.encode() + b"\nmkdir\nX"
        + len(str(trace)).to_bytes(4, "little") + str(trace).encode() + b"\x85R."
    )  # fmt: skip
    refuse(pack(write_cifar(cifar10_contents)), r"test_batch asks for the foreign global .*mkdir")
    assert not trace.exists()
