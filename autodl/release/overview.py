"""A table of all released networks and their ensemble, for the README and for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    found = released(models)
    lines = [_row(_HEAD), _row(["---"] * len(_HEAD))]
    lines += [_row(_cells(name, metrics)) for name, metrics in found.items()]
    if (ensemble := read_ensemble(models)) is not None:
        votes = ", ".join(f"{name} x{count}" for name, count in ensemble.members.items())
        held_out = f"{100 * ensemble.held_out.accuracy:.2f}"
        spent = ensemble_hours(ensemble, found)
        hours = "" if spent is None else f"{spent:.2f}"
        cells = ["ensemble", votes, *[""] * 4, hours, "", held_out, _tested(ensemble.test)]
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def released(models: Path | None = None) -> dict[str, ReleaseMetrics]:
    """What all released networks say of themselves, best on the held-out pictures first.

    Raises:
        CheckpointError: the metrics of one of them are damaged.
    """
    root = resource("models") if models is None else models
    found = {
        folder.name: read_metrics(ReleaseMetrics, folder / METRICS) for folder in folders(root)
    }
    return dict(sorted(found.items(), key=lambda item: (-item[1].held_out.accuracy, item[0])))


def read_ensemble(models: Path | None = None) -> EnsembleMetrics | None:
    """What the released ensemble says of itself; None if there is none.

    Raises:
        CheckpointError: its file is damaged.
    """
    path = (resource("models") if models is None else models) / FILE
    return read_metrics(EnsembleMetrics, path) if path.exists() else None


def ensemble_hours(
    ensemble: EnsembleMetrics, networks: Mapping[str, ReleaseMetrics]
) -> float | None:
    """Core-hours of an ensemble's members together; None if one of them is not there."""
    if any(name not in networks for name in ensemble.members):
        return None
    return sum(networks[name].training.core_hours for name in ensemble.members)


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
