"""The tool as people run it."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autodl.data.sample import FILE
from autodl.data.subset import read_subset

TOOL = Path(__file__).resolve().parents[2] / "tools" / "prepare_data.py"


def test_a_subset_of_the_sample(call, tmp_path):
    out = tmp_path / "pets.npz"
    done = call(
        "prepare-data",
        *("--name", "cifar10-mini", "--classes", "cat,dog", "--per-class", 30),
        *("--test-per-class", 5, "--image-size", 16, "--out", out),
    )
    assert done.code == 0, done.err
    assert f"wrote {out}: 60 + 10 pictures of 16x16, 2 classes" in done.out
    subset = read_subset(out)
    assert subset.dataset.classes == ("cat", "dog")
    assert subset.dataset.train.images.shape == (60, 16, 16, 3)
    labels = read_subset(FILE).dataset.train.labels
    np.testing.assert_array_equal(labels[subset.train_indices], 3 + 2 * subset.dataset.train.labels)


def test_a_subset_of_a_folder_with_pictures_of_many_sizes(call, tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(10):
            Image.new("RGB", (20 + number, 12)).save(tmp_path / name / f"{number}.png")
    done = call(
        "prepare-data",
        *("--name", "folder", "--path", tmp_path, "--per-class", 3, "--test-per-class", 2),
        *("--image-size", 8, "--out", tmp_path / "x.npz"),
    )
    assert done.code == 0, done.err
    assert read_subset(tmp_path / "x.npz").dataset.train.images.shape == (6, 8, 8, 3)


def test_help_is_quick():
    """Under 0.5 s; the best of three, because other tests run beside this one."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, TOOL, "--help"], capture_output=True, text=True)
        seconds.append(time.perf_counter() - start)
        assert not done.returncode
        assert "--per-class" in done.stdout
    assert min(seconds) < 0.5


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--name", "cifar10"], "error: Data.path is missing"),
        (["--name", "cifr10"], "error: unknown data set 'cifr10'. Did you mean 'cifar10'"),
        (["--name", "cifar10", "--path", "/nowhere"], "error: /nowhere does not exist"),
        (["--name", "cifar10-mini", "--per-class", 99], "error: the class 'airplane' has 100"),
        (["--name", "cifar10-mini", "--classes", "cat,dgo"], "Did you mean 'dog'"),
        (["--name", "cifar10-mini", "--image-size", 5], "5 is not in 8..512"),
        (["--name", "cifar10-mini", "--seed", -1], "is not in 0.."),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(call, tmp_path, arguments, message):
    done = call("prepare-data", *arguments, "--out", tmp_path / "x.npz")
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    if "error: " in message:
        assert done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="file-size limits are POSIX's")
def test_a_full_disk_leaves_nothing_behind(forked, tmp_path):
    out = tmp_path / "x.npz"
    out.write_bytes(b"the old one")
    done = forked(
        *("prepare-data", "--name", "cifar10-mini", "--per-class", 50, "--test-per-class", 5),
        *("--out", out),
        before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.code == 2
    assert done.err.startswith("error: cannot write")
    assert done.err.count("\n") == 1
    assert out.read_bytes() == b"the old one"
    assert [file.name for file in tmp_path.iterdir()] == ["x.npz"]


def test_a_place_that_cannot_be_written_is_said_before_anything_is_read(refused, tmp_path):
    (tmp_path / "file").write_text("text")
    wanted = f"cannot write to {tmp_path / 'file' / 'mini.npz'}: {tmp_path / 'file'} is a file"
    nowhere = ("--name", "cifar10", "--path", tmp_path / "nowhere")
    refused(wanted, "prepare_data", *nowhere, "--out", tmp_path / "file" / "mini.npz")
