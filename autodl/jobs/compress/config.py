"""The configuration of a compression."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

from autodl.compression.bits.options import BitSearchOptions, LayersOptions, PlaceOptions
from autodl.config.components import Component
from autodl.config.job import Part, Sections
from autodl.config.reading import RawConfig
from autodl.config.sections import GlobalOptions, validate
from autodl.errors import ConfigError
from autodl.jobs.compress.options import StudyOptions
from autodl.recipes.options import FineTuningOptions, TrainOptions

T = TypeVar("T", bound=TrainOptions)
_CHANGES = ("pad_crop", "flip", "cutout", "mixup")  # of pictures, while training


@dataclass(frozen=True, slots=True)
class CompressConfig(Sections):
    """A checked configuration of a compression."""

    general: Annotated[GlobalOptions, Part("Global", free=("device",))]
    compression: Annotated[Component, Part("Compression")]
    layers: Annotated[LayersOptions, Part("Layers")]
    train: Annotated[TrainOptions, Part("Train")]
    fine_tuning: Annotated[FineTuningOptions, Part("FineTuning")]
    data: Annotated[PlaceOptions, Part("Data", identifies=False)]
    study: Annotated[StudyOptions, Part("Study", identifies=False)]

    def with_changes_of(self, trained: TrainOptions) -> CompressConfig:
        """Change pictures as the training did, but for what the config says itself."""

        def completed(own: T) -> T:
            left_open = set(_CHANGES) - own.model_fields_set
            return own.model_copy(update={name: getattr(trained, name) for name in left_open})

        return replace(self, train=completed(self.train), fine_tuning=completed(self.fine_tuning))

    def check(self, raw: RawConfig) -> None:
        """Refuse options of ``Study.search`` that are not BitSearch's, or that the study sets.

        Raises:
            ConfigError: one of them.
        """
        search = self.study.search
        for key in ("average_bits", "seconds"):
            if key in search:
                raise ConfigError(
                    f"Study.search.{key} is what the compression by Compression took; leave it out"
                )
        # at most as many bits as there are: how many the search may spend, it is told later
        most = {**search, "average_bits": 16.0}
        validate(BitSearchOptions, most, raw, ("Study", "search"))


load_compress, resolve_compress = CompressConfig.load, CompressConfig.resolve
