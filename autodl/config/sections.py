"""Sections of a configuration: checked against a model, each mistake with its file and line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_jsonable_python

from autodl.config.mistakes import first_mistake
from autodl.config.paths import absolute
from autodl.config.plugins import plugin_identity
from autodl.config.reading import KeyPath, RawConfig
from autodl.errors import ConfigError, UnknownNameError, did_you_mean


class Section(BaseModel):
    """Base of all sections: immutable, unknown keys and wrong types are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # options that runs may lack which were made before them; at their defaults they change nothing
    ADDED: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def chosen(cls, values: Mapping[str, Any]) -> type[Section]:
        """The model that checks these values: this one, or one that they choose by a name.

        Raises:
            UnknownNameError: the name is in no catalogue.
        """
        return cls

    def to_plain(self) -> dict[str, Any]:
        """Every key with its value, as a config file would give it."""
        return self.model_dump(mode="json")

    def identity(self) -> dict[str, Any]:
        """What must not change when a run is resumed; older runs have it in the same form."""
        return self.reduced(self.to_plain())

    @classmethod
    def reduced(cls, plain: Mapping[str, Any]) -> dict[str, Any]:
        """Plain values without the added options that are at their defaults."""
        fields = cls.model_fields
        return {
            name: value
            for name, value in plain.items()
            if name not in cls.ADDED
            or value != to_jsonable_python(fields[name].get_default(call_default_factory=True))
        }


S = TypeVar("S", bound=Section)


def _absolute(path: str) -> str:
    return str(absolute(Path(path))) if path.endswith(".py") else path


class GlobalOptions(Section):
    """``Global`` section of every configuration."""

    seed: int = Field(0, ge=0, lt=2**31, description="of everything random in a run")
    device: str = Field("auto", pattern=r"^(auto|cpu|gpu(:[0-9]+)?)$")
    plugins: tuple[Annotated[str, AfterValidator(_absolute)], ...] = Field(
        (), description="modules or .py files that add operations, spaces, strategies"
    )

    def identity(self) -> dict[str, Any]:
        """Plugins are known by their content: their files may move."""
        return {**super().identity(), "plugins": plugin_identity(self.plugins)}


class NoOptions(Section):
    """For components that take no options."""


def check_sections(raw: RawConfig, known: Sequence[str]) -> None:
    """Raise ConfigError for a section that is not ``known``, or if there is none at all."""
    if not raw.values:
        raise ConfigError(f"the config is empty; it may have the sections {', '.join(known)}")
    for name in raw.values:
        if name not in known:
            where = raw.origin((name,))
            raise ConfigError(
                f"{where + ': ' if where else ''}unknown section {name}."
                f"{did_you_mean(name, known)} Known: {', '.join(known)}."
            )


def read_section(model: type[S], raw: RawConfig, name: str) -> S:
    """One section, checked; an absent or empty one has its defaults."""
    values = raw.values.get(name)
    values = {} if values is None else values
    try:
        chosen = model.chosen(values) if isinstance(values, Mapping) else model
    except UnknownNameError as error:
        raise ConfigError(_message(raw, (name, "name"), str(error))) from None
    return cast(S, validate(chosen, values, raw, (name,)))


def validate(model: type[S], values: Mapping[str, Any], raw: RawConfig, path: KeyPath) -> S:
    """Check the values of one section against its model.

    Raises:
        ConfigError: an unknown key, a wrong type or a value out of range, with the key's full
            name, what is allowed, and the file and line it stands in.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(
            _message(raw, path, f"{'.'.join(path)} is a section of keys, got {values!r}")
        )
    try:
        # JSON mode is strict about types ("12" is no number, true is no integer) and still
        # reads lists as tuples and texts as paths.
        return model.model_validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as error:
        key, reason = first_mistake(error, model, values, path)
        raise ConfigError(_message(raw, (*path, *key), reason)) from None


def _message(raw: RawConfig, path: KeyPath, reason: str) -> str:
    origin = raw.origin(path)
    return f"{origin}: {reason}" if origin else reason
