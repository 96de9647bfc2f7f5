"""The folder of a finished training, or of a compression of one, read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autodl.data.load import SearchData, load_split
from autodl.errors import DataError, StoreError
from autodl.recipes.config import TrainConfig, load_train
from autodl.runs.folder import (
    ARCHITECTURE,
    CONFIG,
    METRICS,
    PACKED,
    TRAINING,
    check_seals,
    read_manifest,
    run_plugins,
)
from autodl.runs.supernet_folder import supernet_advice
from autodl.spaces.codec import load_architecture
from autodl.trial import Architecture


def load_trained(
    folder: Path, overrides: Sequence[str] = ()
) -> tuple[TrainConfig, Architecture, dict[str, Any]]:
    """Config, architecture and metrics of a finished training; a compression has its source's.

    Raises:
        StoreError: the folder holds none, one that is not finished, a supernet, or a fit.
        PluginError: a plugin of it is gone; another place is ``Global.plugins=[FILE]``.
    """
    try:
        metrics: dict[str, Any] = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{folder} holds no finished training: {error}; give a folder that autodl train made"
        ) from None
    if advice := supernet_advice(folder):
        raise StoreError(advice)
    if (folder / "network" / "card.md").exists():
        raise StoreError(
            f"{folder} is of autodl fit, which has tested and exported its network: see its card.md"
            f" and deployed/; infer, compress and export-model take it by --model {folder}"
        )
    name, known = _config_name(folder), list(overrides)
    check_seals(folder, (METRICS, name))
    if name == CONFIG and not any(given.startswith("Global.plugins=") for given in overrides):
        known.insert(0, f"Global.plugins={json.dumps(run_plugins(folder))}")
    config = load_train(folder / name, known)
    architecture = load_architecture(folder / ARCHITECTURE)
    check_seals(folder, (ARCHITECTURE,))
    return config, architecture, metrics


def load_same(training: Path, config: TrainConfig) -> SearchData:
    """The pictures of a training, cut as they were then.

    Raises:
        StoreError: it is not on record which they were.
        DataError: they are others, or cannot be read.
    """
    known = trained_pictures(training)
    if not {"checksum", "split"} <= set(known):
        raise StoreError(
            f"{training} does not say on which pictures it was trained (of imported networks nobody"
            " knows), so nobody can tell which it never saw; take a network of autodl train"
        )
    data = load_split(config.data)
    if (data.checksum, dict(data.split)) != (known["checksum"], known["split"]):
        raise DataError(
            f"{training} was trained on other pictures than those of {data.name}"
            f" ({data.checksum[:12]}); give the same ones by -o Data.path=..."
        )
    return data


def _config_name(folder: Path) -> str:
    if not (folder / PACKED).exists():
        return CONFIG
    if not (folder / TRAINING).exists():
        raise StoreError(
            f"{folder} was packed by an earlier version, which did not keep how its network is"
            " built; run autodl compress with --resume on it once more"
        )
    return TRAINING


def trained_pictures(folder: Path) -> Mapping[str, Any]:
    """What is on record of the pictures that a network was trained on; empty if nothing is.

    Raises:
        StoreError: the manifest is damaged.
    """
    manifest = read_manifest(folder)
    known = manifest.get("pictures") or manifest.get("identity", {}).get("Pictures")
    return known if isinstance(known, Mapping) else {}
