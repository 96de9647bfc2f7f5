"""Packages that are missing or broken."""

from __future__ import annotations

import sys

import pytest

from autodl.errors import MissingPackageError
from autodl.system.packages import require, require_paddle
from autodl.system.resources import RAY_LOCK, install_command


@pytest.fixture
def fake_paddle(tmp_path, monkeypatch):
    """Make a module that is found in Paddle's place, with this text."""

    real = sys.modules.pop("paddle", None)

    def make(text):
        package = tmp_path / "paddle"
        package.mkdir()
        (package / "__init__.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)

    yield make
    sys.modules.pop("paddle", None)
    if real is not None:
        sys.modules["paddle"] = real


def test_what_is_there_is_fine():
    assert require("json") is None


@pytest.mark.parametrize("name", ["no_such_package_anywhere", "paddle_but_not_quite"])
def test_what_is_missing_comes_with_the_command(name):
    with pytest.raises(MissingPackageError, match=repr(name)) as caught:
        require(name)
    assert install_command() in str(caught.value)
    assert "requirements.lock" in install_command()


def test_the_command_names_the_lock_that_brings_the_package():
    with pytest.raises(MissingPackageError) as caught:
        require("no_such_package_anywhere", RAY_LOCK)
    assert "requirements-ray.lock" in str(caught.value)
    assert install_command(RAY_LOCK) in str(caught.value)


def test_paddle_is_not_installed(monkeypatch):
    monkeypatch.setattr("autodl.system.packages.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="'paddle', which is not installed"):
        require_paddle()


@pytest.mark.parametrize(
    "text",
    [
        "raise ImportError('libgomp.so.1: cannot open shared object file\\nNo such file')",
        "raise OSError('libcudnn.so: cannot open')",
        "import no_such_package_anywhere",
    ],
    ids=["ImportError", "OSError", "ModuleNotFoundError"],
)
def test_a_broken_paddle_is_told_with_its_reason_and_the_command(fake_paddle, text):
    """It is found, so it counts as installed, but importing it fails."""
    fake_paddle(text)
    with pytest.raises(MissingPackageError, match="installed but cannot be imported") as caught:
        require_paddle()
    message = str(caught.value)
    assert install_command() in message
    assert "\n" not in message
    assert any(word in message for word in ("libgomp", "libcudnn", "no_such_package_anywhere"))


def test_a_sound_paddle_is_imported(fake_paddle):
    fake_paddle("sound = True")
    require_paddle()
    assert sys.modules["paddle"].sound
