"""A study of the modes of width search: searches, retrainings, stand-alone trainings, tables.

A study's folder has a folder for each mode and seed (``transition-0``), with the search, the
accuracies of some known architectures with its shared weights, and the result trained from scratch
and tested once; and ``standalone``, with those architectures trained each by itself. Every part is
resumed by the same command.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from autodl.components import check_sections, read_section
from autodl.config import RawConfig, Section, load_config
from autodl.data.load import load_split
from autodl.errors import ConfigError, StoreError
from autodl.files import write_json
from autodl.search.run_folder import CONFIG, read_manifest
from autodl.spaces.codec import load_architecture
from autodl.spaces.width import WidthArchitecture
from autodl.train_config import TrainConfig, resolve_train
from autodl.trial import Architecture
from autodl.width_config import WIDTH_SECTIONS, WidthConfig, load_width, resolve_width
from autodl.width_search import (
    ARCHITECTURE,
    METRICS,
    gradient_cosine,
    read_result,
    run_width_search,
    shared_accuracies,
    space_for,
)

MODES = ("transition", "ordinal", "independent", "random")
STANDALONE, SHARED = "standalone", "shared.json"
_DRAWN = 6  # the stream of random numbers that the known architectures are from


class StudyOptions(Section):
    """``Study`` section: what is trained beside the searches."""

    standalone: int = Field(20, ge=3, description="architectures that are trained by themselves")
    standalone_epochs: int = Field(10, ge=1, description="of each of them")
    train: int | None = Field(None, ge=1, description="training pictures of the retraining")
    held_out: int | None = Field(None, ge=1, description="its held-out pictures")


@dataclass(frozen=True, slots=True)
class StudyConfig:
    """A checked configuration of a study: of its searches, of its trainings, and of itself."""

    search: WidthConfig
    training: TrainConfig
    study: StudyOptions

    def to_plain(self) -> dict[str, Any]:
        """Every key with its value, as a config file would give it."""
        training = self.training.to_plain()
        return {
            **self.search.to_plain(),
            "Network": training["Network"],
            "Train": training["Train"],
            "Study": self.study.model_dump(mode="json"),
        }


def load_study(path: Path | str, overrides: Sequence[str] = ()) -> StudyConfig:
    """Read the configuration of a study: that of a search, and Network, Train and Study.

    Raises:
        ConfigError: the file or an override is unusable.
    """
    raw = load_config(Path(path), overrides)
    check_sections(raw, (*WIDTH_SECTIONS, "Network", "Train", "Study"))

    def part(*names: str) -> RawConfig:
        values = {name: raw.values[name] for name in names if name in raw.values}
        return RawConfig(values, raw.origins)

    training = resolve_train(part("Global", "Data", "Network", "Train"))
    if training.network.name != "WidthNetwork":
        raise ConfigError(
            f"Network.name of a width study is WidthNetwork, got {training.network.name}"
        )
    return StudyConfig(
        resolve_width(part(*WIDTH_SECTIONS)), training, read_section(StudyOptions, raw, "Study")
    )


def run_part(
    config: StudyConfig,
    part: str,
    seed: int,
    folder: Path,
    progress: Callable[[str], None] = lambda line: None,
) -> None:
    """Do, or go on with, one part of a study.

    Args:
        part: a mode, or ``standalone``; the latter's seed is that of the trainings.

    Raises:
        AutoDLError: an unknown part, or something in it is unusable.
    """
    if part == STANDALONE:
        _train_alone(config, seed, folder / STANDALONE, progress)
    elif part in MODES:
        _search_and_train(config, part, seed, folder / f"{part}-{seed}", progress)
    else:
        raise ConfigError(f"a part is {', '.join(MODES)} or {STANDALONE}, got {part!r}")


def known_architectures(config: StudyConfig) -> list[WidthArchitecture]:
    """The architectures that are trained by themselves: uniform draws, the same for all modes."""
    space = space_for(config.search, load_split(config.search.data))
    drawn = space.uniform(np.random.default_rng((0, _DRAWN)), config.study.standalone)
    return [space.decode(row) for row in drawn]


def _with_seed(config: Any, seed: int) -> Any:
    return config.model_copy(update={"seed": seed})


def _train_alone(
    config: StudyConfig, seed: int, folder: Path, progress: Callable[[str], None]
) -> None:
    """On the pictures that the supernets train on, scored on the ones that these score on."""
    from autodl.retrain import retrain

    training = TrainConfig(
        general=_with_seed(config.training.general, seed),
        network=config.training.network,
        data=config.search.data,
        train=config.training.train.model_copy(update={"epochs": config.study.standalone_epochs}),
        evaluation=config.training.evaluation,
    )
    for number, widths in enumerate(known_architectures(config)):
        own = folder / f"{number:02d}"
        if not _is_trained(training, widths, own):
            done = retrain(training, widths, own, resume=True)
            progress(f"stand-alone {number + 1}: held-out accuracy {done.accuracy:.4f}")


def _search_and_train(
    config: StudyConfig, mode: str, seed: int, folder: Path, progress: Callable[[str], None]
) -> None:
    from autodl.final_test import measure_once
    from autodl.retrain import retrain

    searched = config.search
    search = WidthConfig(
        general=_with_seed(searched.general, seed),
        data=searched.data,
        width=searched.width.model_copy(update={"mode": mode}),
        supernet=searched.supernet,
        controller=searched.controller,
    )
    run_width_search(search, folder / "search", resume=True, progress=progress)
    if mode != "random" and not (folder / SHARED).exists():
        known = known_architectures(config)
        write_json(folder / SHARED, shared_accuracies(search, folder / "search", known))
    options = config.study
    data = searched.data.model_copy(
        update={
            "train": options.train or searched.data.train,
            "held_out": options.held_out or searched.data.held_out,
        }
    )
    training = TrainConfig(
        general=search.general,
        network=config.training.network,
        data=data,
        train=config.training.train,
        evaluation=config.training.evaluation,
    )
    widths = load_architecture(folder / "search" / ARCHITECTURE)
    if not _is_trained(training, widths, folder / "trained"):
        retrain(training, widths, folder / "trained", resume=True, progress=progress)
    tested = measure_once(folder / "trained")
    progress(f"{folder.name}: test accuracy {tested['accuracy']:.4f}")


def _is_trained(config: TrainConfig, architecture: Architecture, folder: Path) -> bool:
    """Whether a training has ended there.

    Raises:
        StoreError: it has, with other options: tables would mix the two.
    """
    if not (folder / METRICS).exists():
        return False
    old = read_manifest(folder).get("identity", {})
    wanted = {**config.identity(), "Architecture": architecture.to_json()}
    for section, value in json.loads(json.dumps(wanted)).items():
        if old.get(section) != value:
            raise StoreError(
                f"{folder} holds another training: its {section} differs; choose another --out"
            )
    return True


def rank_correlation(
    one: Sequence[float] | NDArray[np.float64], two: Sequence[float] | NDArray[np.float64]
) -> float:
    """Spearman's rho, ties with their mean rank; NaN if all of one side are equal.

    Raises:
        ValueError: of different lengths, or fewer than 2.
    """
    if len(one) != len(two) or len(one) < 2:
        raise ValueError(f"a correlation is of two equally long rows, got {len(one)}, {len(two)}")
    ranks = []
    for values in (np.asarray(one, float), np.asarray(two, float)):
        smaller = (values[:, None] > values).sum(axis=1)
        equal = (values[:, None] == values).sum(axis=1)
        rank = smaller + (equal + 1) / 2
        ranks.append(rank - rank.mean())
    scale = np.sqrt(np.square(ranks[0]).sum() * np.square(ranks[1]).sum())
    return float((ranks[0] * ranks[1]).sum() / scale) if scale else float("nan")


def summarise(folder: Path) -> str:
    """The tables of a study, of the parts that are finished.

    Raises:
        StoreError: nothing is finished.
    """
    finished = (folder / STANDALONE).glob(f"*/{METRICS}")
    # by number: with more than a hundred of them the names' order is another one
    alone = [_read(path) for path in sorted(finished, key=lambda path: int(path.parent.name))]
    lines = [
        "| mode | seeds | MACs | held-out, retrained | test, retrained"
        " | rank correlation with stand-alone |",
        "|---|---|---|---|---|---|",
    ]
    curves = []
    for mode in MODES:
        runs = sorted(folder.glob(f"{mode}-*"))
        done = [run for run in runs if (run / "trained" / "test.json").exists()]
        if done:
            lines.append(_row(mode, done, [one["held_out_accuracy"] for one in alone]))
        curves += [_phi(run) for run in runs if (run / "search" / METRICS).exists()]
    if len(lines) == 2 and not alone and not any(curves):
        raise StoreError(f"{folder} holds nothing finished of a width study; run its parts first")
    if len(alone) >= 2:
        by_cost = rank_correlation(
            [one["macs"] for one in alone], [one["held_out_accuracy"] for one in alone]
        )
        accuracies = [one["held_out_accuracy"] for one in alone]
        lines += [
            "",
            f"{len(alone)} stand-alone trainings: held-out {_spread(accuracies)};"
            f" rank correlation with their MACs {by_cost:.2f}",
        ]
    found = [line for line in curves if line]
    return "\n".join([*lines, *(["", "Phi, % of its start, by epoch:"] if found else []), *found])


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
        runs = [run / "search" for run in sorted(folder.glob(f"{mode}-*"))]
        done = [run for run in runs if mode != "random" and (run / METRICS).exists()]
        if done:
            levels = [_read(run / METRICS)["curve"][-1]["phi"] for run in done]
            cosines = [gradient_cosine(load_width(run / CONFIG, overrides), run) for run in done]
            told = _spread(cosines, scale=1, digits=3)
            lines.append(f"| {mode} | {len(done)} | {mean(levels):,.0f} | {told} |")
    if len(lines) == 2:
        raise StoreError(f"{folder} holds no finished search with shared weights; run a part first")
    return "\n".join(lines)


def _row(mode: str, runs: Sequence[Path], alone: Sequence[float]) -> str:
    macs = [read_result(run / "search").macs for run in runs]
    held_out = [_read(run / "trained" / METRICS)["held_out_accuracy"] for run in runs]
    tested = [_read(run / "trained" / "test.json")["accuracy"] for run in runs]
    correlations = [
        rank_correlation(shared, alone)
        for run in runs
        if (run / SHARED).exists() and len(shared := _read(run / SHARED)) == len(alone)
    ]
    told = _spread(correlations, scale=1) if correlations else "-"
    return (
        f"| {mode} | {len(runs)} | {mean(macs):,.0f} | {_spread(held_out)} | {_spread(tested)}"
        f" | {told} |"
    )


def _phi(run: Path) -> str:
    """Phi of a transition by epoch; other modes have none that moves."""
    if not run.name.startswith("transition"):
        return ""
    curve = [epoch["phi"] for epoch in _read(run / "search" / METRICS)["curve"]]
    return f"{run.name}: " + " ".join(f"{100 * phi / curve[0]:.0f}" for phi in curve)


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
