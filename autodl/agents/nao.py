"""Neural architecture optimisation: architectures are moved uphill in a learned space.

Source: Luo, Tian, Qin, Chen and Liu, Neural Architecture Optimization, 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic

import numpy as np
import paddle
from numpy.typing import NDArray

from autodl.agents.nao_network import NaoNetwork, embedding_of, uphill
from autodl.agents.nao_sequences import pairwise_accuracy, scaled
from autodl.agents.options import NaoOptions
from autodl.spaces.rows import as_coded
from autodl.spaces.space import Arch, Coded, Integers, Twinned, canonical_form
from autodl.strategies.strategy import Exhausted, Fits
from autodl.training.device import computing_on
from autodl.trial import Architecture, Trial, TrialState

_CPU = partial(computing_on, "cpu")
_ATTEMPTS = 1000
_PUBLISHED = 1500  # trials: 600 seeds and three rounds of 300


@dataclass(frozen=True, slots=True)
class Pool:
    """How many architectures are drawn first, tried each round, and moved uphill."""

    seeds: int
    batch: int
    elite: int

    @classmethod
    def of(cls, options: NaoOptions, trials: int) -> Pool:
        """What the options leave open, decided by the number of trials.

        As published (600, 300 and 100) from 1,500 trials; below, in proportion, but at least 5.
        """
        share = min(1.0, trials / _PUBLISHED)

        def part(said: int | None, published: int) -> int:
            return max(5, round(published * share)) if said is None else said

        batch = part(options.batch_size, 300)
        return cls(part(options.seeds, 600), batch, part(options.elite, 100))


class Nao(Generic[Arch]):
    """Learns from all trials after each round, and proposes what is uphill of the best.

    A round is a batch. Once there are ``seeds`` trials, every round ends with training a fresh
    network on all that are complete (of twins the better one), rewards scaled to 0 ... 1; what a
    pruned trial had reached does not compare. The
    best ``elite`` are then moved along the predictor's gradient, 1, 2, ... ``farthest`` steps, and
    decoded, until there are as many untried architectures as a batch holds; proposals are drawn
    from these. Before that, and if there is none, they are drawn from the space.
    """

    def __init__(
        self,
        space: Coded[Arch],
        options: NaoOptions | None = None,
        *,
        seed: int = 0,
        trials: int = 100,
    ) -> None:
        """Begin with an empty pool.

        Args:
            space: what is searched.
            options: without them all are the defaults.
            seed: of the networks' weights and their training.
            trials: how many there will be; options that are None follow it.

        Raises:
            ConfigError: the space's architectures are no rows of decisions.
        """
        self._space: Coded[Arch] = as_coded(space, "Nao")
        self._options = options or NaoOptions()
        self._pool = Pool.of(self._options, trials)
        self.batch_size: int | None = self._pool.batch
        self._seed = seed
        self._form: Callable[[Any], Any] = canonical_form(space)
        self._told = 0
        self._tried: dict[Any, tuple[Integers, float]] = {}
        self._candidates: list[Integers] = []
        self._diagnostics: dict[str, float] = {"update": 0}

    def ask(self, rng: np.random.Generator) -> Arch:
        """One of the candidates, or of the space before there are some."""
        return self.ask_where(rng, lambda architecture: True, ())

    def ask_where(
        self, rng: np.random.Generator, fits: Fits, running: Sequence[Architecture]
    ) -> Arch:
        """A candidate that fits, or else something of the whole space; see ``Choosy``.

        Raises:
            Exhausted: of 1,000 random architectures none fits either.
        """
        for place in rng.permutation(len(self._candidates)):
            if fits(architecture := self._space.decode(self._candidates[place])):
                return architecture
        for _ in range(_ATTEMPTS):
            if fits(architecture := self._space.sample(rng)):
                return architecture
        raise Exhausted(f"of {_ATTEMPTS} random architectures none is new and allowed")

    def tell(self, trial: Trial) -> None:
        """Remember a trial and, at the end of a round, learn from all."""
        architecture = self._space.check(trial.architecture)
        self._told += 1
        if trial.reward is not None and trial.state is TrialState.COMPLETE:
            form = self._form(architecture)
            known = self._tried.get(form)
            if known is None or trial.reward > known[1]:
                self._tried[form] = self._space.encode(architecture), trial.reward
        if self._told >= self._pool.seeds and self._told % self._pool.batch == 0 and self._tried:
            self._learn()

    def _learn(self) -> None:
        """Train a network on the pool, and move the best of it uphill."""
        rows, rewards = self._scored()
        update = int(self._diagnostics["update"]) + 1
        with _CPU(), _drawing_from((self._seed, update)) as rng:
            network = NaoNetwork(self._space.sizes, self._options)
            loss = train(network, *self._with_twins(rows, scaled(rewards), rng), self._options, rng)
            network.eval()
            best = np.argsort(-rewards, kind="stable")[: self._pool.elite]
            self._candidates = self._untried(neighbours(network, rows[best], self._options))
            with paddle.no_grad():
                predicted = network.predict(embedding_of(network.encode(rows))).numpy()
        self._diagnostics = {"update": update, "loss": loss, "candidates": len(self._candidates)}
        if len(rows) > 1:
            self._diagnostics["pairwise_accuracy"] = pairwise_accuracy(predicted, rewards)

    def _scored(self) -> tuple[Integers, NDArray[np.float64]]:
        """Rows and rewards of the pool, in the order of the rows, whatever order they came in."""
        rows = np.stack([row for row, _ in self._tried.values()])
        rewards = np.array([reward for _, reward in self._tried.values()])
        order = np.lexsort(rows.T[::-1])
        return rows[order], rewards[order]

    def _with_twins(
        self, rows: Integers, targets: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[Integers, NDArray[np.float64]]:
        """And with other ways to write the same architectures."""
        space = self._space
        if not isinstance(space, Twinned):
            return rows, targets
        plain, count = [space.decode(row) for row in rows], self._options.twins
        twins = [space.encode(space.twin(one, rng)) for _ in range(count) for one in plain]
        return np.stack([*rows, *twins]), np.tile(targets, 1 + count)

    def _untried(self, rows: Iterator[Integers]) -> list[Integers]:
        """Up to a batch of distinct architectures that no trial has a reward of."""
        known, found = set(self._tried), list[Integers]()
        for row in rows:
            if (form := self._form(self._space.decode(row))) not in known:
                known.add(form)
                found.append(row)
                if len(found) == self._pool.batch:
                    break
        return found

    def diagnostics(self) -> Mapping[str, float]:
        """Of the latest training: loss, order of the pool by the predictor, new candidates."""
        return self._diagnostics

    def state(self) -> dict[str, Any]:
        """The pool and the candidates; networks are trained afresh."""
        rows = list(self._tried.values())
        return {
            "seed": self._seed,
            "told": self._told,
            "tried": [{"row": row.tolist(), "reward": reward} for row, reward in rows],
            "candidates": [row.tolist() for row in self._candidates],
            "diagnostics": dict(self._diagnostics),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that ``state()`` gave."""
        self._seed, self._told = state["seed"], state["told"]
        self._tried = {}
        for told in state["tried"]:
            row = np.array(told["row"], np.int64)
            form = self._form(self._space.decode(row))
            if form not in self._tried or told["reward"] > self._tried[form][1]:
                self._tried[form] = row, told["reward"]
        self._candidates = [np.array(row, np.int64) for row in state["candidates"]]
        self._diagnostics = dict(state["diagnostics"])


@contextmanager
def _drawing_from(seed: tuple[int, int]) -> Iterator[np.random.Generator]:
    """A generator, and Paddle's own seeded from it; Paddle's is put back as it was."""
    rng = np.random.default_rng(seed)
    before = paddle.get_rng_state()
    paddle.seed(int(rng.integers(2**31)))
    try:
        yield rng
    finally:
        paddle.set_rng_state(before)


def train(
    network: NaoNetwork,
    rows: Integers,
    targets: NDArray[np.float64],
    options: NaoOptions,
    rng: np.random.Generator,
) -> float:
    """Train with Adam on shuffled batches; the mean loss of the last epoch.

    Args:
        network: is changed, and left in training mode.
        rows: int64 ``[n, decisions]``.
        targets: in 0 ... 1, ``[n]``.
        options: of the training.
        rng: shuffles.
    """
    optimiser = paddle.optimizer.Adam(
        options.learning_rate,
        parameters=network.parameters(),
        weight_decay=options.weight_decay or None,
        grad_clip=paddle.nn.ClipGradByGlobalNorm(options.largest_gradient),
    )
    network.train()
    mean = float("nan")
    for _ in range(options.epochs):
        order, losses = rng.permutation(len(rows)), list[float]()
        for first in range(0, len(rows), options.pool_batch):
            part = order[first : first + options.pool_batch]
            loss = network.losses(rows[part], targets[part]).total
            loss.backward()
            optimiser.step()
            optimiser.clear_grad(set_to_zero=False)
            losses.append(float(loss))
        mean = float(np.mean(losses))
    return mean


def neighbours(network: NaoNetwork, rows: Integers, options: NaoOptions) -> Iterator[Integers]:
    """Rows decoded from 1, 2, ... steps uphill of ``rows``, one by one, the best rows' first."""
    states = network.encode(rows).detach()
    for distance in range(1, options.farthest + 1):
        yield from network.decode(uphill(states, network.predict, float(distance)))
