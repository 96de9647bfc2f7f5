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
        trials = [trial.to_json() for trial in store.trials()]
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


def summary_lines(report: dict[str, Any], top: int = 10) -> list[str]:
    """The report as lines for people: counts, the best trials, and why trials failed."""
    trials = report["trials"]
    states = {state.value: 0 for state in TrialState}
    for trial in trials:
        states[trial["state"]] += 1
    counts = ", ".join(f"{count} {state}" for state, count in states.items() if count)
    lines = [f"run {report['run']}: {len(trials)} trials ({counts or 'none'})"]
    complete = [trial for trial in trials if trial["state"] == TrialState.COMPLETE.value]
    if complete:
        rewards = [trial["reward"] for trial in complete]
        lines.append(
            f"reward: mean {sum(rewards) / len(rewards):.4f}, best {max(rewards):.4f},"
            f" worst {min(rewards):.4f}"
        )
        lines.append(f"{'rank':>4} {'trial':>6} {'reward':>8} {'seconds':>8}  details")
    ranked = sorted(complete, key=lambda trial: (-trial["reward"], trial["id"]))
    for rank, trial in enumerate(ranked[:top], start=1):
        lines.append(
            f"{rank:>4} {trial['id']:>6} {trial['reward']:>8.4f} {trial['seconds']:>8.1f}"
            f"  {_details(trial['metrics'])}"
        )
    failed = [trial for trial in trials if trial["state"] == TrialState.FAILED.value]
    return [*lines, *(f"trial {trial['id']} FAILED: {trial['reason']}" for trial in failed)]


def _details(metrics: dict[str, float]) -> str:
    parts = []
    if "parameters" in metrics:
        parts.append(f"{metrics['parameters'] / 1e3:,.1f} k parameters")
    if "macs" in metrics:
        parts.append(f"{metrics['macs'] / 1e6:,.2f} M MACs")
    if "train_accuracy" in metrics:
        parts.append(f"training accuracy {metrics['train_accuracy']:.3f}")
    if "epochs" in metrics:
        parts.append(f"{metrics['epochs']:.0f} epochs")
    return ", ".join(parts)
