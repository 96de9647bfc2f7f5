"""Fluid's one-file-per-variable format: the original's archive, and files that lie."""

from __future__ import annotations

import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodl.errors import CheckpointError
from autodl.jobs.import_fluid.archive import fluid_tensor, read_fluid_archive

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
NUMBERS = np.arange(6, dtype="<f4").reshape(2, 3)


def varint(value):
    out = b""
    while True:
        value, low = value >> 7, value & 0x7F
        out += bytes([low | (0x80 if value else 0)])
        if not value:
            return out


def description(shape=(2, 3), kind=5, packed=False):
    sizes = b"".join(varint(size) for size in shape)
    dims = b"".join(b"\x10" + varint(size) for size in shape)
    return b"\x08" + varint(kind) + (b"\x12" + varint(len(sizes)) + sizes if packed else dims)


def variable(numbers=None, desc=None, levels=(), version=0, tensor=0):
    numbers = NUMBERS.tobytes() if numbers is None else numbers
    desc = description() if desc is None else desc
    lod = b"".join(struct.pack("<Q", len(level)) + level for level in levels)
    head = struct.pack("<IQ", version, len(levels)) + lod
    return head + struct.pack("<Ii", tensor, len(desc)) + desc + numbers


@pytest.fixture
def pack(tmp_path):
    def pack(files, mode="w", name="model.tar"):
        with tarfile.open(tmp_path / name, mode) as archive:
            for path, content in files:
                info = path if isinstance(path, tarfile.TarInfo) else tarfile.TarInfo(path)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return tmp_path / name

    return pack


def test_the_originals_archive_has_exactly_its_weights():
    found = read_fluid_archive(GOLDEN / "lrc_fluid_model_a.tar")
    with np.load(GOLDEN / "lrc_network_a.npz") as file:
        expected = {key[6:]: file[key] for key in file.files if key.startswith("param:")}
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize("kind, dtype", [(2, "i4"), (3, "i8"), (5, "f4"), (6, "f8")])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("levels", [(), (b"12345678", b"")])
def test_a_tensor(kind, dtype, packed, levels):
    numbers = np.arange(300).reshape(150, 2).astype(f"<{dtype}")
    desc = description(numbers.shape, kind, packed)
    found = fluid_tensor(variable(numbers.tobytes(), desc, levels))
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, numbers)
    found[0] = 1  # a copy that can be written to


def test_a_scalar():
    numbers = np.float32(2.5).tobytes()
    assert fluid_tensor(variable(numbers, description(()))) == 2.5


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "ends within a version: 4 bytes of it are due, 0 are left"),
        (variable(version=1), "is no variable of Fluid, or of another version: 1, expected 0"),
        (b"GIF89a" + bytes(60), "is no variable of Fluid"),
        (variable(tensor=7), "holds a tensor of another version: 7"),
        (struct.pack("<IQ", 0, 2**60), "claims 1152921504606846976 LoD levels in 12 bytes"),
        (struct.pack("<IQQ", 0, 1, 2**62), "ends within a LoD level: 4,611,686,018,427,387,904"),
        (struct.pack("<IQIi", 0, 0, 0, -5), "claims a description of -5 bytes"),
        (struct.pack("<IQIi", 0, 0, 0, 2**31 - 1), "ends within its description"),
        (variable(desc=description(kind=4)), r"unknown type 4; known are 2 \(int32\)"),
        (variable(desc=description(kind=2**63)), "unknown type 9223372036854775808"),
        (variable(desc=b"\x10\x06"), "does not say its type"),
        (variable(desc=description() + b"\x1a\x00"), "unknown field 0x1a"),
        (variable(desc=b"\x08" + b"\x80" * 10 + b"\x01"), "more than ten bytes"),
        (variable(desc=b"\x08\x80"), "ends within its description"),
        (variable(desc=b"\x08\x05\x12\x7f\x02"), "ends within its dimensions"),
        (variable(desc=description((2, 2**64 - 1))), "claims a dimension of -1"),
        (variable(desc=description((0, 3))), "claims a dimension of 0"),
        (variable(desc=description((2**40,))), "claims a dimension of 1099511627776"),
        (variable(desc=description((1,) * 10)), "claims 10 dimensions"),
        (variable(desc=description((2**31 - 1,) * 9)), "claims float32"),
        (variable(desc=description((2, 4))), r"claims float32 \[2, 4\], 32 bytes, and has 24"),
        (variable() + b"\0", r"claims float32 \[2, 3\], 24 bytes, and has 25"),
        (variable()[:-1], "24 bytes, and has 23"),
        (variable(desc=description(kind=3)), "claims int64"),
    ],
)
def test_files_that_lie(pack, content, message):
    with pytest.raises(CheckpointError, match=message):
        fluid_tensor(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_fluid_archive(pack([("model/stem.0.weight", content)]))
    assert "model.tar: 'stem.0.weight' " in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.data())
def test_a_file_cut_anywhere_or_with_a_changed_byte_is_read_or_refused(data):
    """Only a byte of the numbers themselves can change unseen."""
    content = variable(levels=(b"abc",))
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(CheckpointError):
        fluid_tensor(content[:cut])
    spoilt = bytearray(content)
    spoilt[cut] ^= data.draw(st.integers(1, 255))
    try:
        found = fluid_tensor(bytes(spoilt))
    except CheckpointError:
        return
    assert found.nbytes <= len(content)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_archives_plain_and_packed(pack, mode):
    files = [("a.weight", variable()), ("b.bias", variable())]
    assert sorted(read_fluid_archive(pack(files, mode))) == ["a.weight", "b.bias"]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_truncated_archives(pack, mode):
    path = pack([(f"m/{n}", variable()) for n in range(4)], mode)
    whole = path.read_bytes()
    # the last part of a plain tar is padding
    for end in range(1, len(whole) if "gz" in mode else 4 * 1024 - 512, 97):
        path.write_bytes(whole[:end])
        try:
            found = read_fluid_archive(path)
        except CheckpointError:
            continue
        assert set(found) < {"0", "1", "2", "3"}  # cut between two files: variables are missing
        assert mode == "w"


def member(name, kind=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "files, message",
    [
        ([("../stem.0.weight", variable())], "a path that leads out of it: '../stem.0.weight'"),
        ([("/tmp/stem.0.weight", variable())], "a path that leads out"),
        ([(member("m/link", tarfile.SYMTYPE, "/etc/passwd"), b"")], "a link"),
        ([(member("m/pipe", tarfile.FIFOTYPE), b"")], "a device or pipe"),
        ([("m/a", variable()), ("m/a", variable())], "holds 'a' twice"),
        ([("m/a", variable()), ("n/b", variable())], "several folders, m and n"),
        ([("a", variable()), ("n/b", variable())], r"several folders, \. and n"),
        ([("m/.DS_Store", b"\0\0\0\1Bud1")], "'.DS_Store' is no variable of Fluid"),
        ([], "holds no files"),
    ],
)
def test_hostile_and_foreign_archives(pack, files, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        read_fluid_archive(pack(files))
    assert "\n" not in str(caught.value)


def test_sizes_that_lie(pack, monkeypatch):
    from autodl.jobs.import_fluid import archive as fluid_archive

    path = pack([("m/a", variable()), ("m/b", variable())])
    monkeypatch.setattr(fluid_archive, "_LARGEST_MODEL", 99)
    with pytest.raises(CheckpointError, match="more than 99 bytes"):
        read_fluid_archive(path)
    monkeypatch.setattr(fluid_archive, "_LARGEST_FILE", 10)
    with pytest.raises(CheckpointError, match="a file of 50 bytes"):
        read_fluid_archive(path)


def test_what_is_no_archive(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot read .*nowhere\.tar: No such file"):
        read_fluid_archive(tmp_path / "nowhere.tar")
    with pytest.raises(CheckpointError, match=r"is a folder: pack it, by tar -cf model\.tar"):
        read_fluid_archive(tmp_path)
    (tmp_path / "page.tar").write_text("<html>not found</html>")
    with pytest.raises(CheckpointError, match=r"is truncated or no \.tar\.gz or \.tar"):
        read_fluid_archive(tmp_path / "page.tar")
