"""What a job is configured by: its sections, stated once, read, written and told apart by them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args, get_type_hints

from autodl.config.components import Component, read_component, read_general
from autodl.config.reading import RawConfig, load_config
from autodl.config.sections import GlobalOptions, Section, check_sections, read_section


@dataclass(frozen=True, slots=True)
class Part:
    """The section that a field of a configuration is read from, and what of it makes a run.

    Args:
        name: of the section.
        identifies: whether it may not change when a run is resumed.
        free: keys of it that may change all the same.
        optional: it is left out of what is written where it says nothing: a component that is not
            named (the field is None then), or options that all have their defaults.
    """

    name: str
    identifies: bool = True
    free: tuple[str, ...] = ()
    optional: bool = False


class Sections:
    """Base of the configurations of all jobs.

    A subclass is a frozen dataclass. Each field says its part and its type, a ``Section`` or a
    ``Component``: ``train: Annotated[TrainOptions, Part("Train")]``. ``Global`` comes first, since
    its plugins add what the others may name.
    """

    __slots__ = ()

    @classmethod
    def load(cls, path: Path | str, overrides: Sequence[str] = ()) -> Self:
        """Read the configuration of a job, and import its plugins.

        Args:
            path: a YAML file, or the name of a shipped one such as ``search/demo.yaml``.
            overrides: ``Section.key=value`` each.

        Raises:
            ConfigError: the file or an override is unusable.
            PluginError: a plugin cannot be imported.
        """
        return cls.resolve(load_config(Path(path), overrides))

    @classmethod
    def resolve(cls, raw: RawConfig) -> Self:
        """Check the values of a job's configuration, section by section and then together.

        Raises:
            ConfigError: a section, a key or a value is unusable.
            PluginError: a plugin cannot be imported.
        """
        check_sections(raw, cls.names())
        config = cls(**{field: _read(raw, part, kind) for field, part, kind in _parts(cls)})
        config.check(raw)
        return config

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The sections that there may be."""
        return tuple(part.name for _, part, _ in _parts(cls))

    def check(self, raw: RawConfig) -> None:
        """Raise ConfigError for sections that do not fit each other; ``raw`` tells their lines."""

    def to_plain(self) -> dict[str, Any]:
        """Every key with its value, as a config file would give it."""
        return {
            part.name: section.to_plain()
            for part, section in self._present()
            if section != _unsaid(section, part)
        }

    def identity(self) -> dict[str, Any]:
        """What must not change when a run is resumed."""
        found = {}
        for part, section in self._present():
            unsaid = _unsaid(section, part)
            own = _bound(section, part)
            if part.identifies and (unsaid is None or own != _bound(unsaid, part)):
                found[part.name] = own
        return found

    def reduced(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """An identity that is on record, in the form that it has now.

        Some runs have options on record that were added before they were made, with their
        defaults; others were made before that.
        """
        known = dict(identity)
        for part, section in self._present():
            if isinstance(stored := known.get(part.name), Mapping):
                known[part.name] = section.reduced(stored)
        return known

    def _present(self) -> Iterator[tuple[Part, Section | Component]]:
        for field, part, _ in _parts(type(self)):
            if (section := getattr(self, field)) is not None:
                yield part, section


def _parts(config: type[Sections]) -> Iterator[tuple[str, Part, Any]]:
    """Of each field its name, its part and its type."""
    for field, hint in get_type_hints(config, include_extras=True).items():
        kind, part = get_args(hint)
        yield field, part, next(iter(get_args(kind)), kind)  # X of X | None


def _read(raw: RawConfig, part: Part, kind: type[Any]) -> Section | Component | None:
    if kind is GlobalOptions:
        return read_general(raw)
    if kind is not Component:
        section: Section = read_section(kind, raw, part.name)
        return section
    if part.optional and raw.values.get(part.name) is None:
        return None
    return read_component(raw, part.name)


def _bound(section: Section | Component, part: Part) -> dict[str, Any]:
    """What of a section must not change."""
    return {key: value for key, value in section.identity().items() if key not in part.free}


def _unsaid(section: Section | Component, part: Part) -> Section | None:
    """What an optional section of options is when it is absent."""
    return type(section)() if part.optional and isinstance(section, Section) else None
