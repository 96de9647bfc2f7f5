"""Examples that are held in memory as two arrays, and batches of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autodl.data.batches import batch_count
from autodl.errors import ConfigError
from autodl.tasks.task import Batch, Changes, Drawing, Rows


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """``inputs`` float32 ``[N, ...]`` as networks take them, ``targets`` ``[N, ...]``."""

    inputs: NDArray[np.float32]
    targets: Rows

    def __len__(self) -> int:
        return len(self.targets)

    def batches(self, size: int, drawing: Drawing | None) -> Iterator[Batch]:
        """Go through the examples once; see ``Task.batches``.

        Raises:
            ConfigError: examples are to be changed.
        """
        if drawing is not None:
            refuse_changes(drawing.changes)
        count = len(self)
        order = np.arange(count) if drawing is None else drawing.rng.permutation(count)
        for number in range(batch_count(count, size, drop_last=drawing is not None)):
            rows = order[number * size : (number + 1) * size]
            inputs = np.ascontiguousarray(self.inputs[rows])
            yield Batch(inputs, self.targets[rows], positions=rows)


def refuse_changes(changes: Changes) -> None:
    """Raise ConfigError for what would change examples, which only pictures know how to take."""
    plain = Changes()
    names = ("pad_crop", "flip", "vertical_flip", "brightness", "cutout", "mixup", "first_size")
    for name in names:
        if (value := getattr(changes, name)) != (neutral := getattr(plain, name)):
            shown = "null" if neutral is None else neutral
            raise ConfigError(
                f"Train.{name}={value} changes pictures, and the examples are series; set"
                f" Train.{name}={shown}, or take _BASE_: ../recipes/series.yaml"
            )
