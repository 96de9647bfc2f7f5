"""The restricted unpickler: reads arrays of every dialect, runs nothing foreign."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from autodl.data.unpickle import as_text, load_restricted
from autodl.errors import DataError

ARRAY = np.random.default_rng(0).integers(0, 256, (4, 6), dtype=np.uint8)


class Calls:
    """Pickles as a call of ``function``."""

    def __init__(self, function, *arguments):
        self._call = function, arguments

    def __reduce__(self):
        return self._call


def test_python_2_files_are_read(python2_pickle):
    content = python2_pickle({b"data": ARRAY, b"labels": [3, 1], b"batch_label": b"one"})
    assert b"numpy.core.multiarray" in content
    loaded = load_restricted(content, "x")
    np.testing.assert_array_equal(loaded["data"], ARRAY)
    assert loaded["labels"] == [3, 1]
    assert loaded["batch_label"] == b"one"


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("core", [b"numpy.core.", b"numpy._core."])
@pytest.mark.parametrize(
    "array",
    [ARRAY, np.asfortranarray(ARRAY), ARRAY.astype("<i8"), ARRAY.astype(">i4")],
    ids=["uint8", "columns first", "int64", "big-endian"],
)
def test_arrays_of_python_3_and_any_numpy_are_read(array, protocol, core):
    content = pickle.dumps({"data": array}, protocol=protocol)
    if protocol < 4:  # module names are length-prefixed later
        content = content.replace(b"numpy._core.", core)
    loaded = load_restricted(content, "x")["data"]
    np.testing.assert_array_equal(loaded, array)
    assert loaded.dtype == array.dtype


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_foreign_globals_are_named_and_not_run(tmp_path, protocol):
    trace = tmp_path / "trace"
    content = pickle.dumps({"data": Calls(os.mkdir, str(trace))}, protocol=protocol)
    with pytest.raises(DataError, match=r"batch_1 asks for the foreign global \w+\.mkdir") as info:
        load_restricted(content, "batch_1")
    assert "\n" not in str(info.value)
    assert not trace.exists()


@pytest.mark.parametrize(
    "module, name",
    [
        ("builtins", "eval"),
        ("__builtin__", "eval"),
        ("builtins", "getattr"),
        ("numpy", "load"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "fromfile"),
        ("numpy", "ndarray.tofile"),
        ("_codecs", "decode"),
        ("autodl.data.unpickle", "pickle.loads"),
    ],
)
def test_near_misses_are_foreign_too(module, name):
    content = b"\x80\x04\x8c" + bytes([len(module)]) + module.encode()
    content += b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93."
    with pytest.raises(DataError, match="foreign global"):
        load_restricted(content, "x")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        pickle.dumps([1, 2]),
        pickle.dumps({"data": ARRAY})[:-30],
        pickle.dumps({("a",): 1}),
        pickle.dumps({"data": np.array([object()], dtype=object)}),
        pickle.dumps({"data": np.zeros(3)}),
        pickle.dumps({"data": np.zeros(2, "V4")}),
        # an array whose state was never set
        b"\x80\x02}U\x04datacnumpy.core.multiarray\n_reconstruct\n)Rs.",
        # state for the stand-ins themselves, which must not change them
        b"\x80\x02cnumpy\nndarray\n}U\x01aK\x01sb.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n}U\x01aK\x01sb.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nN}U\x08__call__K\x01s\x86b.",
        b"\x80\x02cnumpy\ndtype\n}U\x04codeK\x01sb.",
        b"\x80\x02c_codecs\nencode\nU\x01aU\x05utf-7\x86R.",
        # a persistent id, an extension code, a list longer than memory
        b"\x80\x02U\x01aQ.",
        b"\x80\x02\x82\x01.",
        b"\x80\x04\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",
    ],
)
def test_damaged_content_is_one_line_that_names_the_file(content, python2_pickle):
    with pytest.raises(DataError, match=r"^some/file is damaged or no CIFAR file") as info:
        load_restricted(content, "some/file")
    assert "\n" not in str(info.value)
    # and nothing was left behind: a good file still loads
    good = load_restricted(python2_pickle({b"data": ARRAY}), "x")
    np.testing.assert_array_equal(good["data"], ARRAY)


@pytest.mark.parametrize("shape", [(5, 5), (10**12,), (-1, 7), "x"])
def test_array_shapes_must_fit_their_bytes(shape):
    dtype = Calls(np.dtype, "u1", False, True)

    class Array:
        def __reduce__(self):
            reconstruct = np.zeros(1).__reduce__()[0]
            state = (1, shape, dtype, False, b"x" * 24)
            return reconstruct, (np.ndarray, (0,), b"b"), state

    with pytest.raises(DataError, match="damaged"):
        load_restricted(pickle.dumps({"data": Array()}, protocol=2), "x")


def test_as_text():
    assert as_text(b"caf\xe9") == as_text("café") == "café"
    with pytest.raises(TypeError, match="a int where text"):
        as_text(3)
