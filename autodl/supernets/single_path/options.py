"""Options of supernets of paths, apart from them so that reading a config needs no framework."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from autodl.config.sections import Section


class CostUniformOptions(Section):
    """Of paths whose costs are uniform between two bounds."""

    lowest: int = Field(ge=0, description="multiply-accumulates that the bins begin at")
    highest: int = Field(ge=1, description="multiply-accumulates that they end before")
    bins: int = Field(7, ge=1, description="of equal width, each as likely as another")
    tries: int = Field(500, ge=1, description="draws for a bin, before one outside is taken")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.lowest >= self.highest:
            raise ValueError(f"lowest {self.lowest:,} must be below highest {self.highest:,}")
        return self
