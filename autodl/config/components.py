"""Components: parts that a section chooses by name, with their checked options.

The catalogue of each room says what there is: ``name -> (its options model, the dotted path of its
factory)``. Options models import no framework, so a mistake in a config is reported before Paddle
is imported. A plugin adds components with ``register``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from inspect import Parameter, signature
from typing import Any

from autodl.config.kinds import KINDS, PARTS
from autodl.config.plugins import import_plugins, note_provided
from autodl.config.reading import KeyPath, RawConfig
from autodl.config.sections import GlobalOptions, NoOptions, Section, read_section, validate
from autodl.errors import ConfigError, PluginError, UnknownNameError, lookup
from autodl.system.packages import told_if_missing


@dataclass(frozen=True, slots=True)
class Entry:
    """A component: its options model and its factory, themselves or as ``module:name``.

    ``trains`` marks evaluators that read the sections Data, Network and Train, ``searched``
    networks that take an architecture; the others are as people designed them. ``quality`` is what
    an evaluator's rewards are called; without it they are the metric of the task where it trains,
    and rewards like no other where it does not. ``plugin`` is whether ``register`` added it.
    """

    options: str | type[Section]
    factory: str | Callable[..., Any]
    trains: bool = False
    searched: bool = True
    quality: str = ""
    plugin: bool = False

    def load_options(self) -> type[Section]:
        """Import the options model.

        Raises:
            PluginError: a plugin registered something else.
        """
        model: type[Section] = self._import(self.options)
        if not _is_section(model):
            raise PluginError(
                f"a plugin registered the options {self.options!r}, which are no Section"
            )
        return model

    def load_factory(self) -> Callable[..., Any]:
        """Import the factory.

        Raises:
            MissingPackageError: it needs Paddle, which is not installed.
            PluginError: a plugin registered a path that leads nowhere.
        """
        factory: Callable[..., Any] = self._import(self.factory)
        return factory

    def _import(self, dotted: Any) -> Any:
        if not isinstance(dotted, str):
            return dotted
        module, _, name = dotted.partition(":")
        try:
            with told_if_missing():
                return getattr(import_module(module), name)
        except (ModuleNotFoundError, AttributeError) as error:
            if not self.plugin:
                raise  # a fault of ours
            raise PluginError(
                f"a plugin registered {dotted!r}, which cannot be imported ({error}); register the"
                " class or function itself"
            ) from error


def _is_section(options: object) -> bool:
    return isinstance(options, type) and issubclass(options, Section)


def table(section: str) -> dict[str, Entry]:
    """The components that a section, a part of a recipe or a task may name; plugins add to it.

    Raises:
        UnknownNameError: nothing of that name chooses a component.
    """
    module, _, name = lookup({**KINDS, **PARTS}, section, "section").catalogue.partition(":")
    found: dict[str, Entry] = getattr(import_module(module), name)
    return found


def register(
    section: str,
    name: str,
    options: str | type[Section] | None,
    factory: str | Callable[..., Any],
    *,
    trains: bool = False,
    searched: bool = True,
    quality: str = "",
) -> None:
    """Add a component (for plugins).

    Args:
        section: Data, Space, Network, Strategy, Evaluator, Fidelity or Compression, or a part of a
            recipe: Schedule, Optimiser, Form, Term, Hook or Path; or a whole one, Recipe; or the
            Goal of a task.
        options: a ``Section`` that checks its keys, or ``module:Class``; None takes no options.
        factory: a class or function, or ``module:callable``, which is imported only when it is
            used; what it is called with is said in ``autodl/jobs/search/parts.py``, at
            ``make_space`` and its neighbours, and how it is given its options at
            ``Component.arguments``.
        trains, searched, quality: see ``Entry``.

    Raises:
        ValueError: the name is taken.
        TypeError: the options are no ``Section``, or the factory cannot be called.
    """
    options = NoOptions if options is None else options
    if not isinstance(options, str) and not _is_section(options):
        raise TypeError(f"options of {section} {name!r} are a subclass of Section, got {options!r}")
    if not isinstance(factory, str) and not callable(factory):
        raise TypeError(
            f"the factory of {section} {name!r} is a class or a function, got {factory!r}"
        )
    known = table(section)
    if name in known:
        raise ValueError(f"{section} {name!r} exists already; choose another name")
    known[name] = Entry(options, factory, trains, searched, quality, plugin=True)
    note_provided(section, name)


@dataclass(frozen=True, slots=True)
class Component:
    """A part chosen by name, and its checked options."""

    section: str
    name: str
    options: Section

    @property
    def entry(self) -> Entry:
        """Where its factory is."""
        return table(self.section)[self.name]

    def factory(self) -> Callable[..., Any]:
        """Import the factory; see ``Entry.load_factory``."""
        return self.entry.load_factory()

    def arguments(self) -> dict[str, Any]:
        """What the factory is called with of the options.

        Each is a keyword; but a factory that has no parameter for any of them, and one that is
        called ``options``, is given them as one value there, the checked section.
        """
        keys, taken = type(self.options).model_fields, _parameters(self.factory())
        by_name = any(key in taken for key in keys) or any(
            parameter.kind is Parameter.VAR_KEYWORD for parameter in taken.values()
        )
        if keys and not by_name and "options" in taken:
            return {"options": self.options}
        return {key: getattr(self.options, key) for key in keys}

    def takes(self, name: str) -> bool:
        """Whether its factory has a parameter of this name, which none of its options has."""
        return name in _parameters(self.factory()) and name not in type(self.options).model_fields

    def to_plain(self) -> dict[str, Any]:
        """As it would stand in a config file."""
        return {"name": self.name, **self.options.to_plain()}

    def identity(self) -> dict[str, Any]:
        """What must not change when a run is resumed."""
        return {"name": self.name, **self.options.identity()}

    def reduced(self, plain: Mapping[str, Any]) -> dict[str, Any]:
        """Plain values without the added options that are at their defaults."""
        return self.options.reduced(plain)


def _parameters(factory: Callable[..., Any]) -> Mapping[str, Parameter]:
    """Names of a factory's parameters; none are known of one that is written in C."""
    try:
        return signature(factory).parameters
    except ValueError:
        return {}


def read_general(raw: RawConfig) -> GlobalOptions:
    """The ``Global`` section; its plugins are imported, so that names they add are known."""
    general = read_section(GlobalOptions, raw, "Global")
    import_plugins(general.plugins)
    return general


def read_component(raw: RawConfig, section: str) -> Component:
    """A ``{name: X, option: value, ...}`` section as a checked component."""
    values = raw.values.get(section)
    values = {} if values is None else values
    path: KeyPath = (section,)
    if not isinstance(values, Mapping):
        where = raw.origin(path)
        raise ConfigError(
            f"{where + ': ' if where else ''}{section} is a section of keys, got {values!r}"
        )
    values = dict(values)
    name = values.pop("name", KINDS[section].default)
    try:
        entry = lookup(table(section), str(name), f"{section}.name")
    except UnknownNameError as error:
        where = raw.origin((section, "name"))
        raise ConfigError(f"{where + ': ' if where else ''}{error}") from None
    return Component(section, str(name), validate(entry.load_options(), values, raw, path))


def make_part(kind: str, values: Mapping[str, Any]) -> Component:
    """A part of a recipe from ``{name: X, option: value, ...}``, checked.

    Raises:
        ConfigError: an unknown key, a wrong type or a value out of range.
        UnknownNameError: no part of that kind has this name.
    """
    options = dict(values)
    name = str(options.pop("name", PARTS[kind].default))
    entry = lookup(table(kind), name, kind.lower())
    return Component(kind, name, validate(entry.load_options(), options, RawConfig({}), (name,)))
