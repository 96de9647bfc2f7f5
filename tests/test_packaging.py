"""What is installed: the lock, what the package requires, and what its archives hold."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[1]
PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)==[0-9][0-9a-z.!+]*( ; (?P<marker>\S.*))?")
SHIPPED_FOLDERS = ("configs", "models", "tools")
STALE = "configs/search/stale.yaml"

pytestmark = pytest.mark.skipif(
    not (TREE / "setup.py").is_file(), reason="these look at a checkout, not at an installation"
)


@pytest.fixture(scope="module")
def pins() -> list[str]:
    return (TREE / "requirements.lock").read_text(encoding="utf-8").splitlines()


def test_lock_is_pins_only(pins) -> None:
    """No index, no address, no range, no option: pip must take exactly what is written."""
    assert [line for line in pins if not PIN.fullmatch(line)] == []


def test_lock_pins_each_package_once_per_python(pins) -> None:
    from packaging.requirements import Requirement  # comes with pytest

    for version in ("3.11", "3.12"):
        environment = {"python_version": version, "python_full_version": f"{version}.0"}
        requirements = [Requirement(line) for line in pins]
        names = [
            wanted.name
            for wanted in requirements
            if wanted.marker is None or wanted.marker.evaluate(environment)
        ]
        assert len(names) == len(set(names))
        assert {"numpy", "scipy", "networkx", "paddlepaddle", "parl"} <= set(names)


@pytest.mark.parametrize(
    "lock, wanted",
    [("requirements-ray.lock", {"ray"}), ("requirements-onnx.lock", {"onnxruntime", "onnx"})],
)
def test_optional_locks_agree_with_the_lock(pins, lock, wanted) -> None:
    """They are installed on top, and must change nothing that is there."""
    text = (TREE / lock).read_text(encoding="utf-8")
    added_pins = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in added_pins if not PIN.fullmatch(line)] == []
    locked = dict(line.partition(" ;")[0].split("==") for line in pins)
    added = dict(line.partition(" ;")[0].split("==") for line in added_pins)
    assert wanted <= added.keys()
    assert "polygraphy" not in added  # paddle2onnx makes it run pip by itself
    shared = added.keys() & locked.keys()
    assert {"protobuf", "packaging"} <= shared
    assert {name: added[name] for name in shared} == {name: locked[name] for name in shared}


@pytest.mark.parametrize(
    "name, limit",
    [("numpy", "<2.4"), ("setuptools", "<81"), ("protobuf", "==3.20.3"), ("parl", "==2.2.1")],
)
def test_lock_keeps_what_parl_and_paddle_need(pins, name, limit) -> None:
    from packaging.specifiers import SpecifierSet

    found = [line.partition("==")[2] for line in pins if line.startswith(f"{name}==")]
    assert len(found) == 1
    assert found[0] in SpecifierSet(limit)


def test_every_direct_need_is_locked(pins) -> None:
    locked = {match["name"] for line in pins if (match := PIN.fullmatch(line))}
    lines = (TREE / "requirements.in").read_text(encoding="utf-8").splitlines()
    asked = {re.split(r"[=<> ]", line)[0].lower() for line in lines if line and line[0] != "#"}
    assert asked <= locked


def test_nothing_names_a_package_index() -> None:
    """The same files have to work wherever people get their packages from."""
    options = re.compile(r"index-url\s*[= ]\s*\S*:|find-links\s*[= ]\s*\S*:|/simple\b", re.I)
    files = ["Makefile", "setup.py", "pyproject.toml", "requirements.in", "overrides.txt"]
    files += [f"requirements-{name}.{end}" for name in ("ray", "onnx") for end in ("in", "lock")]
    texts = {name: (TREE / name).read_text(encoding="utf-8") for name in [*files, ".ci/run"]}
    assert [name for name, text in texts.items() if options.search(text)] == []


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree without what is not in git, so that building leaves the checkout alone."""
    copy = tmp_path_factory.mktemp("packaging") / "tree"
    left_out = (".git", ".venv", "runs", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(TREE, copy, ignore=shutil.ignore_patterns(*left_out, "tests"))
    return copy


def build_wheel(source: Path, out: Path) -> Path:
    """What ``pip wheel --no-build-isolation`` asks of the build, without pip's own start.

    Compressing would take most of the time.
    """
    out.mkdir(exist_ok=True)
    build = (
        "import sys; from setuptools.build_meta import build_wheel;"
        "build_wheel(sys.argv[1], {'--build-option': '--compression=stored'})"
    )
    command = [sys.executable, "-c", build, str(out)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (wheel,) = out.glob("autodl_paddle-*.whl")
    return wheel


@pytest.fixture(scope="module")
def stale_wheel(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built while the tree had one more config, which it has dropped since."""
    stale = copy / STALE
    stale.touch()
    wheel = build_wheel(copy, tmp_path_factory.mktemp("stale"))
    stale.unlink()
    return wheel


@pytest.fixture(scope="module")
def wheel(
    copy: Path, stale_wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(build_wheel(copy, tmp_path_factory.mktemp("wheel"))) as archive:
        yield archive


def shipped(tree: Path) -> set[str]:
    """Names inside the package that an installation of ``tree`` must have."""
    locks = (f"requirements{name}.lock" for name in ("", "-ray", "-onnx"))
    files = {f"autodl/{name}" for name in ("py.typed", *locks)}
    for folder in SHIPPED_FOLDERS:
        files |= {f"autodl/{path.relative_to(tree)}" for path in all_files(tree / folder)}
    for path in all_files(tree / "autodl"):
        if path.suffix in (".py", ".npz", ".zip"):
            files.add(str(path.relative_to(tree)))
    return files


def all_files(folder: Path) -> Iterator[Path]:
    hidden = (".", "__pycache__")
    return (
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(hidden) for part in path.relative_to(folder).parts)
    )


def test_wheel_holds_everything_inside_the_package(wheel, copy) -> None:
    names = set(wheel.namelist())
    assert shipped(copy) - names == set()
    assert {name.partition("/")[0] for name in names} == {
        "autodl",
        next(name for name in names if name.endswith("/METADATA")).partition("/")[0],
    }


def test_wheel_requires_neither_paddle_nor_parl(wheel) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = Parser().parsestr(wheel.read(name).decode())
    required = metadata.get_all("Requires-Dist") or []
    plain = [line for line in required if "extra ==" not in line]
    assert not [line for line in plain if line.startswith(("paddle", "parl"))]
    assert any(line.startswith("numpy<2.4") for line in plain)
    assert set(metadata.get_all("Provides-Extra") or []) == {"cpu", "gpu", "dev"}
    assert any(line.startswith("paddlepaddle>=3") and "cpu" in line for line in required)
    assert any(line.startswith("paddlepaddle-gpu") and "gpu" in line for line in required)
    assert metadata["Requires-Python"] == ">=3.11"


def test_wheel_works_without_the_tree(wheel, tmp_path) -> None:
    """An unpacked wheel finds its tools, configs, networks and lock inside."""
    wheel.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1))\n"
        "import autodl; from autodl.system.resources import install_command, resource\n"
        "from autodl.data.sample import load_sample; from autodl.release import load, names\n"
        "pictures = load_sample().test.images[:3]\n"
        "labels = load(names()[0]).predict(pictures).labels.shape\n"
        "print(autodl.__file__, resource('models'), sorted(names()), labels, sep='\\n')\n"
        "print(install_command())"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    package = tmp_path / "autodl"
    assert done.stdout.splitlines() == [
        str(package / "__init__.py"),
        str(package / "models"),
        str(sorted(path.parent.name for path in (TREE / "models").glob("*/weights.safetensors"))),
        "(3,)",
        f"{sys.executable} -m pip install --no-deps -r {package / 'requirements.lock'}",
    ]


def test_sdist_builds_the_same_wheel(wheel, copy, tmp_path) -> None:
    subprocess.run(
        [sys.executable, "setup.py", "-q", "sdist", "--formats=tar", f"--dist-dir={tmp_path}"],
        cwd=copy,
        check=True,
        capture_output=True,
    )
    (archive,) = tmp_path.glob("*.tar")
    with tarfile.open(archive) as files:
        files.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    with zipfile.ZipFile(build_wheel(source, tmp_path / "wheel")) as again:
        assert set(again.namelist()) == set(wheel.namelist())


def test_build_forgets_what_the_tree_dropped(stale_wheel, wheel) -> None:
    """setuptools builds into build/lib, which survives; old configs must not."""
    with zipfile.ZipFile(stale_wheel) as before:
        assert f"autodl/{STALE}" in before.namelist()
    assert f"autodl/{STALE}" not in wheel.namelist()


def test_version_has_one_source(wheel) -> None:
    import autodl

    assert f"autodl_paddle-{autodl.__version__}.dist-info/METADATA" in wheel.namelist()
    project = tomllib.loads((TREE / "pyproject.toml").read_text(encoding="utf-8"))
    assert "project" not in project  # setup.py describes the package, pyproject.toml the tools


@pytest.mark.parametrize("module", ["paddle", "parl", "visualdl", "yaml", "pydantic", "pynvml"])
def test_lock_brings_what_is_imported(module) -> None:
    assert importlib.util.find_spec(module) is not None
