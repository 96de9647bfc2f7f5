"""``Network`` section of the classic networks that have options."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from autodl.config.sections import Section

Count = Annotated[int, Field(ge=1)]


class ResNet9Options(Section):
    """How wide it is."""

    width: Count = Field(64, description="channels of the first layer; the last stage has 8 times")


class AirbenchOptions(Section):
    """How wide and how deep its three stages are."""

    ADDED = ("depth",)

    widths: tuple[Count, Count, Count] = Field(
        (64, 128, 128), description="channels of the stages; 64, 256, 256 is the larger one"
    )
    depth: Literal[2, 3] = Field(
        2, description="convolutions of a stage; of 3 the first one's output is added to the last's"
    )


class RepVGGOptions(Section):
    """Which member of the family."""

    variant: Literal[
        "A0", "A1", "A2", "B0", "B1", "B1g2", "B1g4",
        "B2", "B2g2", "B2g4", "B3", "B3g2", "B3g4", "D2se",
    ] = "A0"  # fmt: skip
    layers: tuple[Count, Count, Count, Count] | None = Field(
        None, description="of stages 1 to 4, in place of the variant's"
    )
    width: float = Field(1.0, gt=0, description="multiplies all channels")
    cifar: bool = Field(False, description="stages 0 and 1 have stride 1, for pictures of 32x32")


class ResNetOptions(Section):
    """How deep and wide the network for CIFAR is."""

    depth: int = Field(110, ge=8, description="layers with weights: 6 n + 2, as 20, 56 or 110")
    width: int = Field(16, ge=1, description="channels of the first stage")


class SequenceResNetOptions(Section):
    """How wide the residual network for series is."""

    width: Count = Field(64, description="channels of the first block; the others have twice")


class SequenceLstmOptions(Section):
    """How wide and deep the LSTM network is."""

    width: Count = Field(64, description="cells of a layer")
    layers: Count = Field(2, description="one on top of the other")
