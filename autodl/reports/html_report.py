"""A run as one self-contained HTML file that can be sent to a colleague."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from autodl import __version__
from autodl.drawing.cells import draw_architecture
from autodl.drawing.names import readable_metric, readable_number
from autodl.drawing.pareto import draw_front
from autodl.drawing.run_curves import Dots, draw_rewards, draw_seconds
from autodl.errors import AutoDLError
from autodl.objectives.trade_off import Goals
from autodl.reports.html_page import captioned, facts, note, page, picture, plot, section, table
from autodl.reports.run import (
    count_states,
    describe_inheritance,
    describe_part,
    describe_reuse,
    describe_rewards,
    describe_trial,
    failures,
    front_cells,
    metric_of,
    name_ids,
    quality_in,
    ranked,
    trade_off,
)
from autodl.search.observers.outcome import one_line, reached
from autodl.spaces.codec import decode_architecture
from autodl.strategies.surrogate.importance import explanation
from autodl.system.yaml_text import dump
from autodl.tasks.task import Metric
from autodl.trial import ACCURACY

_USUAL_COSTS = ("parameters", "macs")  # of a run without objectives
_EPOCHS = ("epochs", "effective_epochs")


def html_report(report: Mapping[str, Any], *, drawings: int = 3, top: int = 20) -> str:
    """The report of ``autodl.reports.run.read_run`` as HTML without references to other files.

    Args:
        drawings: how many of the best architectures to draw; of others on the front at most twice
            as many.
        top: how many of the best trials to list.
    """
    best = ranked(report)
    whose = f"Search {report['run']}"
    drawn = [trial for trial in best if not trial["reused"]][:drawings]  # a reused one is equal
    parts = [
        f"<h1>{escape(whose)}</h1>",
        facts(_facts(report, best)),
        section("Rewards and time", _curves(report)),
        _trade_offs(report),
        section("Best trials", _best_table(best[:top], report)),
        section("Best architectures", _drawings(drawn, report)),
        section(
            "More architectures on the front",
            _front_drawings(report, [trial["id"] for trial in drawn], 2 * drawings),
        ),
        section("Importance of decisions", _importance(report)),
        section("Failures", _failures(report)),
        section("Settings and manifest", _manifest(report)),
        f"<footer>AutoDL for PaddlePaddle {__version__}</footer>",
    ]
    return page(whose, "\n".join(part for part in parts if part))


def _facts(report: Mapping[str, Any], best: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What one wants to know first."""
    manifest, seconds = report["manifest"], sum(trial["seconds"] for trial in report["trials"])
    settings, starts = manifest.get("identity") or {}, manifest.get("starts") or [{}]
    names = (settings.get(part, {}).get("name", "") for part in ("Strategy", "Space", "Data"))
    return [
        ("trials", count_states(report)),
        ("pruned", describe_part(report)),
        ("reused", describe_reuse(report)),
        ("inherited", describe_inheritance(report)),
        (metric_of(report).label, describe_rewards(best, metric_of(report))),
        ("best", _caption(best[0], report) if best else ""),
        ("objectives", _objectives(report["objectives"], quality_in(report))),
        *zip(("strategy", "space", "data"), names, strict=True),
        ("started", str(starts[0].get("time", "")).replace("T", " ")),
        ("ended", str(manifest.get("ended", "not yet"))),
        ("evaluation", f"{_time(seconds)}, all trials in sum"),
    ]


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 7200 else f"{seconds / 60:.1f} minutes"


def _objectives(goals: Mapping[str, Any] | None, quality: Metric) -> str:
    """The section ``Objectives`` as a sentence; empty without it.

    Args:
        quality: what is traded off; of an error the reward is the negative, which costs divide.
    """
    if not goals:
        return ""
    small = ", ".join(readable_metric(name) for name in goals.get("minimise") or ())
    limits = ", ".join(
        f"{readable_metric(name)} at most {readable_number(most)}"
        for name, most in (goals.get("limits") or {}).items()
    )
    sign, scale = ("", "×") if quality.higher_is_better else ("-", "/")
    scaling = "".join(
        f" {scale} {_scaling(name, term)}" for name, term in (goals.get("reward") or {}).items()
    )
    parts = (
        f"{quality.label} {quality.wanted}; {small} low" if small else "",
        limits,
        f"reward = {sign}{quality.label}{scaling}" if scaling else "",
    )
    return "; ".join(part for part in parts if part)


def _scaling(name: str, term: Mapping[str, Any]) -> str:
    """A factor of the reward; where its exponent is another one up to the target, both."""
    exponent, below = f"{term['exponent']:g}", term.get("exponent_below")
    if below is not None and below != term["exponent"]:
        exponent = f"({exponent}; up to the target {below:g})"
    return f"({readable_metric(name)} / {readable_number(term['target'])})^{exponent}"


def _curves(report: Mapping[str, Any]) -> str:
    """Plots of rewards and of seconds by trial."""
    trials, metric = report["trials"], metric_of(report)
    complete = [trial for trial in trials if trial["state"] == "COMPLETE"]
    failed = [trial for trial in trials if trial["state"] == "FAILED"]
    part = [
        trial
        for trial in trials
        if trial["reward"] is not None and trial["state"] not in ("COMPLETE", "FAILED")
    ]
    if not (complete or failed or part):
        return ""

    def words(trial: Mapping[str, Any]) -> str:
        state, reward = trial["state"].lower(), ""
        if trial["reward"] is not None:
            reward = f"{metric.label} {metric.digits(trial['reward'])}, "
            if trial["state"] != "COMPLETE":
                state += f" at {reached(trial['fidelity'], report['epochs'])}"
        reason = f", {one_line(trial['reason'])}" if trial["reason"] else ""
        return f"trial {trial['id']}: {reward}{trial['seconds']:.1f} s, {state}{reason}"

    def dots(trials: Sequence[Mapping[str, Any]], name: str) -> Dots:
        ids, values = [trial["id"] for trial in trials], [trial[name] for trial in trials]
        if name == "reward":
            values = [metric.value(value) for value in values]
        return Dots(ids, values, [words(trial) for trial in trials])

    rewards = draw_rewards(
        dots(complete, "reward"),
        dots(part, "reward"),
        [trial["id"] for trial in failed],
        label=metric.label,
        higher_is_better=metric.higher_is_better,
    )
    seconds = draw_seconds(
        *(
            dots([trial for trial in kind if not trial["reused"]], "seconds")
            for kind in (complete, part, failed)
        )
    )
    return (
        f'<div class="plots">{plot(rewards, f"{metric.label} by trial")}'
        f"{plot(seconds, 'seconds by trial')}</div>"
    )


def _trade_offs(report: Mapping[str, Any]) -> str:
    """The Pareto front as plot and table; without objectives a plot of the usual costs."""
    goals = Goals.of({"Objectives": report["objectives"]})
    costs = goals.costs or tuple(
        cost
        for cost in _USUAL_COSTS
        if any(trial["metrics"].get(cost) is not None for trial in report["trials"])
    )
    found = trade_off(report["trials"], costs)
    if not costs or not found.ids:
        return ""
    quality = quality_in(report, found.quality)
    panels = draw_front(found, goals.limits, quality=quality)
    figure = plot(panels, f"{quality.label} against cost")
    figure = f'<div class="plots">{figure}</div>'
    if not goals.costs:
        text = "The search minimised no cost; what its trials cost is shown all the same."
        return section(f"{quality.label.capitalize()} against cost", note(text) + figure)
    head = ["trial", *(readable_metric(name) for name in (quality.label, *found.costs))]
    rows = [front_cells(row, quality) for row in report["front"]]
    return section("Pareto front", figure + table(head, rows))


def _front_drawings(report: Mapping[str, Any], known: Sequence[int], most: int) -> str:
    """Drawings from all along the front, of trials that are not drawn already."""
    members = _spread([row["id"] for row in report["front"] or ()], most)
    trials = {trial["id"]: trial for trial in report["trials"]}
    unknown = [trials[member] for member in members if member not in known]
    return _drawings(unknown, report)


def _spread(items: Sequence[int], most: int) -> list[int]:
    """At most so many items, evenly from the first to the last."""
    if len(items) <= most:
        return list(items)
    return [items[place * (len(items) - 1) // max(most - 1, 1)] for place in range(most)]


def _best_table(best: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> str:
    if not best:
        return ""
    front, metric = {row["id"] for row in report["front"] or ()}, metric_of(report)
    costs = Goals.of({"Objectives": report["objectives"]}).costs
    quality = quality_in(report)
    usual = (*_USUAL_COSTS, "latency_ms", "training_ms", f"train_{quality.name}", *_EPOCHS)
    wanted = dict.fromkeys([*([] if metric == quality else [ACCURACY]), *costs, *usual])
    metrics = [name for name in wanted if any(name in trial["metrics"] for trial in best)]

    def number(trial: Mapping[str, Any], name: str) -> float | None:
        value = trial["metrics"].get(name)
        return value if value is None or name != ACCURACY else quality.value(value)

    rows: list[list[str | float]] = [
        [
            rank,
            trial["id"],
            metric.digits(trial["reward"]),
            *(readable_number(number(trial, name)) for name in metrics),
            f"{trial['seconds']:.1f}",
            ", ".join(filter(None, ["on the front" * (trial["id"] in front), trial["reason"]])),
        ]
        for rank, trial in enumerate(best, start=1)
    ]
    names = (quality.label if name == ACCURACY else readable_metric(name) for name in metrics)
    heads = ["rank", "trial", metric.label, *names, "seconds", "note"]
    if not any(row[-1] for row in rows):
        return table(heads[:-1], [row[:-1] for row in rows])
    return table(heads, rows, words=1)


def _caption(trial: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    metric, told = metric_of(report), describe_trial(trial, report)
    numbers = f"{metric.label} {metric.digits(trial['reward'])}", told
    return f"trial {trial['id']}: {', '.join(filter(None, numbers))}"


def _drawings(trials: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> str:
    drawn = "".join(_drawing(trial, report) for trial in trials)
    return f'<div class="cells">{drawn}</div>' if drawn else ""


def _drawing(trial: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    caption = _caption(trial, report)
    try:
        figure = draw_architecture(decode_architecture(trial["architecture"]))
    except AutoDLError:  # a space without a drawing
        return captioned(_pre(trial["architecture"]), caption)
    return picture(figure, caption)


def _importance(report: Mapping[str, Any]) -> str:
    """A table of the decisions, where the report has them."""
    if "importance" not in report:
        return ""
    found = report["importance"]
    text = (
        "By how much the squared error of a forest that predicts rewards grows when a decision is"
        f" shuffled, as a share of the variance of rewards: {explanation(found['explained'])}."
    )
    rows = [(round(row["importance"], 4), row["name"]) for row in found["decisions"]]
    return note(text) + table(["importance", "decision"], rows, words=1)


def _failures(report: Mapping[str, Any]) -> str:
    rows: list[list[str | float]] = [
        [len(ids), reason, name_ids(ids)] for reason, ids in failures(report)
    ]
    if not rows:
        return ""
    alike = note("Reasons that differ in numbers alone are counted as one.")
    return table(["count", "reason", "trials"], rows, words=2) + alike


def _manifest(report: Mapping[str, Any]) -> str:
    return f"<details><summary>show</summary>{_pre(report['manifest'])}</details>"


def _pre(value: object) -> str:
    """Plain values as YAML, innermost lists and mappings on one line."""
    text = dump(value, nested_flow=True)
    return f"<pre>{escape(text)}</pre>"
