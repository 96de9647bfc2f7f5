"""What came of a width study: its tables, its curves of Phi, how well gradients agree."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.errors import StoreError
from autodl.jobs.width.config import load_width
from autodl.jobs.width.run import gradient_cosine, read_result
from autodl.runs.folder import CONFIG, METRICS
from autodl.studies.widths.study import MODES, SHARED, STANDALONE


def rank_correlation(
    one: Sequence[float] | NDArray[np.float64], two: Sequence[float] | NDArray[np.float64]
) -> float:
    """Spearman's rho; NaN if all of one side are equal.

    Raises:
        ValueError: of different lengths, or fewer than 2.
    """
    from scipy.stats import ConstantInputWarning, spearmanr  # takes a second to import

    if len(one) != len(two) or len(one) < 2:
        raise ValueError(f"a correlation is of two equally long rows, got {len(one)}, {len(two)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)
        return float(spearmanr(one, two).statistic)


@dataclass(frozen=True, slots=True)
class Searched:
    """A finished search of a study, and what its result came to; accuracies are 0 to 1.

    ``phi`` is the sharing level by epoch as a share of the first, empty where nothing is shared;
    ``shared`` are the accuracies of the known architectures with the search's weights.
    """

    mode: str
    seed: int
    macs: int
    phi: tuple[float, ...]
    shared: tuple[float, ...]
    held_out: float | None
    tested: float | None


@dataclass(frozen=True, slots=True)
class WidthStudy:
    """What is finished of a study; ``alone`` are accuracy and MACs of stand-alone trainings."""

    searches: tuple[Searched, ...]
    alone: tuple[tuple[float, int], ...]


def read_study(folder: Path) -> WidthStudy:
    """Read the finished parts of a study, by mode and seed.

    Raises:
        StoreError: nothing is finished, or a file is damaged.
    """
    finished = (folder / STANDALONE).glob(f"*/{METRICS}")
    # by number: with more than a hundred of them the names' order is another one
    alone = [_read(path) for path in sorted(finished, key=lambda path: int(path.parent.name))]
    searches = []
    for mode in MODES:
        runs = [run for run in folder.glob(f"{mode}-[0-9]*") if (run / "search" / METRICS).exists()]
        runs.sort(key=lambda run: int(run.name.rpartition("-")[2]))
        searches += [_searched(mode, run) for run in runs]
    if not searches and not alone:
        raise StoreError(f"{folder} holds nothing finished of a width study; run its parts first")
    return WidthStudy(
        tuple(searches), tuple((one["held_out_accuracy"], one["macs"]) for one in alone)
    )


def _searched(mode: str, run: Path) -> Searched:
    levels = [float(epoch["phi"]) for epoch in _read(run / "search" / METRICS)["curve"]]
    tested = run / "trained" / "test.json"
    return Searched(
        mode=mode,
        seed=int(run.name.rpartition("-")[2]),
        macs=read_result(run / "search").macs,
        phi=tuple(level / levels[0] for level in levels) if levels and levels[0] else (),
        shared=tuple(_read(run / SHARED)) if (run / SHARED).exists() else (),
        held_out=_read(run / "trained" / METRICS)["held_out_accuracy"] if tested.exists() else None,
        tested=_read(tested)["accuracy"] if tested.exists() else None,
    )


def study_text(study: WidthStudy) -> str:
    """The tables of a study, of the parts that are finished."""
    accuracies = [accuracy for accuracy, _ in study.alone]
    lines = [
        "| mode | seeds | MACs | held-out, retrained | test, retrained"
        " | rank correlation with stand-alone |",
        "|---|---|---|---|---|---|",
    ]
    for mode in MODES:
        done = [run for run in study.searches if run.mode == mode and run.tested is not None]
        if done:
            lines.append(_row(mode, done, accuracies))
    if len(accuracies) >= 2:
        by_cost = rank_correlation([macs for _, macs in study.alone], accuracies)
        lines += [
            "",
            f"{len(accuracies)} stand-alone trainings: held-out {_spread(accuracies)};"
            f" rank correlation with their MACs {by_cost:.2f}",
        ]
    moved = [run for run in study.searches if run.mode == "transition" and run.phi]
    if moved:
        lines += ["", "Phi, % of its start, by epoch:"]
    for run in moved:
        lines.append(f"transition-{run.seed}: " + " ".join(f"{100 * v:.0f}" for v in run.phi))
    return "\n".join(lines)


def align(folder: Path, overrides: Sequence[str] = ()) -> str:
    """A table of how well the candidates' gradients agree in the finished searches of a study.

    Args:
        overrides: ``Data.path=...``, where the pictures are now.

    Raises:
        StoreError: no search with shared weights is finished.
        AutoDLError: a search's config, pictures or checkpoint are unusable.
    """
    lines = ["| mode | seeds | Phi at the end | cosine of gradients |", "|---|---|---|---|"]
    for mode in MODES:
        runs = [run / "search" for run in sorted(folder.glob(f"{mode}-[0-9]*"))]
        done = [run for run in runs if mode != "random" and (run / METRICS).exists()]
        if done:
            levels = [_read(run / METRICS)["curve"][-1]["phi"] for run in done]
            cosines = [gradient_cosine(load_width(run / CONFIG, overrides), run) for run in done]
            told = _spread(cosines, scale=1, digits=3)
            lines.append(f"| {mode} | {len(done)} | {mean(levels):,.0f} | {told} |")
    if len(lines) == 2:
        raise StoreError(f"{folder} holds no finished search with shared weights; run a part first")
    return "\n".join(lines)


def _row(mode: str, runs: Sequence[Searched], alone: Sequence[float]) -> str:
    correlations = [
        rank_correlation(run.shared, alone)
        for run in runs
        if run.shared and len(run.shared) == len(alone)
    ]
    held_out = _spread([run.held_out for run in runs if run.held_out is not None])
    tested = _spread([run.tested for run in runs if run.tested is not None])
    told = _spread(correlations, scale=1) if correlations else "-"
    macs = mean(run.macs for run in runs)
    return f"| {mode} | {len(runs)} | {macs:,.0f} | {held_out} | {tested} | {told} |"


def _spread(values: Sequence[float], scale: float = 100, digits: int = 2) -> str:
    """Mean and standard deviation, in percent unless ``scale`` is 1."""
    text = f"{scale * mean(values):.{digits}f}"
    return f"{text} ± {scale * stdev(values):.{digits}f}" if len(values) > 1 else text


def _read(path: Path) -> Any:
    try:
        value: Mapping[str, Any] | list[float] = json.loads(path.read_text(encoding="utf-8"))
        return value
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {path}: {error}; delete it and run the part again") from None
