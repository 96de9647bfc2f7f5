"""The configuration of a compression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autodl.compression.bits.options import BitSearchOptions, LayersOptions, PlaceOptions
from autodl.config.components import Component, read_component, read_general
from autodl.config.plugins import plugin_identity
from autodl.config.reading import RawConfig, load_config
from autodl.config.sections import GlobalOptions, check_sections, read_section, validate
from autodl.errors import ConfigError
from autodl.jobs.compress.options import StudyOptions
from autodl.recipes.options import TrainOptions

if TYPE_CHECKING:
    pass


_CHANGES = ("pad_crop", "flip", "cutout", "mixup")  # of pictures, while training


@dataclass(frozen=True, slots=True)
class CompressConfig:
    """A checked configuration of a compression."""

    general: GlobalOptions
    compression: Component
    layers: LayersOptions
    train: TrainOptions
    fine_tuning: TrainOptions
    data: PlaceOptions
    study: StudyOptions

    def with_changes_of(self, trained: TrainOptions) -> CompressConfig:
        """Change pictures as the training did, but for what the config says itself."""

        def completed(own: TrainOptions) -> TrainOptions:
            left_open = set(_CHANGES) - own.model_fields_set
            return own.model_copy(update={name: getattr(trained, name) for name in left_open})

        return replace(self, train=completed(self.train), fine_tuning=completed(self.fine_tuning))

    def to_plain(self) -> dict[str, Any]:
        """Every key with its value, as a config file would give it."""
        return {
            "Global": self.general.model_dump(mode="json"),
            "Compression": self.compression.to_plain(),
            "Layers": self.layers.model_dump(mode="json"),
            "Train": self.train.model_dump(mode="json"),
            "FineTuning": self.fine_tuning.model_dump(mode="json"),
            "Data": self.data.model_dump(mode="json"),
            "Study": self.study.model_dump(mode="json"),
        }

    def identity(self) -> dict[str, Any]:
        """What must not change when a compression is resumed."""
        plain = self.to_plain()
        del plain["Global"]["device"], plain["Data"], plain["Study"]
        plain["Global"]["plugins"] = plugin_identity(self.general.plugins)
        return plain


def load_compress(path: Path | str, overrides: Sequence[str] = ()) -> CompressConfig:
    """Read the configuration of a compression, and import its plugins.

    Raises:
        ConfigError: the file or an override is unusable.
        PluginError: a plugin cannot be imported.
    """
    return resolve_compress(load_config(Path(path), overrides))


def resolve_compress(raw: RawConfig) -> CompressConfig:
    """Check the values of a compression's configuration, section by section.

    Raises:
        ConfigError: a key or a value is unusable; those of ``Study.search`` are BitSearch's.
    """
    known = ("Global", "Compression", "Layers", "Train", "FineTuning", "Data", "Study")
    check_sections(raw, known)
    study = read_section(StudyOptions, raw, "Study")
    for key in ("average_bits", "seconds"):
        if key in study.search:
            raise ConfigError(
                f"Study.search.{key} is what the compression by Compression took; leave it out"
            )
    # at most as many bits as there are: how many the search may spend, it is told later
    search = {**study.search, "average_bits": 16.0}
    validate(BitSearchOptions, search, raw, ("Study", "search"))
    return CompressConfig(
        general=read_general(raw),
        compression=read_component(raw, "Compression"),
        layers=read_section(LayersOptions, raw, "Layers"),
        train=read_section(TrainOptions, raw, "Train"),
        fine_tuning=read_section(TrainOptions, raw, "FineTuning"),
        data=read_section(PlaceOptions, raw, "Data"),
        study=study,
    )
