"""``Space`` and ``Network`` sections of networks of ShuffleNetV2-like blocks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from autodl.config.sections import Section
from autodl.spaces.shuffle.architecture import BLOCKS, REPEATS

Count = Annotated[int, Field(ge=1)]


class ShuffleSpaceOptions(Section):
    """Which networks can be proposed."""

    blocks: tuple[str, ...] = Field(BLOCKS, description="names of blocks that places choose from")
    repeats: Annotated[tuple[Count, ...], Field(min_length=1)] = Field(
        REPEATS, description="places of each stage"
    )


class ShuffleNetworkOptions(Section):
    """How a network is made of blocks."""

    stem_width: Count = Field(16, description="channels of the stem")
    stem_stride: Literal[1, 2] = Field(2, description="1 keeps small pictures as they are")
    widths: Annotated[tuple[Count, ...], Field(min_length=1)] = Field(
        (64, 160, 320, 640), description="channels of each stage, even and rising"
    )
    head_width: Count = Field(1024, description="channels before the classifier")
    dropout: float = Field(0.1, ge=0, lt=1, description="before the classifier")
