"""Options of the rules that give trials more epochs."""

from __future__ import annotations

from pydantic import Field

from autodl.config.sections import Section


class HalvingOptions(Section):
    """``Fidelity`` section of asynchronous successive halving."""

    least_epochs: int = Field(1, ge=1, description="epochs of the lowest rung")
    reduction: int = Field(3, ge=2, description="one in so many is promoted")


class MedianOptions(Section):
    """``Fidelity`` section of the median rule."""

    interval: int = Field(1, ge=1, description="epochs between comparisons")
    grace: int = Field(1, ge=0, description="epochs that every trial has")
    least_trials: int = Field(5, ge=1, description="others that came as far, before any is stopped")
