"""Doing the runs of a study: each in its own folder, resumed, several side by side if wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from autodl.errors import StoreError, lookup
from autodl.studies.ended import has_result
from autodl.studies.jobs import Tell, check_same
from autodl.studies.processes import pool
from autodl.studies.reading import STUDY, read_run_of
from autodl.studies.steps import follow
from autodl.studies.study import Planned, Study
from autodl.studies.tuning import tuned_sections
from autodl.system.files import write_text
from autodl.system.yaml_text import dump
from autodl.trial import TrialFailure


def silent(line: str) -> None:
    """Tell nobody."""


def run_study(
    study: Study,
    out: Path,
    *,
    only: Sequence[str] = (),
    workers: int = 1,
    tell: Tell = silent,
) -> list[str]:
    """Do the runs of a study that are not done yet, each in a folder inside ``out``.

    Args:
        only: names of runs, such as ``agent-0``; all of them by default.
        workers: processes that do runs side by side, as far as these wait for none.
        tell: called with a line now and then, by several processes if there are any.

    Returns:
        What failed, one line for each run; the others are done all the same.

    Raises:
        AutoDLError: a configuration, data or a folder are unusable, or a worker process died.
    """
    by_name = {run.name: run for run in study.runs}
    chosen = [lookup(by_name, name, "run") for name in only]
    for run in chosen if only else study.runs:
        if not (out / run.name).exists() and (source := study.source(run.seed)) is not None:
            study.job.find(source)
    _check_finished(study, out, chosen if only else study.runs)
    _open(study, out)
    tuned = tuned_sections(study, out, workers, tell) if study.options.tune else None
    failures: list[str] = []
    for group in _groups(study, chosen if only else study.runs):
        work = partial(do_run, study, out, tuned, tell)
        with pool(workers if len(group) > 1 else 1) as mapped:
            for run, failure in zip(group, mapped(work, group), strict=True):
                tell(f"{run.name}: {failure}" if failure else f"{run.name}: done")
                failures += [f"{run.name}: {failure}"] if failure else []
    return failures


def do_run(
    study: Study, out: Path, tuned: Mapping[str, Any] | None, tell: Tell, run: Planned
) -> str:
    """Do, or go on with, one run and what follows it; why it failed, empty if it did not."""
    folder, job = out / run.name, study.job

    def known(variation: str) -> Mapping[str, float | str]:
        other = Planned(variation, run.seed)
        if not (out / other.name).is_dir():
            raise StoreError(f"{run.name} waits for {other.name}, which has not run; run it first")
        values = read_run_of(study.job, other, out).values
        return {**values, "folder": str((out / other.name).absolute())}

    def progress(line: str) -> None:
        tell(f"{run.name} {line}")

    for variation in study.waits_for(run.variation):
        other = Planned(variation, run.seed)
        if (out / other.name).is_dir() and not has_result(out / other.name):
            return f"waits for {other.name}, which has no result"
    config = study.config(run, tuned, known)
    try:
        if folder.is_dir() and job.done(config, folder):
            check_same(config, folder)
            job.check(config, folder, study.source(run.seed))
        else:
            job.run(config, folder, study.source(run.seed), progress)
        follow(study, run, config, out, progress)
    except TrialFailure as failure:
        return str(failure)
    return ""


def _check_finished(study: Study, out: Path, runs: Sequence[Planned]) -> None:
    """Refuse finished runs of another configuration before anything is written.

    Of a run whose configuration depends on others, ``do_run`` finds out.

    Raises:
        StoreError: a folder holds one.
    """
    for run in runs:
        folder = out / run.name
        if run.variation not in study.options.vary or study.waits_for(run.variation):
            continue
        if folder.is_dir():
            config = study.config(run)
            if study.job.done(config, folder):
                check_same(config, folder)


def _groups(study: Study, runs: Sequence[Planned]) -> list[list[Planned]]:
    """Runs that may go side by side, those that wait for others in a later group."""
    depths: dict[str, int] = {}
    for variation in study.options.vary:  # what is waited for is earlier
        waits = study.waits_for(variation)
        depths[variation] = 1 + max((depths[name] for name in waits), default=0)
    groups: dict[int, list[Planned]] = {}
    for run in runs:
        groups.setdefault(depths.get(run.variation, 1), []).append(run)
    return [groups[depth] for depth in sorted(groups)]


def _open(study: Study, out: Path) -> None:
    """Write what the study is; refuse a folder that holds something else.

    Raises:
        StoreError: it does.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / STUDY).exists():
        raise StoreError(
            f"{out} is not empty and holds no study (no {STUDY}); choose another --out folder"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / STUDY, dump(study.to_plain()))
