from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from autodl.errors import AutoDLError, ConfigError
from autodl.system import resources
from autodl.system.resources import (
    config_lines,
    find_config,
    install_command,
    resource,
    shipped_configs,
)

CONFIGS = ("search/demo.yaml", "search/random.yaml", "train/cell.yaml")


def fill(root: Path) -> None:
    """Lay out what ships, as setup.py and the git tree both do."""
    for name in CONFIGS:
        path = root / "configs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Global: {seed: 0}\n", encoding="utf-8")
    (root / "requirements.lock").write_text("numpy==2.3.5\n", encoding="utf-8")


@pytest.fixture(params=["installed", "checkout"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of three configs; the folder that holds them is returned."""
    package = tmp_path / "site" / "autodl"
    package.mkdir(parents=True)
    root = package if request.param == "installed" else package.parent
    fill(root)
    monkeypatch.setattr(resources, "PACKAGE", package)
    monkeypatch.chdir(tmp_path)
    return root


def test_resource_is_found_in_both_layouts(root: Path) -> None:
    assert resource("configs") == root / "configs"
    assert resource("configs", "search", "demo.yaml") == root / "configs" / "search" / "demo.yaml"


def test_installed_package_ignores_foreign_neighbours(tmp_path, monkeypatch) -> None:
    """Other packages may put folders named models or tools beside an installed autodl."""
    package = tmp_path / "autodl"
    package.mkdir()
    fill(package)
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(resources, "PACKAGE", package)
    with pytest.raises(AutoDLError, match="no 'models' in"):
        resource("models")


def test_missing_resource_says_what_is_there(root: Path) -> None:
    with pytest.raises(AutoDLError) as caught:
        resource("configs", "serach")
    message = str(caught.value)
    assert "no 'serach' in" in message
    assert "Did you mean 'search'?" in message
    assert "It holds: search, train." in message
    assert "\n" not in message


def test_resource_below_a_file_is_missing(root: Path) -> None:
    with pytest.raises(AutoDLError, match="It holds: nothing"):
        resource("configs", "search", "demo.yaml", "x")


@pytest.mark.parametrize("name", ["search/demo.yaml", "configs/search/demo.yaml"])
def test_shipped_config_is_found_from_any_folder(root: Path, name: str) -> None:
    assert find_config(Path(name)) == root / "configs" / "search" / "demo.yaml"


def test_own_file_wins_over_the_shipped_one(root: Path, tmp_path: Path) -> None:
    mine = Path("search/demo.yaml")
    (tmp_path / "search").mkdir()
    (tmp_path / mine).write_text("Global: {seed: 1}\n", encoding="utf-8")
    assert find_config(mine) == mine
    assert find_config(tmp_path / mine) == tmp_path / mine


@pytest.mark.parametrize(
    "name", ["serach/demo.yaml", "configs/search/dmo.yml", "/somewhere/else/search/demo.yaml"]
)
def test_missing_config_gives_the_nearest(root: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_config(Path(name))
    message = str(caught.value)
    assert repr(name) in message
    assert "Did you mean 'search/demo.yaml'?" in message
    assert ", ".join(CONFIGS) in message
    assert "\n" not in message


def test_folder_is_no_config(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        find_config(tmp_path)


def test_install_command_names_the_lock(root: Path) -> None:
    words = shlex.split(install_command())
    assert words[:6] == [sys.executable, "-m", "pip", "install", "--no-deps", "-r"]
    assert words[6:] == [str(root / "requirements.lock")]


def test_install_command_survives_spaces(tmp_path, monkeypatch) -> None:
    package = tmp_path / "my files" / "autodl"
    package.mkdir(parents=True)
    fill(package)
    monkeypatch.setattr(resources, "PACKAGE", package)
    assert shlex.split(install_command())[-1] == str(package / "requirements.lock")


def test_this_tree_has_its_own() -> None:
    """Without any patching: the tests run in a checkout or beside an installed package."""
    assert resource("requirements.lock").read_text(encoding="utf-8").count("==") > 20


def test_a_config_that_moved_is_answered_with_its_new_name(root: Path) -> None:
    (root / "configs" / "moved.txt").write_text("# names\nsearch/old.yaml search/random.yaml\n")
    for name in ("search/old.yaml", "configs/search/old.yaml"):
        with pytest.raises(ConfigError, match=r"is called search/random\.yaml now"):
            find_config(Path(name))


def test_what_moved_is_there_and_the_old_names_are_free() -> None:
    moved = resources._moved_configs()
    shipped = shipped_configs()
    assert moved
    assert set(moved.values()) <= shipped.keys()
    assert not moved.keys() & shipped.keys()


def test_configs_are_listed_with_their_first_lines(root: Path) -> None:
    first = root / "configs" / "search" / "demo.yaml"
    first.write_text("# What it is.\n# More of it.\nGlobal: {seed: 0}\n", encoding="utf-8")
    assert config_lines("search") == ["search/demo.yaml    What it is.", "search/random.yaml"]
    assert len(config_lines()) == len(CONFIGS)
    assert next(iter(shipped_configs("train", "search"))) == "train/cell.yaml"


@pytest.mark.parametrize("name, path", shipped_configs().items(), ids=lambda value: str(value))
def test_every_config_begins_with_a_sentence(name: str, path: Path) -> None:
    """So that the list reads well: what it is, whole, in the first line."""
    line = path.read_text(encoding="utf-8").splitlines()[0]
    assert line.startswith("# ")
    assert line[-1] in ".:", line
