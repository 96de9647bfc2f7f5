"""What can be done with the folder of a supernet, for those who were given one by mistake."""

from __future__ import annotations

from pathlib import Path

from autodl.errors import AutoDLError
from autodl.runs.folder import CONFIG, run_config

_RELAXED = "Relaxed"  # the path of the supernets that choose an architecture themselves
_RETRAIN = {"GenotypeSpace": "train/genotype", "EdgeCellSpace": "train/edge-cell"}
_EMBEDDED = "cifar10-mini"


def is_relaxed(folder: Path) -> bool:
    """Whether a run is of a supernet that chooses an architecture itself."""
    return _path(folder) == _RELAXED


def supernet_advice(folder: Path) -> str:
    """What the supernet in a folder is for, in one line; empty if there is none in it."""
    path = _path(folder)
    if path is None:
        return ""
    if path == _RELAXED:
        return (
            f"{folder} is a relaxed supernet, which chooses an architecture and is none; train what"
            f" it chose: {retraining(folder)}"
        )
    return (
        f"{folder} is a supernet, which holds a whole space; search in it: autodl search -c"
        f" search/edge-supernet.yaml -o Evaluator.run={folder}"
    )


def retraining(folder: Path) -> str:
    """How to train what a relaxed supernet has chosen, on the examples that it has seen."""
    sections = run_config(folder).values
    config, data = _RETRAIN[sections["Space"]["name"]], sections["Data"]
    if data["name"] == _EMBEDDED:
        return f"autodl train -c {config}-demo.yaml --run {folder} --out {folder}-trained"
    given = " ".join(f"Data.{key}={data[key]}" for key in ("name", "path"))
    return f"autodl train -c {config}.yaml --run {folder} --out {folder}-trained -o {given}"


def _path(folder: Path) -> str | None:
    """The name of the path of the supernet in a folder."""
    if not (folder / CONFIG).exists():
        return None
    try:
        sections = run_config(folder).values
    except AutoDLError:  # said by those who read it for its own sake
        return None
    if "Supernet" not in sections or "Width" in sections:
        return None
    return str(sections["Supernet"].get("path", {}).get("name"))
