"""How long a surrogate takes to propose after many trials."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.strategies.options import SurrogateOptions
from autodl.strategies.surrogate.surrogate_search import SurrogateSearch
from autodl.trial import Architecture, Evaluation, Trial, TrialState

Numbers = dict[str, Any]
_TOLD, _BATCH, _ROUNDS = 1000, 4, 10


def strategies() -> Numbers:
    """Milliseconds of processor time a proposal, one of a batch of 4, after 1,000 told trials.

    In the space of NAS-Bench-201, by the median of ten batches whose trials are told in between.
    Learning hyper-parameters, which comes with a tenth more trials, is measured apart.
    """
    numbers: Numbers = {"told": _TOLD, "batch": _BATCH}
    for name, options in (
        ("gaussian_process_ei", SurrogateOptions(model="gp", acquisition="ei")),
        ("gaussian_process_thompson", SurrogateOptions(model="gp", acquisition="thompson")),
        ("ridge_thompson", SurrogateOptions(model="ridge", acquisition="thompson")),
    ):
        fit, proposals = _seconds(options)
        numbers[f"{name}_first_ms"] = round(1000 * fit, 1)
        numbers[f"{name}_ms"] = round(1000 * median(proposals), 1)
    return numbers


def _seconds(options: SurrogateOptions) -> tuple[float, list[float]]:
    """Seconds of the first proposal, with all to learn, and of later ones, each by itself."""
    space, rng = EdgeCellSpace(), np.random.default_rng(0)
    wanted = space.encode(space.sample(rng))
    strategy = SurrogateSearch(space, options)

    def tell(number: int, architecture: Architecture) -> None:
        agreeing = float((space.encode(space.check(architecture)) == wanted).sum())
        reward = agreeing + rng.normal()
        strategy.tell(Trial(number, architecture, TrialState.COMPLETE, Evaluation(reward)))

    for number in range(_TOLD):
        tell(number, space.sample(rng))
    began = time.process_time()
    strategy.ask(rng)
    first = time.process_time() - began
    proposals = []
    for told in range(_TOLD, _TOLD + _BATCH * _ROUNDS, _BATCH):
        batch: list[Architecture] = []
        for _ in range(_BATCH):
            began = time.process_time()
            batch.append(strategy.ask_where(rng, _none_of(batch), tuple(batch)))
            proposals.append(time.process_time() - began)
        for place, architecture in enumerate(batch):
            tell(told + place, architecture)
    return first, proposals


def _none_of(architectures: list[Architecture]) -> Callable[[Architecture], bool]:
    return lambda architecture: architecture not in architectures
