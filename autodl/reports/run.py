"""A run as plain data: what ``autodl report`` prints and other programs read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autodl.drawing.names import readable_number
from autodl.errors import StoreError
from autodl.objectives.trade_off import Goals, TradeOff
from autodl.reports.importance import importance_lines
from autodl.runs.folder import (
    CONFIG,
    TRIALS,
    import_run_plugins,
    read_manifest,
    run_config,
)
from autodl.runs.lost_trials import check_trials
from autodl.runs.store import TrialStore
from autodl.runs.supernet_folder import supernet_advice
from autodl.search.observers.outcome import (
    SHARE,
    full_epochs,
    one_line,
    reached,
    recorded_as,
    shown_as,
    without_numbers,
)
from autodl.tasks.task import REWARD, Metric
from autodl.trial import ACCURACY, Trial, TrialState

_IDS = 8  # of trials that failed alike, so many are named


def read_run(folder: Path) -> dict[str, Any]:
    """The trials of a run, its best one, its front and its manifest, as one JSON object.

    Keys: ``run`` (folder name), ``trials`` (each with ``id``, ``state``, ``reward``,
    ``architecture``, ``seconds``, ``reason``, ``metrics``, and ``parent``, the trial that it was
    varied from or None), ``best`` (the trial of the highest reward, of equal ones the earliest;
    None if none is complete), ``objectives`` (the section of the config, None without it),
    ``front`` (ids and values of the Pareto front, best quality first; None without objectives),
    ``epochs`` (of a whole training, None without one), ``metric`` (what people are shown of a
    reward, its negative where lower is better), ``quality`` (the same of the ``accuracy`` of trials
    and front) and ``manifest``. A run that is still going on can be read.

    Raises:
        StoreError: the folder holds no run, or a damaged one, or a training.
    """
    manifest = read_manifest(folder)
    import_run_plugins(folder)
    config = run_config(folder).values
    refuse_training(folder)
    check_trials(folder)
    with closing(TrialStore(folder / TRIALS, read_only=True)) as store:
        parents = store.parents()

        def row(trial: Trial) -> dict[str, Any]:
            return {**trial.to_json(), "parent": parents.get(trial.id)}

        trials = [row(trial) for trial in store.trials(curves=False)]
        best = [row(trial) for trial in store.best()]
    goals = Goals.of(config)
    return {
        "run": folder.resolve().name,
        "trials": trials,
        "best": best[0] if best else None,
        "objectives": config.get("Objectives"),
        "front": front_values(trade_off(trials, goals.costs)) if goals.costs else None,
        "epochs": full_epochs(config),
        "metric": asdict(shown_as(config)),
        "quality": asdict(recorded_as(config)),
        "manifest": manifest,
    }


def refuse_training(folder: Path) -> None:
    """Raise StoreError if the folder is of one training, which has no trials to tell of."""
    if (folder / TRIALS).exists() or not (folder / CONFIG).exists():
        return  # the store, or that there is none, says the rest
    sections = run_config(folder).values
    if advice := supernet_advice(folder):
        raise StoreError(f"no trials to tell of: {advice}")
    if "Train" in sections and not {"Search", "Compression"} & set(sections):
        raise StoreError(
            f"{folder} is a training, not a search, and has no trials; `autodl eval {folder}` says"
            " what its network is worth"
        )


def trade_off(trials: Iterable[Mapping[str, Any]], costs: Sequence[str]) -> TradeOff:
    """Complete trials, as a report has them, by quality and costs."""
    found = TradeOff(costs)
    for trial in trials:
        if trial["state"] == TrialState.COMPLETE.value:
            found.add_result(trial["id"], trial["reward"], trial["metrics"], trial["reused"])
    return found


def front_values(found: TradeOff) -> list[dict[str, float]]:
    """The front's trials, each with its ``id`` and a value for each objective."""
    ids, values = found.ids, found.values.tolist()
    return [
        {"id": ids[place], **dict(zip(found.names, values[place], strict=True))}
        for place in found.front
    ]


def ranked(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The complete trials, best first; of equal ones the earlier."""
    complete = [trial for trial in report["trials"] if trial["state"] == TrialState.COMPLETE.value]
    return sorted(complete, key=lambda trial: (-trial["reward"], trial["id"]))


def failures(report: Mapping[str, Any]) -> list[tuple[str, list[int]]]:
    """Reasons of failed trials with the trials' ids, the most frequent first.

    Reasons that differ in numbers alone are one; the first trial's stands for them.
    """
    groups: dict[str, tuple[str, list[int]]] = {}
    for trial in report["trials"]:
        if trial["state"] == TrialState.FAILED.value:
            alike = without_numbers(trial["reason"])
            groups.setdefault(alike, (trial["reason"], []))[1].append(trial["id"])
    return sorted(groups.values(), key=lambda group: (-len(group[1]), group[1]))


def name_ids(ids: Sequence[int]) -> str:
    """``trial 3``, ``trials 3, 5`` or, of many, the first and how many more."""
    more = f" and {len(ids) - _IDS} more" if len(ids) > _IDS else ""
    return f"trial{'s' * (len(ids) > 1)} {', '.join(map(str, ids[:_IDS]))}{more}"


def count_states(report: Mapping[str, Any]) -> str:
    """``956 trials (611 PROPOSED, 345 COMPLETE)``."""
    found = Counter(trial["state"] for trial in report["trials"])
    counts = [f"{found[state.value]} {state.value}" for state in TrialState if found[state.value]]
    return f"{len(report['trials'])} trials ({', '.join(counts) or 'none'})"


def metric_of(report: Mapping[str, Any]) -> Metric:
    """What people are shown of a reward."""
    return Metric(**report["metric"]) if "metric" in report else REWARD


def quality_in(report: Mapping[str, Any], name: str = ACCURACY) -> Metric:
    """What people are shown of the quality of trials and front, by its key: a reward as such."""
    if name != ACCURACY:
        return metric_of(report)
    return Metric(**report["quality"]) if "quality" in report else SHARE


def describe_rewards(best: Sequence[Mapping[str, Any]], metric: Metric = REWARD) -> str:
    """Mean and range of the rewards of ranked trials, or what is shown of them; empty for none."""
    if not best:
        return ""
    rewards = [trial["reward"] for trial in best]
    mean = sum(rewards) / len(rewards)
    told = (metric.digits(value) for value in (mean, rewards[0], rewards[-1]))
    return "mean {}, best {}, worst {}".format(*told)


def describe_part(report: Mapping[str, Any]) -> str:
    """How many trials were pruned, and how far they came; empty for none."""
    pruned = [trial for trial in report["trials"] if trial["state"] == TrialState.PRUNED.value]
    stages = Counter(trial["fidelity"] for trial in pruned)
    return ", ".join(
        f"{count} at {reached(fidelity, report['epochs'])}"
        for fidelity, count in sorted(stages.items())
    )


def describe_reuse(report: Mapping[str, Any]) -> str:
    """How many trials with a result were not evaluated; empty for none."""
    reused = sum(trial["reused"] for trial in report["trials"])
    return f"{reused} took over the result of an equal architecture" if reused else ""


def describe_inheritance(report: Mapping[str, Any]) -> str:
    """How much of their weights children have from their parents; empty where none inherit."""
    children = [
        trial
        for trial in report["trials"]
        if trial.get("parent") is not None and "inherited_fraction" in trial["metrics"]
    ]
    if not children:
        return ""
    shares = [trial["metrics"]["inherited_fraction"] for trial in children]
    longest = max(trial["metrics"]["effective_epochs"] for trial in children)
    text = (
        f"{len(children)} children have {sum(shares) / len(shares):.0%} of their weights from their"
        f" parents on average, and up to {longest:.0f} epochs in all"
    )
    barren = [trial["id"] for trial, share in zip(children, shares, strict=True) if not share]
    return f"{text}; nothing was there to inherit for {name_ids(barren)}" if barren else text


def summary_lines(report: Mapping[str, Any], top: int = 10) -> list[str]:
    """The report as lines for people: counts, the best trials, the front, why trials failed."""
    best, metric = ranked(report), metric_of(report)
    facts = {
        metric.label: describe_rewards(best, metric),
        "pruned": describe_part(report),
        "reused": describe_reuse(report),
        "inherited": describe_inheritance(report),
    }
    lines = [f"run {report['run']}: {count_states(report)}"]
    lines += [f"{name}: {text}" for name, text in facts.items() if text]
    if best:
        lines.append(f"{'rank':>4} {'trial':>6} {metric.label:>8} {'seconds':>8}  details")
    for rank, trial in enumerate(best[:top], start=1):
        reused = f" ({one_line(trial['reason'])})" if trial["reason"] else ""
        lines.append(
            f"{rank:>4} {trial['id']:>6} {metric.digits(trial['reward']):>8}"
            f" {trial['seconds']:>8.1f}  {describe_trial(trial, report)}{reused}"
        )
    lines += _front_lines(report)
    if "importance" in report:
        lines += importance_lines(report["importance"], top)
    return [
        *lines,
        *(f"{name_ids(ids)} FAILED: {one_line(reason)}" for reason, ids in failures(report)),
    ]


def _front_lines(report: Mapping[str, Any]) -> list[str]:
    """A table of the front, as wide as its words."""
    if not (front := report["front"]):
        return []
    _, name, *costs = front[0]
    quality = quality_in(report, name)
    rows = [["trial", quality.label, *costs], *(front_cells(row, quality) for row in front)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = (
        "  ".join(word.rjust(width) for word, width in zip(row, widths, strict=True))
        for row in rows
    )
    return [f"Pareto front of {len(front)}:", *table]


def front_cells(row: Mapping[str, Any], quality: Metric) -> list[str]:
    """A row of the front as texts, all qualities with equally many digits."""
    trial_id, value, *costs = row.values()
    return [str(trial_id), quality.digits(value), *map(readable_number, costs)]


def describe_trial(trial: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """The metrics of a trial in words, without the quality where a reward is shown as that."""
    metrics, quality = trial["metrics"], quality_in(report)
    if metric_of(report) == quality:
        metrics = {**metrics, ACCURACY: None}
    return describe_metrics(metrics, quality)


def describe_metrics(metrics: Mapping[str, float | None], quality: Metric = SHARE) -> str:
    """The numbers of a trial that people look at first; those that it lacks are left out.

    Args:
        quality: what people are shown of the ``accuracy``.
    """
    shown = {
        ACCURACY: (f"{quality.label} {{:.4f}}", quality.value(1)),
        "parameters": ("{:,.1f} k parameters", 1e-3),
        "macs": ("{:,.2f} M MACs", 1e-6),
        "latency_ms": ("{:.3g} ms", 1),
        "training_ms": ("{:.3g} ms a training step", 1),
        f"train_{quality.name}": (f"training {quality.label} {{:.3f}}", 1),
        "epochs": ("{:.0f} epochs", 1),
        "effective_epochs": ("{:.0f} with the inherited", 1),
    }
    return ", ".join(
        text.format(value * factor)
        for name, (text, factor) in shown.items()
        if (value := metrics.get(name)) is not None
    )
