"""The only file that knows every name: from a config to the parts of a search.

Each component is ``name -> (its options model, the dotted path of its factory)``. Options
models import no framework, so a mistake in a config is reported before Paddle is imported.
A plugin adds components with ``register``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from autodl.config import (
    GlobalOptions,
    KeyPath,
    RawConfig,
    Section,
    load_config,
    validate,
)
from autodl.data.load import SearchData, load_split
from autodl.data.options import DataOptions
from autodl.errors import ConfigError, PluginError, UnknownNameError, did_you_mean, lookup
from autodl.options.training import TrainOptions
from autodl.plugins import import_plugins, plugin_identity
from autodl.search.evaluate import Evaluator
from autodl.search.executors import Executor, InlineExecutor, ProcessExecutor, default_workers
from autodl.search.options import SearchOptions
from autodl.spaces.codec import Architecture
from autodl.spaces.plan import Plan
from autodl.strategies.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Entry:
    """A component: its options model and its factory, themselves or as ``module:name``.

    ``trains`` marks evaluators that read the sections Data, Network and Train.
    """

    options: str | type[Section]
    factory: str | Callable[..., Any]
    trains: bool = False


TABLES: dict[str, dict[str, Entry]] = {
    "Space": {
        "CellSpace": Entry(
            "autodl.spaces.options:CellSpaceOptions", "autodl.spaces.cell_space:CellSpace"
        ),
    },
    "Network": {
        "CellNetwork": Entry(
            "autodl.spaces.options:CellNetworkOptions", "autodl.spaces.cell_plan:cell_plan"
        ),
    },
    "Strategy": {
        "AutoDLAgent": Entry(
            "autodl.options.agent:AgentOptions", "autodl.agents.autodl_agent:AutoDLAgent"
        ),
        "ExhaustiveSearch": Entry(
            "autodl.search.options:NoOptions",
            "autodl.strategies.exhaustive_search:ExhaustiveSearch",
        ),
        "RandomSearch": Entry(
            "autodl.search.options:NoOptions", "autodl.strategies.random_search:RandomSearch"
        ),
    },
    "Evaluator": {
        "TrainEvaluator": Entry(
            "autodl.search.options:NoOptions",
            "autodl.evaluation.train_evaluator:TrainEvaluator",
            trains=True,
        ),
        "TableEvaluator": Entry(
            "autodl.search.options:TableOptions", "autodl.search.table:TableEvaluator"
        ),
        "TokenCount": Entry(
            "autodl.search.options:TokenCountOptions", "autodl.search.synthetic:TokenCount"
        ),
    },
}
DEFAULTS = {
    "Space": "CellSpace",
    "Network": "CellNetwork",
    "Strategy": "AutoDLAgent",
    "Evaluator": "TrainEvaluator",
}


def register(
    section: str,
    name: str,
    options: str | type[Section],
    factory: str | Callable[..., Any],
    *,
    trains: bool = False,
) -> None:
    """Add a component (for plugins).

    Args:
        section: Space, Network, Strategy or Evaluator.
        options: a ``Section`` that checks its keys (``NoOptions`` for none), or ``module:Class``.
        factory: a class or function, or ``module:callable``, which is imported only when it is
            used; what it is called with is said at the ``make_`` functions.

    Raises:
        ValueError: the name is taken.
    """
    table = lookup(TABLES, section, "section")
    if name in table:
        raise ValueError(f"{section} {name!r} exists already; choose another name")
    table[name] = Entry(options, factory, trains)


@dataclass(frozen=True, slots=True)
class Component:
    """A part chosen by name, and its checked options."""

    section: str
    name: str
    options: Section

    @property
    def entry(self) -> Entry:
        """Where its factory is."""
        return TABLES[self.section][self.name]

    def factory(self) -> Callable[..., Any]:
        """Import the factory."""
        factory: Callable[..., Any] = _import(self.entry.factory)
        return factory

    def arguments(self) -> dict[str, Any]:
        """Options as keyword arguments."""
        return {key: getattr(self.options, key) for key in type(self.options).model_fields}

    def to_plain(self) -> dict[str, Any]:
        """As it would stand in a config file."""
        return {"name": self.name, **self.options.model_dump(mode="json")}


def _import(dotted: str | Any) -> Any:
    if not isinstance(dotted, str):
        return dotted
    module, _, name = dotted.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ModuleNotFoundError, AttributeError) as error:
        if module.startswith("autodl."):
            raise  # a fault of ours, or a missing package that says so itself
        raise PluginError(
            f"a plugin registered {dotted!r}, which cannot be imported ({error}); register the"
            " class or function itself"
        ) from error


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """A checked configuration of a search."""

    general: GlobalOptions
    search: SearchOptions
    space: Component
    network: Component
    strategy: Component
    evaluator: Component
    data: DataOptions
    train: TrainOptions

    def to_plain(self) -> dict[str, Any]:
        """Every key with its value, as a config file would give it."""
        return {
            "Global": self.general.model_dump(mode="json"),
            "Search": self.search.model_dump(mode="json"),
            "Strategy": self.strategy.to_plain(),
            "Space": self.space.to_plain(),
            "Network": self.network.to_plain(),
            "Evaluator": self.evaluator.to_plain(),
            "Data": self.data.model_dump(mode="json"),
            "Train": self.train.model_dump(mode="json"),
        }

    def identity(self) -> dict[str, Any]:
        """What must not change when a run is resumed: all but budget, workers and device."""
        plain = self.to_plain()
        del plain["Search"], plain["Global"]["device"]
        plain["Data"].pop("path")  # the data may move; their checksum is compared instead
        plain["Global"]["plugins"] = plugin_identity(self.general.plugins)
        return plain


def load_search(path: Path | str, overrides: Sequence[str] = ()) -> SearchConfig:
    """Read the configuration of a search, and import its plugins.

    Args:
        path: a YAML file, or the name of a shipped one such as ``search/demo.yaml``.
        overrides: ``Section.key=value`` each.

    Raises:
        ConfigError: the file or an override is unusable.
        PluginError: a plugin cannot be imported.
    """
    return resolve_search(load_config(Path(path), overrides))


def resolve_search(raw: RawConfig) -> SearchConfig:
    """Check the values of a search's configuration, section by section."""
    sections = ("Global", "Search", "Strategy", "Space", "Network", "Evaluator", "Data", "Train")
    check_sections(raw, sections)
    general = read_general(raw)
    return SearchConfig(
        general=general,
        search=read_section(SearchOptions, raw, "Search"),
        space=read_component(raw, "Space"),
        network=read_component(raw, "Network"),
        strategy=read_component(raw, "Strategy"),
        evaluator=read_component(raw, "Evaluator"),
        data=read_section(DataOptions, raw, "Data"),
        train=read_section(TrainOptions, raw, "Train"),
    )


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


def read_section(model: type[Any], raw: RawConfig, name: str) -> Any:
    """One section, checked; an absent or empty one has its defaults."""
    values = raw.values.get(name)
    return validate(model, {} if values is None else values, raw, (name,))


def read_general(raw: RawConfig) -> GlobalOptions:
    """The ``Global`` section; its plugins are imported, so that names they add are known."""
    general: GlobalOptions = read_section(GlobalOptions, raw, "Global")
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
    name = values.pop("name", DEFAULTS[section])
    try:
        entry = lookup(TABLES[section], str(name), f"{section}.name")
    except UnknownNameError as error:
        where = raw.origin((section, "name"))
        raise ConfigError(f"{where + ': ' if where else ''}{error}") from None
    return Component(section, str(name), validate(_import(entry.options), values, raw, path))


def make_space(config: SearchConfig) -> Any:
    """The space: its factory is called with its options as keywords."""
    return config.space.factory()(**config.space.arguments())


def make_strategy(config: SearchConfig, space: Any) -> Strategy:
    """The strategy: its factory is called with the space, ``seed`` and its options as keywords."""
    factory, seed = config.strategy.factory(), config.general.seed
    strategy: Strategy = factory(space, seed=seed, **config.strategy.arguments())
    return strategy


def plan_maker(
    network: Component, *, classes: int, image_size: int
) -> Callable[[Architecture], Plan]:
    """Architecture -> plan.

    The network's factory is called with the architecture, and with its options, ``classes`` and
    ``image_size`` as keywords.
    """
    factory, arguments = network.factory(), network.arguments()

    def make_plan(architecture: Architecture) -> Plan:
        plan: Plan = factory(architecture, classes=classes, image_size=image_size, **arguments)
        return plan

    return make_plan


def load_data(config: SearchConfig) -> SearchData | None:
    """The pictures of the run, or None where its evaluator needs none."""
    return load_split(config.data) if config.evaluator.entry.trains else None


def check_device(config: SearchConfig) -> str:
    """The full name of the device that trials will run on, once it is known to be there.

    Paddle is imported only where it is needed to tell.

    Raises:
        MissingPackageError: trials need Paddle and it is not installed.
        DeviceError: no such device here.
    """
    if not config.evaluator.entry.trains and config.general.device in ("auto", "cpu"):
        return "cpu"
    from autodl.training.device import resolve_device

    return resolve_device(config.general.device)


def check_plan(config: SearchConfig, space: Any, data: SearchData | None) -> None:
    """Build the plan of one architecture, so that options that fit none are refused at the start.

    Raises:
        ConfigError: the network's options do not fit each other, the space or the pictures.
    """
    if data is None or not hasattr(space, "sample"):
        return
    make_plan = plan_maker(
        config.network, classes=len(data.classes), image_size=data.train.images.shape[1]
    )
    try:
        make_plan(space.sample(np.random.default_rng(config.general.seed)))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"Network and Space do not fit each other: {error}") from error


def make_evaluator(config: SearchConfig, data: SearchData | None = None) -> Evaluator:
    """The evaluator.

    The factory of one that trains is called with the data, the plan maker and the train options;
    that of any other with its own options as keywords.
    """
    factory = config.evaluator.factory()
    if not config.evaluator.entry.trains:
        evaluator: Evaluator = factory(**config.evaluator.arguments())
        return evaluator
    from autodl.training.device import select_device

    select_device(config.general.device)
    data = data or load_split(config.data)
    make_plan = plan_maker(
        config.network, classes=len(data.classes), image_size=data.train.images.shape[1]
    )
    evaluator = factory(data, make_plan, config.train, **config.evaluator.arguments())
    return evaluator


def evaluator_in_worker(plain: dict[str, Any]) -> Evaluator:
    """The evaluator of a worker process, from ``SearchConfig.to_plain()``."""
    return make_evaluator(resolve_search(RawConfig(plain)))


def make_executor(
    config: SearchConfig, log_folder: Path, data: SearchData | None = None, device: str = "cpu"
) -> Executor:
    """Worker processes, or this process where ``Search.workers`` is 0.

    By default there is one worker per core, or a single one where trials share a GPU.
    """
    seed, workers = config.general.seed, config.search.workers
    if workers is None:
        workers = 1 if device.startswith("gpu") else default_workers()
    limits = (config.search.trial_seconds, config.search.trial_memory_mb)
    if workers == 0 and limits != (None, None):
        raise ConfigError(
            "Search.trial_seconds and trial_memory_mb need processes that can be stopped:"
            " set Search.workers to at least 1"
        )
    if workers == 0:
        return InlineExecutor(make_evaluator(config, data), seed)
    return ProcessExecutor(
        "autodl.assemble:evaluator_in_worker",
        config.to_plain(),
        seed,
        workers=workers,
        trial_seconds=config.search.trial_seconds,
        trial_memory_mb=config.search.trial_memory_mb,
        log_folder=log_folder,
    )
