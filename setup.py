"""Builds the package ``autodl``, with the folders that ship inside it.

``configs/``, ``models/`` and ``tools/`` stand at the top of the git tree, where people look
for them, and are installed inside the package (``autodl/configs`` ...), where they cannot
get in the way of anybody else's ``models`` or ``tools``. ``autodl/system/resources.py`` finds them
in both places.
"""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
LOCKS = ("requirements.lock", "requirements-ray.lock", "requirements-onnx.lock")
SHIPPED = ("configs", "models", "tools", *LOCKS)


class BuildWithResources(build_py):
    """Copies what is ``SHIPPED`` into the package; an editable install reads the tree itself."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        package = Path(self.build_lib, "autodl")
        for name in SHIPPED:
            target = package / name
            if target.is_dir():
                shutil.rmtree(target)  # what an earlier build left and the tree dropped
            if Path(name).is_dir():
                shutil.copytree(name, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            elif Path(name).is_file():
                shutil.copyfile(name, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        copied = [
            str(path)
            for name in SHIPPED
            for path in [Path(self.build_lib, "autodl", name)]
            for path in ([path] if path.is_file() else sorted(path.rglob("*")))
            if path.is_file()
        ]
        return [*super().get_outputs(include_bytecode), *copied]


def version() -> str:
    """The version, read without importing the package."""
    text = (HERE / "autodl" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE).group(1)


def description() -> str:
    """The README, if this copy of the tree has one."""
    readme = HERE / "README.md"
    return readme.read_text(encoding="utf-8") if readme.is_file() else ""


setup(
    name="autodl-paddle",
    version=version(),
    description="AutoDL for PaddlePaddle: neural networks that design neural networks",
    long_description=description(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["autodl", "autodl.*"]),
    package_data={"": ["py.typed", "*.json", "*.npz", "*.zip"]},
    # Neither Paddle nor PARL: people choose the CPU or the GPU build of Paddle themselves, and
    # PARL's pins contradict Paddle's, so only requirements.lock can install the two together.
    install_requires=[
        "matplotlib",
        "numpy<2.4",
        "pillow",
        "pot",
        "pydantic>=2",
        "pyyaml",
        "rich",
        "safetensors",
        "scikit-learn",
        "scipy",
        "visualdl>=2.5.3",
    ],
    extras_require={
        "cpu": ["paddlepaddle>=3.0"],
        "gpu": ["paddlepaddle-gpu"],
        "dev": [
            "hypothesis",
            "mypy",
            "pytest",
            "pytest-timeout",
            "pytest-xdist",
            "ruff",
            "types-PyYAML",
        ],
    },
    entry_points={"console_scripts": ["autodl = autodl.__main__:main"]},
    cmdclass={"build_py": BuildWithResources},
    zip_safe=False,
)
