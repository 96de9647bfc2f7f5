"""The configuration of a search: its sections, checked together, and what it identifies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autodl.config.components import Component, read_component, read_general
from autodl.config.plugins import plugin_identity
from autodl.config.reading import RawConfig, load_config
from autodl.config.sections import GlobalOptions, check_sections, read_section
from autodl.data.options import DataOptions
from autodl.errors import ConfigError, did_you_mean
from autodl.recipes.options import TrainOptions
from autodl.search.options import ObjectivesOptions, SearchOptions
from autodl.system.files import checksum

_SECTIONS = (
    *("Global", "Search", "Strategy", "Space", "Network", "Evaluator", "Data", "Train"),
    *("Objectives", "Fidelity"),
)
PLAN_COSTS = ("parameters", "macs", "latency_ms")  # known before any training
TRAINED = (  # what TrainEvaluator tells besides
    *("held_out_loss", "train_loss", "train_accuracy", "epochs", "stopped_early"),
    *("seconds", "compute_seconds"),
)


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
    objectives: ObjectivesOptions
    fidelity: Component | None

    def to_plain(self) -> dict[str, Any]:
        """Every key with its value, as a config file would give it."""
        plain = {
            "Global": self.general.model_dump(mode="json"),
            "Search": self.search.model_dump(mode="json"),
            "Strategy": self.strategy.to_plain(),
            "Space": self.space.to_plain(),
            "Network": self.network.to_plain(),
            "Evaluator": self.evaluator.to_plain(),
            "Data": self.data.model_dump(mode="json"),
            "Train": self.train.model_dump(mode="json"),
        }
        if self.objectives != ObjectivesOptions():
            plain["Objectives"] = self.objectives.model_dump(mode="json")
        if self.fidelity is not None:
            plain["Fidelity"] = self.fidelity.to_plain()
        return plain

    def identity(self) -> dict[str, Any]:
        """What must not change when a run is resumed: all but budget, workers, device and limits.

        Limits decide what is asked for from then on; what was asked for before stays.
        """
        plain = self.to_plain()
        del plain["Search"], plain["Global"]["device"]
        plain["Data"].pop("path")  # the data may move; their checksum is compared instead
        plain["Global"]["plugins"] = plugin_identity(self.general.plugins)
        plain["Network"], plain["Train"] = self.network.identity(), self.train.identity()
        if (table := self.objectives.latency_table) is not None:
            plain["Objectives"]["latency_table"] = checksum(table)
        if self.objectives.model_copy(update={"limits": {}}) == ObjectivesOptions():
            plain.pop("Objectives", None)
        else:
            del plain["Objectives"]["limits"]
        return plain

    def work_identity(self) -> dict[str, Any]:
        """What the result of an architecture depends on, its pictures and luck aside."""
        plain = self.identity()
        for name in ("Strategy", "Space", "Fidelity"):
            plain.pop(name, None)
        del plain["Global"]["seed"]
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
    check_sections(raw, _SECTIONS)
    general = read_general(raw)
    staged = raw.values.get("Fidelity") is not None
    config = SearchConfig(
        general=general,
        search=read_section(SearchOptions, raw, "Search"),
        space=read_component(raw, "Space"),
        network=read_component(raw, "Network"),
        strategy=read_component(raw, "Strategy"),
        evaluator=read_component(raw, "Evaluator"),
        data=read_section(DataOptions, raw, "Data"),
        train=read_section(TrainOptions, raw, "Train"),
        objectives=read_section(ObjectivesOptions, raw, "Objectives"),
        fidelity=read_component(raw, "Fidelity") if staged else None,
    )
    check_objectives(config)
    if not config.network.entry.searched:
        raise ConfigError(
            f"Network.name {config.network.name} has nothing to search for; train it by"
            " tools/train.py, or name a network that a Space has architectures for"
        )
    if config.search.cache and not config.search.reuse:
        raise ConfigError(
            "Search.cache is of no use with Search.reuse=false; leave out one of them"
        )
    if config.search.cache and config.train.inherit:
        raise ConfigError(
            "Search.cache takes over results without weights, which children inherit with"
            " Train.inherit=true; leave out one of them"
        )
    return config


def check_objectives(config: SearchConfig) -> None:
    """Refuse objectives that nothing will tell, as far as it is known here.

    What other evaluators than ``TrainEvaluator`` tell is theirs to say.

    Raises:
        ConfigError: one of them.
    """
    options = config.objectives
    if "latency_ms" in options.names and options.latency_table is None:
        raise ConfigError(
            "Objectives names latency_ms but no latency_table; make one by tools/latency.py"
        )
    known = (*PLAN_COSTS, *TRAINED)
    for name in options.names if config.evaluator.name == "TrainEvaluator" else ():
        if name not in known:
            raise ConfigError(
                f"Objectives names {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}"
            )
    for name in options.limits:
        if name not in PLAN_COSTS:
            raise ConfigError(
                f"Objectives.limits names {name!r}, which is not known before training; known"
                f" are {', '.join(PLAN_COSTS)}. Search.trial_seconds limits a trial's time"
            )
