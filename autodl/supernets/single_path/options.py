"""Options of supernets of paths, apart from them so that reading a config needs no framework."""

from __future__ import annotations

from typing import Annotated, Literal, Self

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


class ShrinkingOptions(Section):
    """Of operations that are taken away while a supernet is trained."""

    first_epochs: int = Field(ge=1, description="before anything is taken away")
    epochs: int = Field(ge=1, description="between two times, and behind the last")
    target: int = Field(1_000_000, ge=1, description="architectures that are enough")
    drop: Annotated[int, Field(ge=1)] | Literal["every"] = Field(
        7, description="operations at a time; every: the weakest one of each decision"
    )
    children: int = Field(
        1000, ge=1, description="architectures that an operation is measured by, in a large space"
    )
    most_macs: int | None = Field(
        None, ge=1, description="only architectures with no more multiply-accumulates count"
    )
    shared: bool = Field(
        True, description="whether angles take in what all architectures have, as in the source"
    )
