"""``Space`` and ``Network`` sections of genotypes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from autodl.config.sections import Section
from autodl.errors import UnknownNameError
from autodl.spaces.genotype.architecture import published_genotype
from autodl.spaces.genotype.mixture import OPERATIONS


class GenotypeSpaceOptions(Section):
    """Which genotypes can be proposed."""

    operations: tuple[str, ...] = Field(
        OPERATIONS, description="names of operations that edges choose from"
    )


class OwnGenotypeOptions(Section):
    """How large the network of a genotype is."""

    ADDED = ("stem", "init")

    channels: int = Field(36, ge=2, multiple_of=2, description="of the first cells")
    layers: int = Field(20, ge=1, description="number of cells")
    stem: Literal["cifar", "imagenet"] = Field(
        "cifar", description="one convolution, or three that halve large pictures"
    )
    init: Literal["he", "lrc"] = Field(
        "he", description="first weights of convolutions by their inputs, or by outputs as LRC"
    )


class GenotypeNetworkOptions(OwnGenotypeOptions):
    """The same, and which genotype it is."""

    genotype: str = Field("DARTS_V2", description="name of a published genotype")

    @field_validator("genotype")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            published_genotype(name)
        except UnknownNameError as error:
            raise ValueError(str(error).removesuffix(".")) from None
        return name
