"""``Network`` section of the mobile space; the space itself has no options."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from autodl.config.sections import Section
from autodl.spaces.mobile.architecture import BLOCKS
from autodl.spaces.mobile.plan import BASE_WIDTHS

Count = Annotated[int, Field(ge=1)]


class MobileNetworkOptions(Section):
    """How a network is made of seven mobile blocks."""

    ADDED = ("sep_conv_skip",)

    base_widths: Annotated[tuple[Count, ...], Field(min_length=BLOCKS, max_length=BLOCKS)] = Field(
        BASE_WIDTHS, description="channels of each block at width factor 1"
    )
    stem_width: int = Field(32, ge=1, description="channels before the first block")
    head_width: int = Field(1280, ge=1, description="channels before the classifier")
    compounding: bool = Field(
        False, description="width factors are of the block before, not of the base width"
    )
    skip_on_change: Literal["project", "none"] = Field(
        "project", description="the skip of an MBConv that changes the shape"
    )
    sep_conv_skip: bool = Field(
        True, description="the identity beside a SepConv with a skip; false: as published"
    )
    strides: (
        Annotated[tuple[Count, ...], Field(min_length=BLOCKS + 1, max_length=BLOCKS + 1)] | None
    ) = Field(None, description="of stem and blocks; null: as published, and less up to 64x64")
    dropout: float = Field(0.2, ge=0, lt=1, description="before the classifier")
