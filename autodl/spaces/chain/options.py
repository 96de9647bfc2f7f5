"""``Space`` and ``Network`` sections of chains of blocks."""

from __future__ import annotations

from pydantic import Field

from autodl.config.sections import Section
from autodl.spaces.chain.architecture import BLOCKS


class ChainSpaceOptions(Section):
    """Which chains can be proposed."""

    blocks: tuple[str, ...] = Field(BLOCKS, description="names of blocks that places choose from")


class ChainNetworkOptions(Section):
    """How a network is made of a chain."""

    stem_width: int = Field(32, ge=1, description="channels of the stem; they double three times")
    head_width: int = Field(1280, ge=1, description="channels before the classifier")
