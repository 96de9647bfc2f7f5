"""Every component by name: ``name -> (its options model, the dotted path of its factory)``.

Options models import no framework, so a mistake in a config is reported before Paddle is
imported. A plugin adds components with ``register``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from autodl.config.plugins import import_plugins
from autodl.config.reading import KeyPath, RawConfig
from autodl.config.sections import GlobalOptions, Section, read_section, validate
from autodl.errors import ConfigError, PluginError, UnknownNameError, lookup


@dataclass(frozen=True, slots=True)
class Entry:
    """A component: its options model and its factory, themselves or as ``module:name``.

    ``trains`` marks evaluators that read the sections Data, Network and Train, ``searched``
    networks that take an architecture; the others are as people designed them.
    """

    options: str | type[Section]
    factory: str | Callable[..., Any]
    trains: bool = False
    searched: bool = True


TABLES: dict[str, dict[str, Entry]] = {
    "Space": {
        "CellSpace": Entry(
            "autodl.spaces.cell.options:CellSpaceOptions", "autodl.spaces.cell.space:CellSpace"
        ),
        "MobileSpace": Entry(
            "autodl.config.sections:NoOptions", "autodl.spaces.mobile.space:MobileSpace"
        ),
    },
    "Network": {
        "CellNetwork": Entry(
            "autodl.spaces.cell.options:CellNetworkOptions", "autodl.spaces.cell.plan:cell_plan"
        ),
        "CifarQuick": Entry(
            "autodl.config.sections:NoOptions",
            "autodl.spaces.classic.cifar_quick:cifar_quick_plan",
            searched=False,
        ),
        "GenotypeNetwork": Entry(
            "autodl.spaces.genotype.options:GenotypeNetworkOptions",
            "autodl.spaces.genotype.plan:published_genotype_plan",
            searched=False,
        ),
        "MobileNetwork": Entry(
            "autodl.spaces.mobile.options:MobileNetworkOptions",
            "autodl.spaces.mobile.plan:mobile_plan",
        ),
        "OwnGenotype": Entry(
            "autodl.spaces.genotype.options:OwnGenotypeOptions",
            "autodl.spaces.genotype.plan:genotype_plan",
        ),
        "RepVGG": Entry(
            "autodl.spaces.classic.options:RepVGGOptions",
            "autodl.spaces.classic.repvgg:repvgg_plan",
            searched=False,
        ),
        "ResNet9": Entry(
            "autodl.spaces.classic.options:ResNet9Options",
            "autodl.spaces.classic.resnet9:resnet9_plan",
            searched=False,
        ),
        "ResNet": Entry(
            "autodl.spaces.classic.options:ResNetOptions",
            "autodl.spaces.classic.resnet:resnet_plan",
            searched=False,
        ),
        "VGG16": Entry(
            "autodl.config.sections:NoOptions",
            "autodl.spaces.classic.vgg:vgg16_plan",
            searched=False,
        ),
        "WidthNetwork": Entry(
            "autodl.spaces.width.options:WidthNetworkOptions",
            "autodl.spaces.width.plan:width_plan",
        ),
    },
    "Strategy": {
        "AutoDLAgent": Entry(
            "autodl.agents.options:AgentOptions", "autodl.agents.autodl_agent:AutoDLAgent"
        ),
        "ElasticTransfer": Entry(
            "autodl.strategies.options:ElasticTransferOptions",
            "autodl.strategies.elastic_transfer:ElasticTransfer",
        ),
        "Evolution": Entry(
            "autodl.strategies.options:EvolutionOptions", "autodl.strategies.evolution:Evolution"
        ),
        "ExhaustiveSearch": Entry(
            "autodl.config.sections:NoOptions",
            "autodl.strategies.exhaustive_search:ExhaustiveSearch",
        ),
        "RandomSearch": Entry(
            "autodl.config.sections:NoOptions", "autodl.strategies.random_search:RandomSearch"
        ),
    },
    "Fidelity": {
        "AsynchronousSuccessiveHalving": Entry(
            "autodl.search.fidelity.options:HalvingOptions",
            "autodl.search.fidelity.halving:AsynchronousSuccessiveHalving",
        ),
        "MedianRule": Entry(
            "autodl.search.fidelity.options:MedianOptions",
            "autodl.search.fidelity.median:MedianRule",
        ),
    },
    "Evaluator": {
        "TrainEvaluator": Entry(
            "autodl.config.sections:NoOptions",
            "autodl.evaluation.train_evaluator:TrainEvaluator",
            trains=True,
        ),
        "TableEvaluator": Entry(
            "autodl.evaluation.options:TableOptions", "autodl.evaluation.table:TableEvaluator"
        ),
        "TargetMatch": Entry(
            "autodl.evaluation.options:TargetMatchOptions",
            "autodl.evaluation.synthetic:TargetMatch",
        ),
        "TokenCount": Entry(
            "autodl.evaluation.options:TokenCountOptions", "autodl.evaluation.synthetic:TokenCount"
        ),
    },
    "Compression": {
        "BayesianBits": Entry(
            "autodl.compression.bits.options:BayesianBitsOptions",
            "autodl.compression.bits.bayesian_bits:BayesianBits",
        ),
        "BitSearch": Entry(
            "autodl.compression.bits.options:BitSearchOptions",
            "autodl.compression.bits.bit_search:BitSearch",
        ),
        "UniformBits": Entry(
            "autodl.compression.bits.options:UniformBitsOptions",
            "autodl.compression.bits.uniform_bits:UniformBits",
        ),
    },
}
DEFAULTS = {
    "Space": "CellSpace",
    "Network": "CellNetwork",
    "Strategy": "AutoDLAgent",
    "Evaluator": "TrainEvaluator",
    "Fidelity": "AsynchronousSuccessiveHalving",
    "Compression": "BayesianBits",
}


def register(
    section: str,
    name: str,
    options: str | type[Section],
    factory: str | Callable[..., Any],
    *,
    trains: bool = False,
    searched: bool = True,
) -> None:
    """Add a component (for plugins).

    Args:
        section: Space, Network, Strategy, Evaluator, Fidelity or Compression.
        options: a ``Section`` that checks its keys (``NoOptions`` for none), or ``module:Class``.
        factory: a class or function, or ``module:callable``, which is imported only when it is
            used; what it is called with is said at the ``make_`` functions.
        trains, searched: see ``Entry``.

    Raises:
        ValueError: the name is taken.
    """
    table = lookup(TABLES, section, "section")
    if name in table:
        raise ValueError(f"{section} {name!r} exists already; choose another name")
    table[name] = Entry(options, factory, trains, searched)


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

    def identity(self) -> dict[str, Any]:
        """What must not change when a run is resumed."""
        return {"name": self.name, **self.options.identity()}


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
