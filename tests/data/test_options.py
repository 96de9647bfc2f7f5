"""The `Data` section: defaults, and what it refuses before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from autodl.data.options import DataOptions


def test_defaults_need_no_file():
    options = DataOptions()
    assert options.name == "cifar10-mini"
    assert options.path is options.image_size is options.train is options.held_out is None
    assert options.split_seed == 2018


def test_values_as_yaml_gives_them():
    options = DataOptions.model_validate(
        {"name": "npz", "path": "a/b.npz", "classes": ["cat", "dog"], "image_size": 16}
    )
    assert options.path == Path.cwd() / "a/b.npz"
    assert options.classes == ("cat", "dog")
    assert DataOptions(classes=3).classes == 3
    with pytest.raises(ValidationError, match="frozen"):
        options.name = "cifar10"


@pytest.mark.parametrize(
    "key, value",
    [
        ("nmae", "cifar10"),
        ("image_size", 7),
        ("image_size", 513),
        ("image_size", "16"),
        ("train", 0),
        ("train", True),
        ("held_out", -1),
        ("held_out", 2.5),
        ("classes", 1),
        ("classes", "cat"),
        ("classes", True),
        ("split_seed", -1),
        ("path", 3),
    ],
)
def test_wrong_keys_types_and_ranges(key, value):
    with pytest.raises(ValidationError, match=key):
        DataOptions.model_validate({key: value})
