"""The tool that makes a network out of a folder: what it refuses, in one line."""

from __future__ import annotations

import pytest
from PIL import Image


def fill(root, classes, each):
    for name in classes:
        (root / name).mkdir(parents=True)
        for picture in range(each):
            Image.new("RGB", (16, 16), picture).save(root / name / f"{picture}.png")
    return root


@pytest.mark.parametrize(
    "classes, each, options, expected",
    [
        (("cat",), 5, (), "needs at least 2 sub-folders"),
        (("cat", "dog"), 1, (), "has 1 pictures, at least 3 are needed"),
        (("cat", "dog"), 10, ("--minutes", 0.001), "--minutes more"),
        (("cat", "dog"), 10, ("--minutes", -1), "Fit.minutes"),
        (("cat", "dog"), 10, ("--image-size", 8), "Fit.image_size"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_folder(
    call, tmp_path, classes, each, options, expected
):
    pictures = fill(tmp_path / "pictures", classes, each)
    done = call("fit", pictures, "--out", tmp_path / "out", *options)
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert expected in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()
