"""The configuration of a compression."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

from autodl.compression.bits.options import LayersOptions, PlaceOptions
from autodl.config.components import Component
from autodl.config.job import Part, Sections
from autodl.config.sections import GlobalOptions
from autodl.recipes.options import FineTuningOptions, TrainOptions

T = TypeVar("T", bound=TrainOptions)
# of pictures, while training
_CHANGES = ("pad_crop", "border", "flip", "vertical_flip", "brightness", "cutout", "mixup")


@dataclass(frozen=True, slots=True)
class CompressConfig(Sections):
    """A checked configuration of a compression."""

    general: Annotated[GlobalOptions, Part("Global", free=("device",))]
    compression: Annotated[Component, Part("Compression")]
    layers: Annotated[LayersOptions, Part("Layers")]
    train: Annotated[TrainOptions, Part("Train")]
    fine_tuning: Annotated[FineTuningOptions, Part("FineTuning")]
    data: Annotated[PlaceOptions, Part("Data", identifies=False)]

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The sections that there may be, and ``Study``: runs of earlier versions have one.

        What stood in it was never a compression's own, and it is not read.
        """
        return (*super(CompressConfig, cls).names(), "Study")

    def with_changes_of(self, trained: TrainOptions) -> CompressConfig:
        """Change pictures as the training did, but for what the config says itself."""

        def completed(own: T) -> T:
            left_open = set(_CHANGES) - own.model_fields_set
            return own.model_copy(update={name: getattr(trained, name) for name in left_open})

        return replace(self, train=completed(self.train), fine_tuning=completed(self.fine_tuning))


load_compress, resolve_compress = CompressConfig.load, CompressConfig.resolve
