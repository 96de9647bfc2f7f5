"""What a run of a study can be: how it is configured, done or gone on with, and read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autodl.config.job import Sections
from autodl.errors import ConfigError, StoreError
from autodl.jobs.compress.config import CompressConfig
from autodl.jobs.width.config import WidthConfig
from autodl.recipes.config import TrainConfig
from autodl.runs.folder import (
    ARCHITECTURE,
    BEST,
    METRICS,
    SEALS,
    check_seals,
    read_manifest,
    run_config,
)
from autodl.search.config import SearchConfig
from autodl.search.observers.outcome import recorded_as, shown_as
from autodl.search.spent import core_seconds
from autodl.studies.ended import ended_by_itself
from autodl.studies.hours import SEARCH_HOURS, TRAINING_HOURS
from autodl.studies.outcome import Trials, numbers
from autodl.system.files import checksum
from autodl.trained.model import weights_file
from autodl.trained.spent import core_seconds as training_core_seconds
from autodl.trained.test_record import read_test
from autodl.trial import Architecture, TrialState

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """What a run's own files tell: the columns that it brings, its trials, its curves."""

    values: Mapping[str, float]
    trials: Trials | None = None
    curves: Mapping[str, tuple[float, ...]] | None = None


def _any_source(config: object, folder: Path, source: str | None) -> None:
    """Of a job that starts from nothing, or compares its source itself."""


@dataclass(frozen=True, slots=True)
class Job:
    """A kind of run.

    ``run`` does it in a folder, or goes on with what is there; ``read`` reads a folder where it is
    ``done``. ``steps`` may follow it. ``columns`` are shown unless others are asked for, and those
    that are ``compared`` are held against the control (``held_out_*`` are the metrics of the task,
    whichever it has). ``start`` is what ``source`` names; ``find`` refuses one that is not there,
    ``check`` refuses a finished run of another one.
    """

    sections: type[Sections]
    run: Callable[[Any, Path, str | None, Tell], None]
    read: Callable[[Path], Found]
    done: Callable[[Any, Path], bool]
    steps: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    start: str = ""
    find: Callable[[str], object] = str
    check: Callable[[Any, Path, str | None], None] = _any_source
    needs_source: bool = False


def read_json(path: Path) -> Any:
    """What a file of a run holds.

    Raises:
        StoreError: it cannot be read, or is not what the run wrote.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"cannot read {path}: {error}; delete it and run the study again"
        ) from None
    check_seals(path.parent, (path.name,))
    return found


def check_same(config: Sections, folder: Path) -> None:
    """Refuse a finished run of another configuration: a table would mix the two.

    Raises:
        StoreError: it is of another one; the section is named.
    """
    known = config.reduced(read_manifest(folder).get("identity", {}))
    for section, value in json.loads(json.dumps(config.identity())).items():
        if known.get(section) != value:
            raise StoreError(
                f"{folder} holds another run: its {section} differs; choose another --out"
            )


def _has_metrics(config: Sections, folder: Path) -> bool:
    return (folder / METRICS).exists()


def _looks_itself(config: Sections, folder: Path) -> bool:
    """Of a job that only reads what is finished, and knows best what has to be the same."""
    return False


# -- a search


_BUDGET = ("max_trials", "max_hours", "max_core_hours", "target_reward", "first_failures")


def _search(config: SearchConfig, folder: Path, source: str | None, tell: Tell) -> None:
    from autodl.jobs.search.run import run_search
    from autodl.search.budget import INTERRUPTED

    result = run_search(config, folder, resume=True)
    if result.stopped == INTERRUPTED:
        raise KeyboardInterrupt
    if result.best is not None:
        metric = shown_as(config.to_plain())
        shown = "none" if result.best.reward is None else metric.digits(result.best.reward)
        tell(f"best {metric.label} {shown} of {result.finished} trials")


def _searched(config: SearchConfig, folder: Path) -> bool:
    if not (folder / BEST).exists():
        return False
    finished: int = read_manifest(folder).get("finished_trials", 0)
    budget = run_config(folder).values.get("Search", {})
    same = all(budget.get(name) == getattr(config.search, name) for name in _BUDGET)
    return finished >= config.search.max_trials or (same and ended_by_itself(folder))


def read_search(folder: Path) -> Found:
    """The finished trials of a search, those that were trained in part having no reward.

    Raises:
        StoreError: the folder holds no search.
    """
    from autodl.reports.run import metric_of, quality_in, read_run

    report = read_run(folder)
    done = [trial for trial in report["trials"] if TrialState(trial["state"]).finished]
    whole = TrialState.COMPLETE.value
    spent = sum(core_seconds(t["seconds"], t["metrics"], t["reused"]) for t in report["trials"])
    return Found(
        {SEARCH_HOURS: spent / 3600},
        Trials(
            tuple(t["reward"] if t["state"] == whole else float("nan") for t in done),
            tuple(t["seconds"] for t in done),
            tuple(numbers(t["metrics"]) for t in done),
            metric_of(report),
            quality_in(report),
        ),
    )


# -- a search in memory


def _simulate(config: SearchConfig, folder: Path, source: str | None, tell: Tell) -> None:
    from autodl.runs.run import Run
    from autodl.studies.simulate import simulated

    run = Run(folder, config, resume=True, tell=tell)
    trials = simulated(config)
    rewards = [None if reward != reward else reward for reward in trials.rewards]
    with run.open(config.identity()):
        run.finish({"rewards": rewards, "seconds": trials.seconds, "metrics": trials.metrics})


def _simulated(config: SearchConfig, folder: Path) -> bool:
    if not (folder / METRICS).exists():
        return False
    rewards, enough = read_json(folder / METRICS)["rewards"], config.search.target_reward
    if enough is not None and any(reward is not None and reward >= enough for reward in rewards):
        return True
    return len(rewards) >= config.search.max_trials


def _read_simulated(folder: Path) -> Found:
    known, quality = read_json(folder / METRICS), recorded_as(run_config(folder).values)
    rewards = tuple(float("nan") if reward is None else reward for reward in known["rewards"])
    numbers_of = tuple(known["seconds"]), tuple(known["metrics"])
    return Found({}, Trials(rewards, *numbers_of, quality=quality))


# -- a training


def _find_given(source: str) -> None:
    if not Path(source).exists():
        raise StoreError(
            f"Study.source: there is no {source}; give an architecture's file or a run"
        )


def _of_source(config: TrainConfig, source: str | None) -> Architecture:
    from autodl.jobs.train.run import choose

    named = None if source is None else Path(source)
    is_run = named is not None and named.is_dir()
    chosen = choose(
        config,
        architecture=None if is_run else named,
        run=named if is_run else None,
        top=1,
    )
    return chosen[0][1]


def check_architecture(folder: Path, architecture: Architecture) -> None:
    """Refuse a finished training of another architecture: a table would mix the two.

    Raises:
        StoreError: it is of another one.
    """
    if read_manifest(folder).get("identity", {}).get("Architecture") != architecture.to_json():
        raise StoreError(f"{folder} holds a training of another architecture; choose another --out")


def _check_source(config: TrainConfig, folder: Path, source: str | None) -> None:
    """Refuse a finished training of another architecture than the source names today.

    Where the source is gone there is nothing to compare with.

    Raises:
        StoreError: it is of another one.
    """
    if source is None or not Path(source).exists():
        return
    check_architecture(folder, _of_source(config, source))


def _train(config: TrainConfig, folder: Path, source: str | None, tell: Tell) -> None:
    from autodl.jobs.train.run import retrain

    architecture = _of_source(config, source)
    done = retrain(config, architecture, folder, resume=True, progress=tell)
    tell(f"held-out {done.metric.name} {done.value:.4f}")


def read_training(folder: Path) -> Found:
    """The numbers of a training, and of those that are ``held_out_X`` the ``test_X`` on record.

    Raises:
        StoreError: it is not finished, or a file is damaged.
    """
    metrics = read_json(folder / METRICS)
    values = numbers(metrics)
    if (spent := training_core_seconds(metrics)) is not None:
        values[TRAINING_HOURS] = spent / 3600
    weights = weights_file(folder)
    sealed = (read_manifest(folder).get(SEALS) or {}).get(weights.name)
    if sealed is None and weights.exists():  # of an earlier release
        sealed = checksum(weights)
    if sealed is not None and (record := read_test(folder, sealed)) is not None:
        tested = numbers(record)
        for views in ("one_view", "six_views"):
            if views in record:
                tested[f"accuracy_{views}"] = record[views]["accuracy"]
        names = [name.removeprefix("held_out_") for name in values if name.startswith("held_out_")]
        values |= {f"test_{name}": tested[name] for name in names if name in tested}
    return Found(values)


# -- a supernet


def _supernet(config: WidthConfig, folder: Path, source: str | None, tell: Tell) -> None:
    from autodl.jobs.width.run import run_width_search

    run_width_search(config, folder, resume=True, progress=tell)


def read_supernet(folder: Path) -> Found:
    """Cost and shared accuracy of the best widths, and Phi: by epoch, at the end, as a share.

    Raises:
        StoreError: the search is not finished, or a file is damaged.
    """
    metrics = read_json(folder / METRICS)
    levels = [float(epoch["phi"]) for epoch in metrics["curve"]]
    values = {**numbers(metrics), "macs": float(metrics["macs"])}
    if "accuracy" in values:
        values["shared_accuracy"] = values.pop("accuracy")
    if not levels:
        return Found(values)
    values["phi"] = levels[-1]
    if not levels[0]:
        return Found(values)
    curve = tuple(level / levels[0] for level in levels)
    return Found({**values, "phi_share": curve[-1]}, curves={"phi_share": curve})


def _has_widths(config: WidthConfig, folder: Path) -> bool:
    return (folder / METRICS).exists() and (folder / ARCHITECTURE).exists()


# -- a compression


def _find_network(source: str) -> None:
    from autodl.jobs.compress.source import find_source

    find_source(source)


def _compress(config: CompressConfig, folder: Path, source: str | None, tell: Tell) -> None:
    from autodl.jobs.compress.run import compress

    if source is None:
        raise ConfigError("Study.source is missing: name the network to compress")
    compress(config, source, folder, resume=True, progress=tell)


def read_compression(folder: Path) -> Found:
    """The numbers of a compression, and the change of accuracy that it came to.

    Raises:
        StoreError: it is not finished, or a file is damaged.
    """
    return Found(with_change(numbers(read_json(folder / METRICS))))


def with_change(values: Mapping[str, float]) -> dict[str, float]:
    """With ``change``: accuracy after minus accuracy before, of the same network."""
    change = values["accuracy_after"] - values["accuracy_before"]
    return {**values, "change": change}


_OF_TRIALS = ("reward", "accuracy", "parameters", "macs", "latency_ms", "training_ms")
_OF_TRAINING = ("held_out_*", "test_*")
JOBS: Mapping[str, Job] = {
    "search": Job(
        SearchConfig,
        _search,
        read_search,
        _searched,
        steps=("again", "train", "test"),
        columns=(*_OF_TRIALS, "reward_again", *_OF_TRAINING, "seconds"),
        compared=(*_OF_TRIALS, "reward_again", *_OF_TRAINING),
    ),
    "simulate": Job(
        SearchConfig,
        _simulate,
        _read_simulated,
        _simulated,
        columns=(*_OF_TRIALS, "seconds"),
        compared=_OF_TRIALS,
    ),
    "train": Job(
        TrainConfig,
        _train,
        read_training,
        _has_metrics,
        steps=("test",),
        find=_find_given,
        check=_check_source,
        columns=(*_OF_TRAINING, "parameters", "macs", "seconds"),
        compared=_OF_TRAINING,
    ),
    "supernet": Job(
        WidthConfig,
        _supernet,
        read_supernet,
        _has_widths,
        steps=("rank", "alignment", "train", "test"),
        columns=(
            *("macs", "shared_accuracy", *_OF_TRAINING),
            *("rank_correlation", "phi", "gradient_cosine"),
        ),
        compared=("macs", *_OF_TRAINING, "rank_correlation", "gradient_cosine"),
    ),
    "compress": Job(
        CompressConfig,
        _compress,
        read_compression,
        _looks_itself,
        columns=(
            *("average_bits", "stored_bits", "search_seconds", "fine_tuning_seconds"),
            *("accuracy_before", "accuracy_rounded", "accuracy_after", "change", "packed_bytes"),
        ),
        compared=("accuracy_rounded", "accuracy_after"),
        start="a released network or a folder of a training",
        find=_find_network,
        needs_source=True,
    ),
}
