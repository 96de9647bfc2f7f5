"""Which decisions of a run's space mattered for its reward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from autodl.config.components import read_component
from autodl.errors import ConfigError
from autodl.runs.folder import run_config
from autodl.spaces.codec import decode_architecture
from autodl.spaces.rows import as_coded
from autodl.spaces.space import Coded
from autodl.strategies.surrogate.importance import explanation, importance_in
from autodl.trial import TrialState


def run_importance(report: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The importance of the decisions of a run's space, as plain values.

    Args:
        report: of ``autodl.reports.run.read_run``.

    Returns:
        ``decisions``, each with its ``name`` and ``importance``, the largest first, and
        ``explained``, see ``decision_importance``.

    Raises:
        ConfigError: the space has no rows of decisions, or there are too few trials.
        MissingPackageError: scikit-learn is not installed.
    """
    chosen = read_component(run_config(folder), "Space")
    space: Coded[Any] = as_coded(chosen.factory()(**chosen.arguments()), "The importance")
    complete = [t for t in report["trials"] if t["state"] == TrialState.COMPLETE.value]
    architectures = [decode_architecture(trial["architecture"]) for trial in complete]
    rewards = [trial["reward"] for trial in complete]
    try:
        found = importance_in(space, architectures, rewards)
    except ValueError as error:
        raise ConfigError(f"{folder}: {error}; leave out --importance") from None
    decisions = [{"name": name, "importance": share} for name, share in found.decisions]
    return {"decisions": decisions, "explained": found.explained}


def importance_lines(importance: Mapping[str, Any], top: int = 10) -> Iterator[str]:
    """For people: the decisions that matter most."""
    yield f"importance of decisions ({explanation(importance['explained'])}):"
    for row in importance["decisions"][:top]:
        yield f"  {row['importance']:>6.3f}  {row['name']}"
