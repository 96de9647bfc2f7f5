"""Entry points of ``paddle.hub``: one function for each released network.

paddle.hub.list("path/to/this/folder", source="local")
network = paddle.hub.load("path/to/this/folder", "NAME", source="local")
"""

from typing import Any as _Any

from autodl.release import load as _load
from autodl.release.network import folders as _folders

dependencies = ["paddle", "numpy", "PIL", "pydantic", "safetensors", "scipy", "yaml"]


def _entry(name: str) -> _Any:
    def entry(pretrained: bool = True, classes: int | None = None) -> _Any:
        return _load(name, pretrained, classes)

    entry.__name__ = entry.__qualname__ = name
    entry.__doc__ = (
        f"The released network {name}, ready to predict; its layer is ``.network``.\n\n"
        "Args: pretrained: with its weights; classes: another number gives a new classifier."
    )
    return entry


globals().update({_name: _entry(_name) for _name in [folder.name for folder in _folders()]})
