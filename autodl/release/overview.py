"""A table of all released networks and their ensemble, for the README and for the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from autodl.release.ensemble import FILE
from autodl.release.metrics import EnsembleMetrics, ReleaseMetrics, TestScores, read_metrics
from autodl.release.network import folders
from autodl.runs.folder import METRICS
from autodl.system.resources import resource

_HEAD = (
    *("network", "found by", "parameters", "MACs", "MB", "ms"),
    *("core-hours", "views", "held out", "test (95 %)"),
)
_BY_HAND = "hand-made, as the control"
_TIMED = "inference"


def overview(models: Path | None = None) -> str:
    """A Markdown table, best on the held-out pictures first, then the ensemble.

    ``found by`` is what the card says up to its first colon, but for what people designed; ``ms``
    the median time of one run of one picture in Paddle's inference engine on one core, empty if it
    was not measured; ``core-hours`` the training's, of the ensemble those of its members;
    ``views`` of how many views of a picture the accuracies are.

    Raises:
        CheckpointError: the metrics of one of them are damaged.
    """
    root = resource("models") if models is None else models
    found = {
        folder.name: read_metrics(ReleaseMetrics, folder / METRICS) for folder in folders(root)
    }
    ordered = sorted(found.items(), key=lambda item: (-item[1].held_out.accuracy, item[0]))
    lines = [_row(_HEAD), _row(["---"] * len(_HEAD))]
    lines += [_row(_cells(name, metrics)) for name, metrics in ordered]
    if (root / FILE).exists():
        ensemble = read_metrics(EnsembleMetrics, root / FILE)
        votes = ", ".join(f"{name} x{count}" for name, count in ensemble.members.items())
        held_out = f"{100 * ensemble.held_out.accuracy:.2f}"
        spent = [found[name].training.core_hours for name in ensemble.members if name in found]
        hours = f"{sum(spent):.2f}" if len(spent) == len(ensemble.members) else ""
        cells = ["ensemble", votes, *[""] * 4, hours, "", held_out, _tested(ensemble.test)]
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def _cells(name: str, metrics: ReleaseMetrics) -> list[str]:
    latency = metrics.latency.get(_TIMED)
    return [
        f"`{name}`",
        _BY_HAND if metrics.training.by_hand else _first_words(metrics.training.found_by),
        f"{metrics.parameters / 1e6:.2f} M",
        f"{metrics.macs / 1e6:.0f} M",
        f"{metrics.weights_bytes / 1e6:.1f}",
        "" if latency is None else f"{latency.batch_1[1]:.1f}",
        f"{metrics.training.core_hours:.2f}",
        str(metrics.views),
        f"{100 * metrics.held_out.accuracy:.2f}",
        _tested(metrics.test),
    ]


def _first_words(found_by: str) -> str:
    return " ".join(found_by.partition(":")[0].split()).replace("|", "\\|")


def _tested(scores: TestScores | None) -> str:
    if scores is None:
        return ""
    low, high = (100 * bound for bound in scores.interval)
    return f"{100 * scores.accuracy:.2f} ({low:.2f} to {high:.2f})"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
