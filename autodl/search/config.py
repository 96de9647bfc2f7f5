"""The configuration of a search: its sections, checked together, and what it identifies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from autodl.config.components import Component
from autodl.config.job import Part, Sections
from autodl.config.plugins import provided
from autodl.config.reading import RawConfig
from autodl.config.sections import GlobalOptions
from autodl.data.options import ExampleOptions
from autodl.errors import ConfigError, did_you_mean
from autodl.recipes.options import TrainOptions
from autodl.search.likeness import work_part
from autodl.search.options import ObjectivesOptions, SearchOptions
from autodl.tasks.load import declared_metric

PLAN_COSTS = ("parameters", "macs", "latency_ms", "training_ms")  # known before any training
_MEASURED = {"latency_ms": "", "training_ms": " measure --training"}
TRAINED = (  # what TrainEvaluator tells besides, whatever is learned
    *("held_out_loss", "train_loss", "epochs", "stopped_early"),
    *("seconds", "compute_seconds"),
)


def told_by_training(data: str) -> tuple[str, ...]:
    """What ``TrainEvaluator`` tells besides the plan's costs, by the name of the examples.

    The metric of the training part; where it is an error, which is not the reward itself, that of
    the part held out, too.
    """
    metric = declared_metric(data)
    if metric.higher_is_better:
        return *TRAINED, f"train_{metric.name}"
    return *TRAINED, f"train_{metric.name}", f"held_out_{metric.name}"


@dataclass(frozen=True, slots=True)
class SearchConfig(Sections):
    """A checked configuration of a search.

    Limits decide what is asked for from the next start on; what was asked for before stays. Data
    may move: their checksum is compared instead.
    """

    general: Annotated[GlobalOptions, Part("Global", free=("device",))]
    search: Annotated[SearchOptions, Part("Search", identifies=False)]
    strategy: Annotated[Component, Part("Strategy")]
    space: Annotated[Component, Part("Space")]
    network: Annotated[Component, Part("Network")]
    evaluator: Annotated[Component, Part("Evaluator")]
    data: Annotated[ExampleOptions, Part("Data", free=("path", "test_path"))]
    train: Annotated[TrainOptions, Part("Train")]
    objectives: Annotated[ObjectivesOptions, Part("Objectives", free=("limits",), optional=True)]
    fidelity: Annotated[Component | None, Part("Fidelity", optional=True)]

    def work_identity(self) -> dict[str, Any]:
        """What the result of an architecture depends on, its pictures and luck aside."""
        identity = self.identity()
        return work_part(identity, provided(identity["Global"]["plugins"]))

    def check(self, raw: RawConfig) -> None:
        """Refuse sections that do not fit each other.

        Raises:
            ConfigError: one of them.
        """
        check_objectives(self)
        sizes = getattr(self.space.options, "first_sizes", ())
        grown = "Space.first_sizes" if any(sizes) else "Train.first_size"
        if self.train.max_seconds is not None and (any(sizes) or self.train.first_size is not None):
            raise ConfigError(
                f"Train.max_seconds={self.train.max_seconds:g} may end a trial before its pictures"
                f" have their full size; leave it out, or {grown}"
            )
        if not self.network.entry.searched:
            raise ConfigError(
                f"Network.name {self.network.name} has nothing to search for; train it by"
                " autodl train, or name a network that a Space has architectures for"
            )
        if self.search.cache and not self.search.reuse:
            raise ConfigError(
                "Search.cache is of no use with Search.reuse=false; leave out one of them"
            )
        if self.search.cache and self.train.inherit:
            raise ConfigError(
                "Search.cache takes over results without weights, which children inherit with"
                " Train.inherit=true; leave out one of them"
            )


load_search, resolve_search = SearchConfig.load, SearchConfig.resolve


def check_objectives(config: SearchConfig) -> None:
    """Refuse objectives that nothing will tell, as far as it is known here.

    What other evaluators than ``TrainEvaluator`` tell is theirs to say.

    Raises:
        ConfigError: one of them.
    """
    options = config.objectives
    for name, how in _MEASURED.items():
        if name in options.names and name not in options.tables:
            table = name.replace("_ms", "_table")
            raise ConfigError(
                f"Objectives names {name} but no {table}; make one by autodl latency{how}"
            )
    known = (*PLAN_COSTS, *told_by_training(config.data.name))
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
