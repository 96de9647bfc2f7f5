"""A fit: pictures are gathered, a plan is made, networks are compared, the best is retrained.

A folder holds ``pictures.npz`` (what was gathered), ``round-1`` and so on (a plan and its
trainings; each start with more minutes adds one), and what it comes to: ``network`` (a released
network), ``deployed``, ``card.md``, ``report.html`` and ``predict.py``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from autodl.data.gathering import Found, find_pictures, gather, thinned, typical_side, unread
from autodl.data.picture import read_picture
from autodl.data.splits import default_held_out, split
from autodl.data.subset import Subset, read_subset, write_npz
from autodl.errors import ConfigError, DataError, StoreError
from autodl.jobs.fit.candidates import PICTURES, Pictures
from autodl.jobs.fit.clock import Clock, time_text
from autodl.jobs.fit.config import FitConfig
from autodl.jobs.fit.contest import (
    COMPARED,
    PLAN,
    RETRAINED,
    SEARCH,
    Contest,
    Entrant,
    Round,
    read_plan,
)
from autodl.jobs.fit.finish import finish
from autodl.jobs.fit.plan import (
    Facts,
    Gathered,
    Machine,
    Plan,
    finishing_of,
    make_plan,
    seconds_of_epoch,
    why_gathered,
)
from autodl.runs.folder import update_manifest
from autodl.runs.run import Run
from autodl.system.files import write_json

RESULT = "result.json"
CHECKED, GATHERED = "Pictures", "gathered"  # a section of the identity; a key of the pictures' file
_READ = 24  # pictures that are read to know how long reading takes


@dataclass(frozen=True, slots=True)
class Fitted:
    """How a fit ended: what its ``metrics.json`` says, and why it ended early, if it did."""

    folder: Path
    metrics: dict[str, Any]
    stopped: str


def run_fit(
    config: FitConfig,
    folder: Path,
    *,
    began: float | None = None,
    resume: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> Fitted:
    """Make a deployed network out of a folder of pictures.

    Ctrl-C ends what is running, keeps the best so far and finishes the folder all the same.

    Args:
        began: a reading of ``time.monotonic``: what the minutes are counted from; None for now.
        resume: go on with what is in the folder; where that is finished, with a new round.

    Raises:
        ConfigError: the minutes are too few; the message says how many are needed.
        AutoDLError: pictures, device or folder are unusable.
    """
    clock = Clock(config.fit.minutes, time.monotonic() if began is None else began)
    tell = partial(_tell_time, clock, tell)
    run = Run(folder, config, resume=resume, found_later=(CHECKED,), tell=tell)
    stored = _stored(folder)
    found = _look(config, folder)
    # all that is needed later is imported now: then it is known how much time there is
    from autodl.jobs.fit.speed import measure_exporting, measure_speed
    from autodl.training.device import select_device

    device = select_device(config.general.device)
    training, looking = measure_speed()
    machine = Machine(
        training=training, looking=looking, exporting=measure_exporting(), burden=clock.burden()
    )
    begun = _begun(folder)
    subset, facts, plan = _prepared(config, folder, found, begun, machine, clock, tell)
    identity = {**config.identity(), CHECKED: {"checksum": subset.dataset.checksum}}
    # before the first round is begun, a start may have ended before its pictures were written
    known = identity if found is None or stored else config.identity()
    start = {"device": device, "minutes": config.fit.minutes, "pictures": config.fit.pictures}
    with run.open(known, **start), clock.heeding():
        if _stored(folder) != stored:
            raise StoreError(f"another start has gone on with {folder} meanwhile: begin this anew")
        if found is not None:
            update_manifest(folder, identity=identity)
            write_npz(subset, folder / PICTURES)
        number, plan = _round(folder, plan)
        for name, reason in plan.reasons.items():
            tell(f"{name}: {reason}")
        pictures = Pictures(
            (folder / PICTURES).absolute(),
            config.general.seed,
            config.general.device,
            config.fit.mirror,
            seconds_of_epoch(facts, plan.train, plan.side, plan.widths),
            _gathered(subset).held_out,
        )
        this = Round(number, folder / f"round-{number}", plan)
        finishing = finishing_of(facts, plan.side, plan.widths)
        contest = Contest(this, pictures, clock, finishing, tell)
        own = contest.winner()
        best = max([*_earlier(folder), own], key=lambda entrant: entrant.worth)
        metrics = finish(folder, best, subset, this, contest.tried, config.fit.pictures, tell)
        write_json(this.folder / RESULT, own.to_plain(folder))  # last: the round is done
        metrics |= {"minutes": config.fit.minutes, "seconds": clock.spent()}
        run.finish(metrics)
    stopped = "interrupted" if clock.interrupted else ""
    return Fitted(folder, metrics, stopped)


def _tell_time(clock: Clock, tell: Callable[[str], None], line: str) -> None:
    tell(f"[Fit][{time_text(clock.left())} left] {line}")


def _look(config: FitConfig, folder: Path) -> Found | None:
    """The files, unless their pictures were gathered in an earlier start."""
    if (folder / PICTURES).exists():
        return None
    return find_pictures(config.fit.pictures, seed=_split_seed(config))


def _split_seed(config: FitConfig) -> int:
    return config.general.seed


def _prepared(
    config: FitConfig,
    folder: Path,
    found: Found | None,
    begun: Plan | None,
    machine: Machine,
    clock: Clock,
    tell: Callable[[str], None],
) -> tuple[Subset, Facts, Plan]:
    """The pictures, read, and the plan: that of a round which was begun, else a new one.

    Args:
        found: files to read; None where pictures are stored.
        begun: the plan that stored pictures are gone on with by, however little time is left.

    Raises:
        ConfigError: the time is too short for a new plan.
    """
    if found is None:
        subset = read_subset(folder / PICTURES)
        tell(
            f"pictures: those that were gathered from {_gathered(subset).folder}; what"
            f" else {config.fit.pictures} has now is not looked at (another --out begins anew)"
        )
        return subset, *_planned(_facts_of(subset, config, machine, clock), config, clock, begun)
    train, classes = found.count("train"), len(found.classes)
    held_out = found.count("held_out")
    if not held_out:
        held_out = default_held_out(train, classes)
        train -= held_out
    tell(f"{found.name}: {train:,} + {held_out:,} pictures of {classes} classes to train and to")
    facts = Facts(
        train=train,
        held_out=held_out,
        test=found.count("test"),
        classes=classes,
        side=typical_side(found),
        seconds=clock.left(),
        machine=machine,
        read_seconds=_seconds_to_read(found),
        views=_views(config),
    )
    facts, plan = _planned(facts, config, clock)
    behind_reading = facts.seconds - plan.shares.reading
    beside = 0 if "held_out" in found.parts else facts.held_out
    subset = gather(thinned(found, plan.train + beside), plan.side)
    if lost := unread(subset.dataset.left_out):
        tell(f"{lost:,} files that are, or may be, pictures are left out; the card says which")
    why = why_gathered(facts, plan, config.fit.image_size)
    why = replace(why, folder=str(config.fit.pictures))
    if beside:
        why = replace(why, held_out=_held_out(len(subset.dataset.train), plan.train, facts))
    subset = replace(subset, about={**subset.about, GATHERED: asdict(why)})
    facts = _facts_of(subset, config, facts.machine, clock)  # of what could be read
    try:
        plan = make_plan(facts, released=config.fit.released)
    except ConfigError:  # reading took longer than was planned, which is no reason to refuse now
        plan = make_plan(replace(facts, seconds=behind_reading), released=config.fit.released)
    return subset, facts, plan


def _held_out(pictures: int, train: int, facts: Facts) -> int:
    """The share of so many training pictures that was planned, some of each class at least."""
    planned = round(pictures * facts.held_out / (train + facts.held_out))
    return min(max(planned, facts.classes), pictures - facts.classes)


def _planned(
    facts: Facts, config: FitConfig, clock: Clock, begun: Plan | None = None
) -> tuple[Facts, Plan]:
    """A plan by the speed of the very network that a first one names; a ``begun`` one stays."""
    from autodl.jobs.fit.speed import measure_speed

    asked = config.fit
    wanted = partial(make_plan, image_size=asked.image_size, released=asked.released)
    plan = begun or wanted(facts)
    training, looking = measure_speed(
        plan.side, plan.widths, plan.batch, facts.held_out + facts.test
    )
    machine = replace(facts.machine, training=training, looking=looking)
    facts = replace(facts, machine=machine, seconds=clock.left())
    return facts, begun or wanted(facts)


def _facts_of(subset: Subset, config: FitConfig, machine: Machine, clock: Clock) -> Facts:
    """What is known of pictures that were gathered already."""
    data, gathered = subset.dataset, _gathered(subset)
    train, classes = len(data.train), len(data.classes)
    if data.held_out is not None:
        held_out = len(data.held_out)
    else:
        held_out = gathered.held_out or default_held_out(train, classes)
        train = len(split(data.train.labels, held_out).train)
    return Facts(
        train=train,
        held_out=held_out,
        test=len(data.test),
        classes=classes,
        side=data.train.images.shape[1],
        seconds=clock.left(),
        machine=machine,
        views=_views(config),
        gathered=gathered,
    )


def _gathered(subset: Subset) -> Gathered:
    """What is on record of how pictures were gathered; nothing in fits of earlier versions."""
    return Gathered(**subset.about.get(GATHERED, {}))


def _views(config: FitConfig) -> int:
    """Views of a picture whose outputs are averaged: 2 with its mirror image."""
    return 1 + config.fit.mirror


def _seconds_to_read(found: Found) -> float:
    """Of one picture, from some of them."""
    files = found.parts["train"].files
    chosen = files[:: max(len(files) // _READ, 1)][:_READ]
    began = time.perf_counter()
    for file in chosen:
        try:
            read_picture(file, 64)
        except DataError:
            continue
    return (time.perf_counter() - began) / len(chosen)


def _rounds(folder: Path) -> list[Path]:
    """Those that were begun, in their order."""
    found = [path for path in folder.glob("round-*") if path.name[6:].isdigit()]
    return sorted(found, key=lambda path: int(path.name[6:]))


def _stored(folder: Path) -> list[Path]:
    """The rounds, and the results of those that are done: what a start goes by."""
    rounds = _rounds(folder)
    return rounds + [path for path in (this / RESULT for this in rounds) if path.exists()]


def _begun(folder: Path) -> Plan | None:
    """The plan of the unfinished round, if there is more of it than its plan.

    Raises:
        StoreError: it is damaged.
    """
    rounds = _rounds(folder)
    if not rounds or (rounds[-1] / RESULT).exists() or not _is_begun(rounds[-1]):
        return None
    return read_plan(rounds[-1])


def _round(folder: Path, plan: Plan) -> tuple[int, Plan]:
    """The round that is to be done, and its plan: that of one that was begun, else the one given.

    Raises:
        StoreError: the plan of the unfinished one is damaged.
    """
    rounds = _rounds(folder)  # of which earlier ones may have been removed
    last = int(rounds[-1].name.removeprefix("round-")) if rounds else 0
    if (begun := _begun(folder)) is not None:
        return last, begun
    number = last if rounds and not (rounds[-1] / RESULT).exists() else last + 1
    write_json(folder / f"round-{number}" / PLAN, plan.to_plain())
    return number, plan


def _is_begun(this: Path) -> bool:
    """Whether there is more of a round than its plan."""
    return any((this / step).exists() for step in (COMPARED, SEARCH, RETRAINED))


def _earlier(folder: Path) -> list[Entrant]:
    """The best of each round that is done.

    Raises:
        StoreError: what is on record of one is damaged.
    """
    entrants = []
    for path in (path / RESULT for path in _rounds(folder) if (path / RESULT).exists()):
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            entrants.append(Entrant.from_plain(plain, folder))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"cannot read {path}: {error}; remove {path.parent}") from None
    return entrants
