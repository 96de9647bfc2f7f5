"""The folder of a finished training, read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autodl.errors import StoreError
from autodl.recipes.config import TrainConfig, load_train
from autodl.runs.folder import (
    CONFIG,
)
from autodl.spaces.codec import load_architecture
from autodl.trial import Architecture

if TYPE_CHECKING:
    pass
from autodl.runs.folder import ARCHITECTURE, METRICS


def load_trained(
    folder: Path, overrides: Sequence[str] = ()
) -> tuple[TrainConfig, Architecture, dict[str, Any]]:
    """Config, architecture and metrics of a finished training.

    Raises:
        StoreError: the folder holds none, or one that is not finished.
    """
    try:
        metrics: dict[str, Any] = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{folder} holds no finished training: {error}; give a folder that tools/train.py made"
        ) from None
    config = load_train(folder / CONFIG, overrides)
    return config, load_architecture(folder / ARCHITECTURE), metrics
