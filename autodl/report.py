"""A run as plain data: what ``tools/report.py`` prints and other programs read."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from autodl.config import load_config
from autodl.plugins import import_plugins
from autodl.search.run_folder import CONFIG, TRIALS, read_manifest
from autodl.search.store import TrialStore
from autodl.trial import TrialState


def read_run(folder: Path) -> dict[str, Any]:
    """The trials of a run, its best one and its manifest, as one JSON object.

    Keys: ``run`` (folder name), ``trials`` (each with ``id``, ``state``, ``reward``,
    ``architecture``, ``seconds``, ``reason``, ``metrics``), ``best`` (the trial of the highest
    reward, of equal ones the earliest; None if none is complete) and ``manifest``. A run that is
    still going on can be read.

    Raises:
        StoreError: the folder holds no run, or a damaged one.
    """
    manifest = read_manifest(folder)
    import_run_plugins(folder)
    with closing(TrialStore(folder / TRIALS, read_only=True)) as store:
        trials = [trial.to_json() for trial in store.trials(curves=False)]
        best = next(iter(store.best()), None)
    return {
        "run": folder.resolve().name,
        "trials": trials,
        "best": best.to_json() if best else None,
        "manifest": manifest,
    }


def import_run_plugins(folder: Path) -> None:
    """Import the plugins of a run: its architectures may have operations that they define.

    Raises:
        ConfigError: the run's config is damaged.
        PluginError: a plugin cannot be imported any more.
    """
    if not (folder / CONFIG).is_file():  # killed before it was written, so there are no trials
        return
    plugins = load_config(folder / CONFIG).values.get("Global", {}).get("plugins", [])
    import_plugins([str(name) for name in plugins])


def ranked(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The complete trials, best first; of equal ones the earlier."""
    complete = [trial for trial in report["trials"] if trial["state"] == TrialState.COMPLETE.value]
    return sorted(complete, key=lambda trial: (-trial["reward"], trial["id"]))


def summary_head(report: dict[str, Any]) -> list[str]:
    """How many trials there are in each state, and the range of their rewards."""
    trials = report["trials"]
    states = {state.value: 0 for state in TrialState}
    for trial in trials:
        states[trial["state"]] += 1
    counts = ", ".join(f"{count} {state}" for state, count in states.items() if count)
    lines = [f"run {report['run']}: {len(trials)} trials ({counts or 'none'})"]
    if best := ranked(report):
        rewards = [trial["reward"] for trial in best]
        lines.append(
            f"reward: mean {sum(rewards) / len(rewards):.4f}, best {rewards[0]:.4f},"
            f" worst {rewards[-1]:.4f}"
        )
    return lines


def summary_lines(report: dict[str, Any], top: int = 10) -> list[str]:
    """The report as lines for people: counts, the best trials, and why trials failed."""
    lines, best = summary_head(report), ranked(report)[:top]
    if best:
        lines.append(f"{'rank':>4} {'trial':>6} {'reward':>8} {'seconds':>8}  details")
    for rank, trial in enumerate(best, start=1):
        lines.append(
            f"{rank:>4} {trial['id']:>6} {trial['reward']:>8.4f} {trial['seconds']:>8.1f}"
            f"  {describe_metrics(trial['metrics'])}"
        )
    failed = [trial for trial in report["trials"] if trial["state"] == TrialState.FAILED.value]
    return [*lines, *(f"trial {trial['id']} FAILED: {trial['reason']}" for trial in failed)]


def describe_metrics(metrics: dict[str, float | None]) -> str:
    """The numbers of a trial that people look at first; those that it lacks are left out."""
    shown = {
        "parameters": ("{:,.1f} k parameters", 1e-3),
        "macs": ("{:,.2f} M MACs", 1e-6),
        "train_accuracy": ("training accuracy {:.3f}", 1),
        "epochs": ("{:.0f} epochs", 1),
    }
    return ", ".join(
        text.format(value * factor)
        for name, (text, factor) in shown.items()
        if (value := metrics.get(name)) is not None
    )
