"""Studies of bit-widths, one for each seed, as one table: means, spreads and paired losses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.errors import StoreError

STUDY = "study.json"
_NUMBERS = (
    *("average_bits", "search_seconds", "fine_tuning_seconds"),
    *("accuracy_before", "accuracy_rounded", "accuracy_after"),
)


@dataclass(frozen=True, slots=True)
class BitStudies:
    """Studies of equal methods; ``values`` has a float64 ``[studies, methods]`` for each number.

    Accuracies are of held-out pictures, 0 to 1.
    """

    seeds: tuple[int, ...]
    methods: tuple[str, ...]
    values: Mapping[str, NDArray[np.float64]]

    def changes(self) -> NDArray[np.float64]:
        """Accuracy after minus accuracy before, of the same network, ``[studies, methods]``."""
        return self.values["accuracy_after"] - self.values["accuracy_before"]


def read_studies(folders: Sequence[Path]) -> BitStudies:
    """Read what ``tools/compress.py --study`` left in folders.

    Raises:
        StoreError: a folder without a finished study, a damaged one, or studies of other methods.
    """
    studies = [_read(Path(folder)) for folder in folders]
    if not studies:
        raise StoreError("no study is given; name folders of tools/compress.py --study")
    methods = [tuple(str(row["name"]) for row in study["rows"]) for study in studies]
    for folder, own in zip(folders, methods, strict=True):
        if own != methods[0]:
            raise StoreError(
                f"{folder} compares {', '.join(own)}, and {folders[0]} {', '.join(methods[0])};"
                " give studies of one configuration"
            )
    values = {
        name: np.array([[row[name] for row in study["rows"]] for study in studies], np.float64)
        for name in _NUMBERS
    }
    return BitStudies(tuple(int(study["seed"]) for study in studies), methods[0], values)


def _read(folder: Path) -> dict[str, Any]:
    path = folder / STUDY
    try:
        study: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rows = [[float(row[name]) for name in _NUMBERS] for row in study["rows"]]
        if rows and int(study["seed"]) >= 0:
            return study
        raise ValueError("no rows")
    except FileNotFoundError:
        raise StoreError(
            f"{folder} holds no finished study; go on with it: autodl compress ... --study --resume"
        ) from None
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise StoreError(f"cannot read {path} as a study: {error}") from None


def study_table(studies: BitStudies) -> dict[str, Any]:
    """The comparison as plain data: for each method and number ``[mean, standard deviation]``.

    The deviation is that of a sample (n - 1), None for one study. ``change`` is paired: of the
    accuracy after against that of the same trained network before.
    """
    numbers = {**studies.values, "change": studies.changes()}
    return {
        "seeds": list(studies.seeds),
        "methods": [
            {
                "name": method,
                **{name: _mean_and_spread(values[:, n]) for name, values in numbers.items()},
            }
            for n, method in enumerate(studies.methods)
        ],
    }


def _mean_and_spread(values: NDArray[np.float64]) -> list[float | None]:
    return [float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None]


def table_lines(table: Mapping[str, Any]) -> list[str]:
    """The comparison for people; accuracies in percent."""
    seeds = table["seeds"]
    before = _percent(table["methods"][0]["accuracy_before"])
    lines = [
        f"{len(seeds)} studies (seeds {', '.join(map(str, seeds))}); held-out accuracy before:"
        f" {before} %",
        f"{'method':<14} {'average bits':>14} {'search s':>14} {'tuning s':>14}"
        f" {'rounded, %':>14} {'after, %':>14} {'change':>14}",
    ]
    for row in table["methods"]:
        cells = (
            _number(row["average_bits"], 3),
            _number(row["search_seconds"], 0),
            _number(row["fine_tuning_seconds"], 0),
            _percent(row["accuracy_rounded"]),
            _percent(row["accuracy_after"]),
            _percent(row["change"], signed=True),
        )
        lines.append(f"{row['name']:<14} " + " ".join(f"{cell:>14}" for cell in cells))
    return lines


def _number(pair: Sequence[float | None], digits: int, *, signed: bool = False) -> str:
    mean, spread = pair
    text = f"{mean:{'+' if signed else ''}.{digits}f}"
    return text if spread is None else f"{text} ± {spread:.{digits}f}"


def _percent(pair: Sequence[float | None], *, signed: bool = False) -> str:
    return _number([None if v is None else 100 * v for v in pair], 2, signed=signed)
