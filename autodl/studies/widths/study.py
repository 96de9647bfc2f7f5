"""A study of the modes of width search: searches, retrainings, stand-alone trainings, tables.

A study's folder has a folder for each mode and seed (``transition-0``), with the search, the
accuracies of some known architectures with its shared weights, and the result trained from scratch
and tested once; and ``standalone``, with those architectures trained each by itself. Every part is
resumed by the same command.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from autodl.config.reading import RawConfig, load_config
from autodl.config.sections import Section, check_sections, read_section
from autodl.data.load import load_split
from autodl.errors import ConfigError, StoreError
from autodl.jobs.width.config import WidthConfig, resolve_width
from autodl.jobs.width.run import run_width_search, shared_accuracies, space_for
from autodl.recipes.config import TrainConfig, resolve_train
from autodl.runs.folder import ARCHITECTURE, METRICS, read_manifest
from autodl.spaces.codec import load_architecture
from autodl.spaces.width.architecture import WidthArchitecture
from autodl.system.files import write_json
from autodl.trial import Architecture

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
    check_sections(raw, (*WidthConfig.names(), "Network", "Train", "Study"))

    def part(*names: str) -> RawConfig:
        values = {name: raw.values[name] for name in names if name in raw.values}
        return RawConfig(values, raw.origins)

    training = resolve_train(part("Global", "Data", "Network", "Train"))
    if training.network.name != "WidthNetwork":
        raise ConfigError(
            f"Network.name of a width study is WidthNetwork, got {training.network.name}"
        )
    return StudyConfig(
        resolve_width(part(*WidthConfig.names())),
        training,
        read_section(StudyOptions, raw, "Study"),
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
    from autodl.jobs.train.run import retrain

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
            progress(f"stand-alone {number + 1}: held-out {done.metric.name} {done.value:.4f}")


def _search_and_train(
    config: StudyConfig, mode: str, seed: int, folder: Path, progress: Callable[[str], None]
) -> None:
    from autodl.jobs.train.final_test import measure_once
    from autodl.jobs.train.run import retrain

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
