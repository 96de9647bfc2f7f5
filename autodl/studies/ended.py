"""Whether a run of a study has come to its end."""

from __future__ import annotations

from pathlib import Path

from autodl.runs.folder import METRICS, TRIALS, read_manifest
from autodl.runs.lost_trials import check_result
from autodl.search.budget import INTERRUPTED


def has_ended(folder: Path) -> bool:
    """Whether a run has ended there; a search that was interrupted has not.

    Raises:
        StoreError: its result is gone.
    """
    check_result(folder)
    if (folder / METRICS).exists():
        return True
    if not (folder / TRIALS).exists():
        return False
    return bool(read_manifest(folder).get("finished_trials")) and ended_by_itself(folder)


def has_result(folder: Path) -> bool:
    """Whether a run has something that others can go by: its metrics, or trials of a search."""
    if (folder / METRICS).exists():
        return True
    return (folder / TRIALS).exists() and bool(read_manifest(folder).get("finished_trials"))


def ended_by_itself(folder: Path) -> bool:
    """Whether a search has come to its end, and was not interrupted, killed or broken off."""
    ended: str = read_manifest(folder).get("ended", "failed")  # one under way has not
    return not ended.startswith((INTERRUPTED, "failed"))
