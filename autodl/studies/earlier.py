"""Studies that earlier versions made: of bits (``compress --study``) and of ``width study``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from autodl.errors import ConfigError, StoreError
from autodl.jobs.width.config import load_width
from autodl.runs.folder import CONFIG, METRICS
from autodl.studies.jobs import JOBS, Tell, read_supernet, with_change
from autodl.studies.outcome import Outcome
from autodl.studies.results import Results, distinct, notes_of
from autodl.studies.steps import align, read_steps

BITS = "study.json"  # rows by method, of one seed
MODES = ("transition", "ordinal", "independent", "random")


def is_of_bits(folder: Path) -> bool:
    """Whether a folder holds a finished study of bits."""
    return (folder / BITS).is_file()


def is_of_widths(folder: Path) -> bool:
    """Whether a folder holds a finished search of a study of widths."""
    return bool(_searches(folder))


def read_bits(folders: Sequence[Path]) -> Results:
    """What ``compress --study`` left: ``study.json`` with a row for each method.

    Raises:
        StoreError: a damaged one, or studies of other methods.
        ConfigError: a seed is there twice.
    """
    outcomes = []
    methods: list[tuple[str, ...]] = []
    for folder in folders:
        path = folder / BITS
        try:
            study = json.loads(path.read_text(encoding="utf-8"))
            rows = {str(row.pop("name")): with_change(row) for row in study["rows"]}
            seed = int(study["seed"])
            values = {name: dict(_checked(row)) for name, row in rows.items()}
            if not rows or seed < 0:
                raise ValueError("no rows")
        except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
            raise StoreError(f"cannot read {path} as a study: {error}") from None
        methods.append(tuple(rows))
        if methods[-1] != methods[0]:
            raise StoreError(
                f"{folder} compares {', '.join(methods[-1])}, and {folders[0]}"
                f" {', '.join(methods[0])}; give studies of one configuration"
            )
        outcomes += [Outcome(name, seed, row) for name, row in values.items()]
    return Results(JOBS["compress"], distinct(tuple(outcomes)))


def _checked(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name in ("average_bits", "search_seconds", "fine_tuning_seconds", "accuracy_rounded"):
        float(row[name])  # what every row has
    for name, value in row.items():
        yield name, float(value)


def read_widths(folders: Sequence[Path]) -> Results:
    """What ``width study`` left: ``MODE-SEED/search`` and what followed each search.

    Raises:
        StoreError: a file is damaged.
        ConfigError: a mode is there twice with a seed.
    """
    outcomes, notes = [], []
    for out in folders:
        own = []
        for mode, seed, run in _searches(out):
            found = read_supernet(run / "search")
            values = {**found.values, **read_steps(run, out)}
            own.append(Outcome(mode, seed, values, curves=found.curves or {}))
        outcomes += own
        notes += list(notes_of(out, own))
    return Results(JOBS["supernet"], distinct(tuple(outcomes)), notes=tuple(notes))


def align_widths(folder: Path, overrides: Sequence[str], tell: Tell) -> None:
    """Compare the gradients of candidates in the searches of a study of widths, on record there.

    Args:
        overrides: ``Data.path=...``, where the pictures are now.

    Raises:
        ConfigError: no search with shared weights is finished.
        AutoDLError: a search's config, pictures or checkpoint are unusable.
    """
    shared = [(mode, seed, run) for mode, seed, run in _searches(folder) if mode != "random"]
    if not shared:
        raise ConfigError(f"{folder} holds no finished search with shared weights of a study")
    for mode, seed, run in shared:
        searched = run / "search"
        config = load_width(searched / CONFIG, overrides)
        align(config, searched, run, partial(_tell_of, tell, f"{mode}-{seed}"))


def _tell_of(tell: Tell, name: str, line: str) -> None:
    tell(f"{name} {line}")


def _searches(folder: Path) -> list[tuple[str, int, Path]]:
    """Mode, seed and folder of what is finished, by mode and seed."""
    found = []
    for mode in MODES:
        runs = [run for run in folder.glob(f"{mode}-[0-9]*") if (run / "search" / METRICS).exists()]
        seeds = sorted((int(run.name.rpartition("-")[2]), run) for run in runs)
        found += [(mode, seed, run) for seed, run in seeds]
    return found
