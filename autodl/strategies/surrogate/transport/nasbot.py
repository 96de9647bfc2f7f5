"""NASBOT: Bayesian optimisation over networks with optimal transport, evolved by the acquisition.

Source: Kandasamy et al., NeurIPS 2018, arXiv:1802.07191; the numbers of edits and evaluations are
those of the authors' repository.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from autodl.spaces.rows import as_coded, variation
from autodl.spaces.space import Coded, Integers
from autodl.strategies.options import NasbotOptions, SurrogateOptions
from autodl.strategies.surrogate.candidates import Situation
from autodl.strategies.surrogate.gaussian_process import GaussianProcess
from autodl.strategies.surrogate.surrogate import Reals
from autodl.strategies.surrogate.surrogate_search import SurrogateSearch
from autodl.strategies.surrogate.transport.transport_kernel import TransportKernel

EDITS = (0.5, 0.25, 0.125, 0.075, 0.05)  # probabilities of one to five
_GENERATIONS = 5
_PRESSURE = 2.0


def nasbot(
    space: Coded[Any], options: NasbotOptions | None = None, *, seed: int = 0
) -> SurrogateSearch[Any]:
    """The strategy: expected improvement under a Gaussian process with ``TransportKernel``.

    As published but for the edits: theirs change a graph of layers, ours a decision of the space,
    or what the space has for mutation (``EvolvedRows``). And what is running is taken into account
    by q-EI, not by hallucinated values.

    Raises:
        ConfigError: the space is not coded, or has nothing to vary.
    """
    chosen = options or NasbotOptions()
    coded = as_coded(space, "Nasbot")
    kernel = TransportKernel(coded, chosen.structure_weights)  # one, since it keeps distances
    return SurrogateSearch(
        coded,
        SurrogateOptions(acquisition="ei", initial=chosen.initial, rewards=chosen.rewards),
        seed=seed,
        make=lambda space: GaussianProcess(kernel),
        ranking=EvolvedRows(coded, lead=chosen.lead, least=chosen.least, most=chosen.most),
    )


class EvolvedRows:
    """Rows that an evolution by the acquisition finds, from those tried on.

    Parents are drawn in proportion to ``exp(2 z)`` of their standardised scores; a child is its
    parent after one to five edits (probabilities ``EDITS``). An edit is one mutation of the space:
    of cells another operation or edge, the paper's swap of a label, or its skip and branch; of
    mobile networks another width, depth or kernel, its change of units by an eighth, and so on.
    The paper's weights of the kinds of edits are those of its graphs and have no counterpart; all
    decisions are equally likely. There is nothing to reject, since every row is an architecture.
    After ``t`` trials the acquisition is computed of ``clip(lead sqrt(t), least, most)`` children.
    """

    complete = False

    def __init__(self, space: Coded[Any], *, lead: float, least: int, most: int) -> None:
        self._space = space
        self._vary: Callable[[Any, np.random.Generator], Any] = variation(space, "Nasbot")
        self._lead, self._least, self._most = lead, least, most

    def evaluations(self, trials: int) -> int:
        """Children whose acquisition is computed after so many trials."""
        return int(np.clip(self._lead * np.sqrt(trials), self._least, self._most))

    def ranked(self, situation: Situation, rng: np.random.Generator) -> Iterator[Integers]:
        """All rows that were looked at, the highest acquisition first; tried ones too."""
        pool = np.unique(situation.tried[0], axis=0)
        scores = situation.score(pool)
        left = self.evaluations(len(situation.tried[0]))
        size = -(-left // _GENERATIONS)
        while left > 0:
            children = self._children(pool, scores, min(size, left), rng)
            left -= len(children)
            known = {row.tobytes() for row in pool}
            fresh = np.array([row for row in children if row.tobytes() not in known], np.int64)
            if len(fresh):
                fresh = np.unique(fresh, axis=0)
                pool = np.vstack([pool, fresh])
                scores = np.append(scores, situation.score(fresh))
        yield from pool[np.argsort(-np.round(scores, 9), kind="stable")]

    def _children(
        self, pool: Integers, scores: Reals, count: int, rng: np.random.Generator
    ) -> Sequence[Integers]:
        parents = rng.choice(len(pool), count, p=parent_probabilities(scores))
        edits = 1 + rng.choice(len(EDITS), count, p=EDITS)
        children = []
        for parent, steps in zip(parents, edits, strict=True):
            architecture = self._space.decode(pool[parent])
            for _ in range(steps):
                architecture = self._vary(architecture, rng)
            children.append(self._space.encode(architecture))
        return children


def parent_probabilities(scores: Reals) -> Reals:
    """In proportion to ``exp(2 z)``, ``z`` the standardised score; all equal scores are uniform."""
    deviation = scores.std()
    scaled = (scores - scores.max()) / deviation if deviation > 0 else np.zeros(len(scores))
    weights = np.exp(_PRESSURE * scaled)
    return np.asarray(weights / weights.sum())
