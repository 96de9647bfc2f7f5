"""Outcomes from folders: of studies, of searches, and of studies of earlier versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from autodl.config.reading import load_config
from autodl.errors import ConfigError, StoreError
from autodl.runs.folder import MANIFEST, TRIALS, read_manifest
from autodl.search.likeness import INHERITANCE, differences, known_plugins, setting_part
from autodl.studies import earlier
from autodl.studies.ended import has_ended
from autodl.studies.hours import with_total
from autodl.studies.jobs import JOBS, Job, read_search
from autodl.studies.milestones import with_earlier, with_front
from autodl.studies.outcome import Outcome
from autodl.studies.results import Results, distinct, notes_of
from autodl.studies.steps import read_steps
from autodl.studies.study import Planned, Study

STUDY = "study.yaml"


def read_results(folders: Sequence[Path]) -> Results:
    """Read what folders hold: studies of one kind, or searches.

    Raises:
        StoreError: a folder holds neither, nothing that is finished, or something damaged.
        ConfigError: they do not compare.
    """
    kinds: Sequence[tuple[Callable[[Path], bool], Callable[[Sequence[Path]], Results]]] = (
        (lambda folder: (folder / STUDY).is_file(), _read_studies),
        (lambda folder: (folder / TRIALS).is_file(), _read_searches),
        (earlier.is_of_bits, earlier.read_bits),
        (earlier.is_of_widths, earlier.read_widths),
    )
    for is_of_kind, read in kinds:
        fitting = [folder for folder in folders if is_of_kind(folder)]
        if len(fitting) == len(folders) and folders:
            return read(folders)
        if fitting:
            other = next(folder for folder in folders if folder not in fitting)
            raise ConfigError(f"{fitting[0]} and {other} hold results of different kinds")
    named = ", ".join(map(str, folders)) or "no folder"
    raise StoreError(
        f"{named}: no study with anything finished, and no search; do it by autodl study -c CONFIG"
        " --out FOLDER"
    )


# -- studies of this version


def read_run_of(job: Job, run: Planned, out: Path) -> Outcome:
    """What a finished run of a study came to, with its steps.

    Raises:
        StoreError: it is not finished, or a file is damaged.
    """
    folder = out / run.name
    found = job.read(folder)
    values = with_total({**found.values, **read_steps(folder, out)})
    return Outcome(run.variation, run.seed, values, found.trials, found.curves or {})


def read_study(study: Study, out: Path) -> Results:
    """What is finished of a study.

    Raises:
        StoreError: nothing is, or a file is damaged.
    """
    done = [read_run_of(study.job, run, out) for run in study.runs if has_ended(out / run.name)]
    if not done:
        raise StoreError(f"{out} holds nothing finished of its study; run it first")
    options = study.options
    done = [with_front(outcome, options.front) for outcome in done]
    done = [with_earlier(outcome, options.columns) for outcome in done]
    notes = tuple(notes_of(out, done))
    asked = options.columns, options.plot, options.reach
    return Results(study.job, tuple(done), options.control, notes, *asked)


def _read_studies(folders: Sequence[Path]) -> Results:
    found = [read_study(Study.resolve(load_config(out / STUDY)), out) for out in folders]
    first = found[0]
    for out, other in zip(folders, found, strict=True):
        if (other.job, other.control) != (first.job, first.control):
            raise ConfigError(f"{out} and {folders[0]} are studies of different jobs or controls")
    outcomes = tuple(outcome for one in found for outcome in one.outcomes)
    notes = tuple(note for one in found for note in one.notes)
    asked = first.asked, first.plot, first.reach
    return Results(first.job, distinct(outcomes), first.control, notes, *asked)


# -- searches by themselves


def _read_searches(runs: Sequence[Path]) -> Results:
    """Searches, grouped by strategy name (and its options where they differ).

    Whether children inherit counts as an option of the strategy; what else has to be the same, see
    ``setting_part``.
    """
    found, strategies = [], []
    setting: tuple[Path, dict[str, Any]] | None = None
    for run in runs:
        manifest = read_manifest(run)
        try:
            identity = manifest["identity"]
            inherits = {f"Train.{key}": identity["Train"].get(key, False) for key in INHERITANCE}
            strategies.append({**identity["Strategy"], **inherits})
            seed = int(identity["Global"]["seed"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise StoreError(
                f"{run / MANIFEST} is damaged: its identity lacks {error}; bring it back"
            ) from None
        alike = setting_part(identity, known_plugins(manifest))
        if setting is not None and setting[1] != alike:
            raise ConfigError(
                f"{setting[0]} and {run} differ in more than strategy and seed:"
                f" {', '.join(differences(setting[1], alike))}"
            )
        setting = (run, alike)
        found.append((seed, read_search(run)))
    outcomes = [
        Outcome(_label(strategy, strategies), seed, one.values, one.trials)
        for strategy, (seed, one) in zip(strategies, found, strict=True)
    ]
    return Results(JOBS["search"], distinct(tuple(outcomes)))


def _label(strategy: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> str:
    """The strategy's name, with the options in which runs of that name differ."""
    alike = [other for other in others if other["name"] == strategy["name"]]
    differing = [
        f"{key}={value}"
        for key, value in strategy.items()
        if any(other.get(key) != value for other in alike)
    ]
    return " ".join([strategy["name"], *differing])
