"""Paths in configs."""

from __future__ import annotations

from pathlib import Path

import pytest

from autodl.config.paths import absolute
from autodl.config.reading import RawConfig
from autodl.config.sections import validate
from autodl.data.options import DataOptions
from autodl.errors import ConfigError


def test_from_the_root_and_from_home(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ann")
    assert absolute(Path("données #2")) == tmp_path / "données #2"
    assert absolute(Path("~/x")) == Path("/home/ann/x")


@pytest.mark.parametrize(
    "path, wanted",
    [
        ("a\0b", "a path holds no zero byte"),
        ("~nobody-of-that-name/x", "there is no such user"),
    ],
)
def test_what_is_no_path_is_refused_in_the_config(path, wanted):
    with pytest.raises(ConfigError, match=rf"Data\.path: .*{wanted}"):
        validate(DataOptions, {"path": path}, RawConfig({}), ("Data",))


def test_a_working_folder_of_other_bytes_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(Path, "cwd", lambda: Path("/caf\udce9"))
    with pytest.raises(ValueError, match="no UTF-8 text; rename"):
        absolute(Path("/caf\udce9/pets"))
