"""The section of a study of bits."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from autodl.compression.bits.options import Bits
from autodl.config.sections import Section


class StudyOptions(Section):
    """``Study`` section: what ``BayesianBits`` is compared with."""

    uniform: tuple[Bits, ...] = Field((2, 3, 4, 8), description="bits of the uniform baselines")
    search: dict[str, Any] = Field(
        default_factory=dict, description="options of BitSearch besides average_bits and seconds"
    )
    multiples: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (1.0, 3.0, 10.0), description="of BayesianBits' seconds, that BitSearch is given"
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for name, values in (("uniform", self.uniform), ("multiples", self.multiples)):
            if len({f"{value:g}" for value in values}) < len(values):  # each has a folder
                raise ValueError(f"{name} names each once, got {list(values)}")
        return self
