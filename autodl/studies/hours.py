"""Columns of what a run of a study has cost: core-hours of its search and of its trainings."""

from __future__ import annotations

from collections.abc import Mapping

SEARCH_HOURS = "search_core_hours"  # all trials
AGAIN_HOURS = "again_core_hours"  # the step ``again``: all of its trainings
TRAINING_HOURS = "training_core_hours"  # the job ``train``, or the step of that name
ALL_HOURS = "core_hours"
_PARTS = (SEARCH_HOURS, AGAIN_HOURS, TRAINING_HOURS)


def with_total(values: Mapping[str, float]) -> dict[str, float]:
    """Columns with the sum of those of core-hours that there are; as they are without any."""
    parts = [values[name] for name in _PARTS if name in values]
    return {**values, ALL_HOURS: sum(parts)} if parts else dict(values)
