"""The record of a network's one look at the test set: in ``test.json`` and in ``run.json``.

The result in the manifest says that the test set was read even where the file is lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from autodl.errors import StoreError
from autodl.runs.folder import MANIFEST, TEST, read_manifest, update_manifest
from autodl.system.files import write_json

_KEY = "test"  # of the manifest


def read_test(folder: Path, weights_sha256: str) -> dict[str, Any] | None:
    """What a test of these weights has found; None if they were never tested.

    Where ``test.json`` is lost, the result is that in the manifest, and the file is written again
    if the folder can be written.

    Raises:
        StoreError: a record is damaged, or the two contradict each other.
    """
    noted, path = _noted(folder), folder / TEST
    noted = noted if noted is not None and noted.get("weights_sha256") == weights_sha256 else None
    if not path.exists():
        if noted is not None:
            with suppress(StoreError):  # where nothing may be written
                write_json(path, noted)
        return noted
    found = _read(path)
    if found.get("weights_sha256") != weights_sha256:
        return noted
    if noted not in (None, found):
        raise StoreError(
            f"{path} and {folder / MANIFEST} give different results of one test: bring {TEST} back"
            f" from a back-up, or delete it to take the result that {MANIFEST} has"
        )
    return found


def keep_test(folder: Path, result: Mapping[str, Any]) -> None:
    """Record the result of a test, with the ``weights_sha256`` that it is of."""
    update_manifest(folder, **{_KEY: dict(result)})
    write_json(folder / TEST, result)


def _noted(folder: Path) -> dict[str, Any] | None:
    path = folder / MANIFEST
    found = read_manifest(folder).get(_KEY) if path.exists() else None
    if found is not None and not isinstance(found, dict):
        raise StoreError(f"{path} is damaged: {_KEY} is no result of a test")
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {path}: {error}; bring it back from a back-up") from None
    if not isinstance(value, dict) or not isinstance(value.get("weights_sha256"), str):
        raise StoreError(f"{path} is damaged: it holds no result of a test")
    return value
