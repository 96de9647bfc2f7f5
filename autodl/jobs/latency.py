"""From a search's config to a latency table, and how well the table predicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from autodl.data.load import load
from autodl.data.options import DataOptions
from autodl.data.sample import NAME as SAMPLE
from autodl.errors import ConfigError
from autodl.jobs.search.parts import SearchConfig, load_search, make_space
from autodl.objectives.latency.machine import this_machine
from autodl.objectives.latency.records import (
    MakePlan,
    distinct_networks,
    find_records,
    records_of,
    signature,
)
from autodl.objectives.latency.table import LatencyTable, Mode, Network, Timing
from autodl.plans.plan import Plan
from autodl.plans.signature import picture_signature
from autodl.runs.folder import BEST, CONFIG
from autodl.spaces.codec import Architecture, decode_architecture, load_architecture
from autodl.spaces.plan_maker import plan_maker
from autodl.spaces.space import Sampled
from autodl.tasks.load import load_task

Progress = Callable[[str], None]
Call: TypeAlias = Callable[[], object]
# classes and side of their pictures: known without reading them
_PICTURES = {"cifar10": (10, 32), "cifar100": (100, 32), SAMPLE: (10, 32)}


def make_plans(config: SearchConfig) -> MakePlan:
    """Architecture -> plan, for the examples of a config, which are read only if they have to be.

    What it makes raises ConfigError where the network's options do not fit the architecture.
    """
    if isinstance(config.data, DataOptions):
        signature = picture_signature(*_pictures(config.data))
    else:
        signature = load_task(config.data).signature
    make_plan = plan_maker(config.network, signature)

    def make(architecture: Architecture) -> Plan:
        try:
            return make_plan(architecture)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"Network does not fit the architecture: {error}") from error

    return make


def _pictures(options: DataOptions) -> tuple[int, int]:
    """Number of classes and side of the pictures."""
    if options.name in _PICTURES:
        classes, image_size = _PICTURES[options.name]
    else:
        data = load(options)
        classes, image_size = len(data.classes), data.train.images.shape[1]
    if options.classes is not None:
        classes = options.classes if isinstance(options.classes, int) else len(options.classes)
    return classes, options.image_size or image_size


def sampled_space(config: SearchConfig) -> Sampled[Architecture]:
    """The config's space, or a ConfigError where it cannot draw architectures."""
    space: object = make_space(config)
    if not isinstance(space, Sampled):
        raise ConfigError(
            f"Space {config.space.name} cannot draw random architectures (it has no 'sample'), so"
            " its layers cannot be found"
        )
    return space


def check_range(**numbers: tuple[int, int]) -> None:
    """Raise ConfigError for an option that is below the least; each is ``(number, least)``."""
    for name, (number, least) in numbers.items():
        if number < least:
            option = name.replace("_", "-")
            raise ConfigError(f"--{option} must be at least {least}, got {number}")


def measure_table(
    config: str,
    overrides: Sequence[str] = (),
    *,
    mode: Mode = "inference",
    batch_size: int | None = None,
    repetitions: int = 30,
    networks: int = 10,
    seed: int = 0,
    progress: Progress = lambda line: None,
) -> LatencyTable:
    """Measure every layer that the config's space can produce, and some whole networks.

    Args:
        config: of a search, a file or the name of a shipped one.
        mode: whether calls are timed, or training steps.
        batch_size: None is 1, and for training that of the config's ``Train``.
        networks: random networks that the factor is taken from; all, where there are fewer.

    Raises:
        AutoDLError: the config is unusable, or a number is out of range.
    """
    from autodl.networks.onednn import training_kernels
    from autodl.networks.precision import mixed_precision
    from autodl.networks.timing import Inputs, time_calls
    from autodl.training.device import select_device

    began = time.perf_counter()
    checked = load_search(config, overrides)
    if batch_size is None:
        batch_size = checked.train.batch_size if mode == "training" else 1
    least = 2 if mode == "training" else 1  # a batch-norm learns nothing of one picture
    check_range(batch_size=(batch_size, least), repetitions=(repetitions, 2), seed=(seed, 0))
    device = select_device(checked.general.device)
    space, make_plan = sampled_space(checked), make_plans(checked)
    whole = distinct_networks(space, make_plan, networks, np.random.default_rng((seed, 1)))
    records = find_records(space, make_plan, seed=seed)
    for _, plan in whole:
        records |= records_of(plan)
    records = dict(sorted(records.items()))
    progress(f"{len(records)} layers and {len(whole)} networks, {repetitions} rounds on {device}")
    inputs, (of_layer, of_network) = Inputs(batch_size), _timed(mode)
    calls = [of_layer(layer, shapes, inputs) for layer, shapes in records.values()]
    calls += [of_network(plan, inputs) for _, plan in whole]
    with mixed_precision(checked.train.amp and mode == "training"):
        times, disturbed = time_calls(
            calls, repetitions, seed=seed, progress=_rounds(repetitions, progress)
        )
    timings = [_timing(row) for row in times]
    layers = dict(zip(records, timings, strict=False))
    return LatencyTable(
        mode=mode,
        kernels=training_kernels(checked.train.amp) if mode == "training" else None,
        machine=this_machine("cpu" if device == "cpu" else "gpu"),
        batch_size=batch_size,
        repetitions=repetitions,
        config=" ".join([config, *overrides]),
        measured=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        seconds=round(time.perf_counter() - began, 1),
        disturbed=round(disturbed, 4),
        networks=tuple(
            Network(
                architecture=architecture.to_json(),
                sum_ms=short(sum(layers[key].ms for key in signature(plan))),
                timing=timing,
            )
            for (architecture, plan), timing in zip(whole, timings[len(records) :], strict=True)
        ),
        records=layers,
    )


def _timed(mode: Mode) -> tuple[Callable[..., Call], Callable[..., Call]]:
    """What makes the calls that are timed, of a layer and of a network."""
    from autodl.networks import timing

    if mode == "training":
        return timing.layer_step, timing.network_step
    return timing.layer_call, timing.network_call


def _timing(milliseconds: NDArray[np.float64]) -> Timing:
    low, middle, high = np.percentile(milliseconds, [25, 50, 75])
    return Timing(ms=short(middle), low=short(low), high=short(high))


def short(value: float) -> float:
    """The number in five digits, as tables have them."""
    return float(f"{value:.5g}")


def _rounds(repetitions: int, progress: Progress) -> Callable[[int], None]:
    """Says every five seconds how far it is."""
    began = spoke = time.perf_counter()

    def after_round(done: int) -> None:
        nonlocal spoke
        now = time.perf_counter()
        if now - spoke >= 5.0:
            left = (now - began) / done * (repetitions - done)
            progress(f"round {done} of {repetitions}, {left:.0f} s to go")
            spoke = now

    return after_round


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """Predicted and measured milliseconds of some networks, float64 ``[networks]`` each.

    ``typical`` is the median of the networks that the table was measured with: what one would
    predict without looking at a network.
    """

    predicted: NDArray[np.float64]
    measured: NDArray[np.float64]
    typical: float
    disturbed: float

    @property
    def errors(self) -> NDArray[np.float64]:
        """Relative errors, 0 for a perfect prediction."""
        return np.abs(self.predicted / self.measured - 1)

    def summary(self) -> dict[str, float]:
        """The errors in numbers; ``rank_correlation`` is Spearman's."""
        from scipy.stats import spearmanr

        errors = self.errors
        return {
            "networks": len(errors),
            "fastest_ms": float(self.measured.min()),
            "slowest_ms": float(self.measured.max()),
            "median_error": float(np.median(errors)),
            "mean_error": float(errors.mean()),
            "error_of_90_percent": float(np.percentile(errors, 90)),
            "worst_error": float(errors.max()),
            "bias": float(np.median(self.predicted / self.measured) - 1),
            "rank_correlation": float(spearmanr(self.predicted, self.measured).statistic),
            "median_error_of_a_constant": float(np.median(abs(self.typical / self.measured - 1))),
            "disturbed": self.disturbed,
        }


def other_networks(
    config: SearchConfig, count: int, seed: int, measured: Sequence[Architecture] = ()
) -> list[tuple[Architecture, Plan]]:
    """Random networks of a config's space with their plans, to hold a table against.

    Args:
        config: of a search.
        count: how many, all of different layers.
        seed: of the draw, which is another one than that of the networks of a table.
        measured: those of the table; none has the layers of one of them.

    Raises:
        ConfigError: the space has fewer.
    """
    space, make_plan = sampled_space(config), make_plans(config)
    known = {signature(make_plan(architecture)) for architecture in measured}
    drawn = distinct_networks(space, make_plan, count, np.random.default_rng((seed, 2)), known)
    if len(drawn) < count:
        raise ConfigError(
            f"the space has only {len(drawn)} networks of different layers"
            f"{' besides those in the table' if measured else ''}, {count} were asked for;"
            f" {'ask for fewer by --networks' if len(drawn) > 1 else 'choose a larger Space'}"
        )
    return drawn


def check_table(
    table: LatencyTable,
    config: str,
    overrides: Sequence[str] = (),
    *,
    networks: int = 30,
    seed: int = 0,
    progress: Progress = lambda line: None,
) -> Check:
    """Measure random networks, none of which the table was measured with, and predict them.

    Raises:
        DataError: the table is of another machine, or of other kernels than the config trains by.
        AutoDLError: the table is of another config, the config is unusable, a number is out of
            range, or the space has fewer networks.
    """
    from autodl.networks.onednn import training_kernels
    from autodl.networks.precision import mixed_precision
    from autodl.networks.timing import Inputs, time_calls
    from autodl.training.device import select_device

    check_range(networks=(networks, 2), seed=(seed, 0))
    table.check_machine()
    checked = load_search(config, overrides)
    measured = [decode_architecture(dict(network.architecture)) for network in table.networks]
    drawn = other_networks(checked, networks, seed, measured)
    predicted = [table.predict(plan) for _, plan in drawn]
    select_device("cpu" if table.machine.kind == "cpu" else "gpu")
    if table.kernels is not None:
        table.check_kernels(training_kernels(checked.train.amp))
    inputs, (_, of_network) = Inputs(table.batch_size), _timed(table.mode)
    with mixed_precision(checked.train.amp and table.mode == "training"):
        times, disturbed = time_calls(
            [of_network(plan, inputs) for _, plan in drawn],
            table.repetitions,
            seed=seed,
            progress=_rounds(table.repetitions, progress),
        )
    return Check(
        predicted=np.array(predicted),
        measured=np.median(times, axis=1),
        typical=float(np.median([network.timing.ms for network in table.networks])),
        disturbed=disturbed,
    )


def table_lines(table: LatencyTable) -> list[str]:
    """A table in words."""
    steps = "training steps of " if table.mode == "training" else ""
    return [
        f"{steps}{len(table.records)} layers, batch {table.batch_size}, {table.repetitions} timings"
        f" of each, {table.seconds:.0f} s, on {table.machine}",
        f"a network takes {table.factor:.3f} times the sum of its layers"
        f" (median of {len(table.networks)} random networks)",
        *_disturbance(table.disturbed),
    ]


def check_lines(check: Check) -> list[str]:
    """A check in words."""
    n = check.summary()
    return [
        f"{n['networks']:.0f} random networks, measured {n['fastest_ms']:.4g} to"
        f" {n['slowest_ms']:.4g} ms",
        f"relative error: median {n['median_error']:.1%}, mean {n['mean_error']:.1%},"
        f" 90 % of networks below {n['error_of_90_percent']:.1%}, worst {n['worst_error']:.1%}",
        f"typical prediction {n['bias']:+.1%}, rank correlation {n['rank_correlation']:.3f}",
        f"median error of always predicting {check.typical:.4g} ms:"
        f" {n['median_error_of_a_constant']:.1%}",
        *_disturbance(check.disturbed),
    ]


def _disturbance(share: float) -> list[str]:
    if share < 0.1:
        return []
    return [
        f"warning: other programs interrupted {share:.0%} of the calls; measure again when the"
        " machine is idle"
    ]


def load_network(
    path: Path, config: str | None, overrides: Sequence[str] = ()
) -> tuple[Architecture, Plan]:
    """The architecture in a file, or the best of a run, and its plan.

    Args:
        config: that of a search; a run has its own.

    Raises:
        ConfigError: there is no config, or it is unusable.
        EncodingError: there is no architecture.
    """
    if path.is_dir():
        checked = load_search(config or path / CONFIG, overrides)
        path = path / BEST
    elif config is None:
        raise ConfigError(f"{path} alone does not say how large the network is: give -c CONFIG")
    else:
        checked = load_search(config, overrides)  # first: it imports plugins
    architecture = load_architecture(path)
    return architecture, make_plans(checked)(architecture)
