"""The reinforcement-learning baseline: roll-outs that choose bits, fine-tune and measure.

A roll-out visits the layers in random order, gives each some bits within the budget, trains the
rounded network for a few updates from the trained weights, and has its accuracy as the reward. That
is measured on pictures on which nothing was trained, where the training of the network left enough
over; else on a part of its training pictures that no roll-out trains on, which lines and details
say.

Source: "Bayesian automatic model compression", 2020, compares with the bit search of PocketFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.compression.bits.levels import Levels
from autodl.compression.bits.options import BitSearchOptions
from autodl.compression.bits.rounded_layers import average_bits, weight_count
from autodl.compression.bits.straight_through import rounded_forward
from autodl.compression.bits.uniform_bits import even_levels
from autodl.compression.choice import Choice, Task
from autodl.compression.errors import CompressionError
from autodl.config.components import make_part
from autodl.data.dataset import Pictures
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import Recipe, recipe_of
from autodl.tasks.pictures import PictureTask
from autodl.training.device import compute_clock
from autodl.training.fit import Trainer
from autodl.training.goal import score
from autodl.training.weights import load_arrays

FloatArray = NDArray[np.float32]
_GRID_BITS = 64  # of an even grid: offset and step


@dataclass(frozen=True, slots=True)
class Budget:
    """Bits that a roll-out may give: ``counts`` are the weights of its layers.

    The average is over all weights; of each layer, ``levels`` bits for its levels are counted.
    """

    counts: tuple[int, ...]
    average: float
    least: int
    most: int
    levels: int = 0

    def __post_init__(self) -> None:
        fewest = self.least + self.levels * len(self.counts) / sum(self.counts)
        if not fewest <= self.average + 1e-9 or not self.least <= self.most:
            raise CompressionError(
                f"Compression.average_bits {self.average:g} and most_bits {self.most} must be at"
                f" least least_bits {self.least}, with the levels of the layers {fewest:.3f} on"
                " average"
            )

    def clip(self, layer: int, wish: int, given: Mapping[int, int]) -> int:
        """The bits nearest to ``wish`` that leave the least for the layers without any."""
        others = [n for n in range(len(self.counts)) if n != layer and n not in given]
        spent = sum(self.counts[n] * bits for n, bits in given.items())
        reserved = self.least * sum(self.counts[n] for n in others)
        levels = self.levels * len(self.counts)
        free = self.average * sum(self.counts) - levels - spent - reserved
        # a budget that is met exactly must not fail by a rounding
        highest = int(free / self.counts[layer] + 1e-9)
        return max(self.least, min(wish, highest, self.most))


def observe(shapes: list[list[int]], layer: int, left: float) -> FloatArray:
    """State of a layer: its number (one-hot), four kernel sizes, its weights, and ``left``.

    Sizes are logarithms, as shares of the largest; weights are a share of the largest layer's;
    ``left`` is the share of all weights that have no bits yet.
    """
    sizes = np.ones((len(shapes), 4))
    for row, shape in zip(sizes, shapes, strict=True):
        row[: len(shape)] = shape
    largest = max(float(np.log(sizes).max()), 1.0)
    counts = sizes.prod(axis=1)
    observed: FloatArray = np.concatenate(
        [
            np.eye(len(shapes))[layer],
            np.log(sizes[layer]) / largest,
            [counts[layer] / counts.max(), left],
        ]
    ).astype(np.float32)
    return observed


class BitSearch:
    """Finds bits for every layer by DDPG; levels are evenly spaced."""

    def __init__(self, options: BitSearchOptions | None = None) -> None:
        """Without ``options`` all are the defaults."""
        self._options = options or BitSearchOptions()

    def choose(self, task: Task) -> Choice:
        """See ``Method``; resumed from the last finished roll-out.

        ``details`` has every roll-out: ``seconds`` since the start, ``reward`` and ``bits`` by
        layer; ``reward_pictures_trained_on``, whether the network had been trained on the pictures
        of the reward; and ``levels_counted``. The weights are those of before. Of equal rewards the
        first counts.

        Raises:
            CompressionError: the options do not fit each other or the pictures.
        """
        search = _Search(task, self._options)
        if task.saved is not None:
            search.restore(task.saved)
        options = self._options
        task.progress(
            f"[Compress] roll-outs of {options.least_bits} to {options.most_bits} bits for a layer,"
            f" {options.average_bits:.3f} on average at most"
        )
        if search.trained_on:
            task.progress(
                f"[Compress] the reward is measured on {options.reward_pictures} pictures that the"
                " network was trained on: its training left too few over, and the search overrates"
                " what it finds"
            )
        while len(search.rollouts) < options.rollouts and not search.late():
            search.roll_out()
            task.save(search.state())
            done, best = search.rollouts[-1], best_within(search.rollouts)
            task.progress(
                f"[Compress][Roll-out {len(search.rollouts)}/{options.rollouts}]"
                f" reward: {done['reward']:.4f}, best: {best['reward']:.4f},"
                f" seconds: {done['seconds']:.0f}"
            )
        search.reset()
        if not search.rollouts:
            raise CompressionError("no roll-out fits into Compression.seconds; allow more of them")
        bits = best_within(search.rollouts)["bits"]
        levels = even_levels(task.layers, bits)
        details = {
            "rollouts": search.rollouts,
            "reward_pictures_trained_on": search.trained_on,
            "levels_counted": search.levels_counted,
        }
        return Choice(levels, search.seconds(), details)


def best_within(rollouts: list[dict[str, Any]], seconds: float = float("inf")) -> dict[str, Any]:
    """The roll-out of the highest reward among those that ended in time; or else the first."""
    in_time = [done for done in rollouts if done["seconds"] <= seconds] or rollouts[:1]
    return max(in_time, key=lambda done: float(done["reward"]))


def short_recipe(train: TrainOptions, steps: int) -> Recipe:
    """A few updates at the highest rate, on pictures as they are, with the plain cross-entropy.

    Args:
        steps: updates of an epoch, which a schedule may depend on.
    """
    recipe, highest = recipe_of(train), train.learning_rate
    if train.rate is not None:
        rate = recipe.schedule.factory()(recipe.schedule.options, train.epochs, steps)
        highest = max(map(rate, range(train.epochs * steps)))
    return Recipe(
        epochs=1,
        batch_size=recipe.batch_size,
        schedule=make_part("Schedule", {"name": "constant", "learning_rate": highest}),
        optimiser=recipe.optimiser,
        section=recipe.section,
        remedy=recipe.remedy,
    )


def _parted(task: Task, reward: int) -> tuple[Pictures, Pictures]:
    """The pictures of the training, cut into those that roll-outs train on and the reward's."""
    order = np.random.default_rng((task.seed, 11)).permutation(len(task.pictures))
    if len(order) - reward < task.train.batch_size:
        raise CompressionError(
            f"Compression.reward_pictures {reward} leave {len(order) - reward} of"
            f" {len(order)} pictures, fewer than a batch; use fewer"
        )
    return task.pictures.take(np.sort(order[reward:])), task.pictures.take(np.sort(order[:reward]))


class _Search:
    """Roll-outs so far, the agent, and what every roll-out starts from."""

    def __init__(self, task: Task, options: BitSearchOptions) -> None:
        from autodl.compression.bits.bit_agent import BitAgent

        self.rollouts: list[dict[str, Any]] = []
        self._task, self._options = task, options
        self._paths = list(task.layers)
        self._shapes = [list(layer.weight.shape) for layer in task.layers.values()]
        counts = tuple(weight_count(layer) for layer in task.layers.values())
        # those that were begun before there was a choice go on as they were begun
        saved = {"trained_on": True, "levels_counted": False} | dict(task.saved or {})
        begun = task.saved is not None
        self.levels_counted = bool(saved["levels_counted"]) if begun else options.count_levels
        self._budget = Budget(
            *(counts, options.average_bits, options.least_bits, options.most_bits),
            levels=_GRID_BITS if self.levels_counted else 0,
        )
        self._original = {name: v.numpy() for name, v in task.network.state_dict().items()}
        unseen = None if task.unseen is None or (begun and saved["trained_on"]) else task.unseen()
        self.trained_on = unseen is None or len(unseen) < options.reward_pictures
        training, rewarding = task.pictures, unseen
        if rewarding is None or self.trained_on:
            training, rewarding = _parted(task, options.reward_pictures)
        else:
            order = np.random.default_rng((task.seed, 11)).permutation(len(rewarding))
            rewarding = rewarding.take(np.sort(order[: options.reward_pictures]))
        self._rewarding = PictureTask.alone(rewarding, task.normalisation)
        self._training = PictureTask.alone(training, task.normalisation)
        steps = max(len(training) // task.train.batch_size, 1)
        self._recipe = short_recipe(task.train, steps)
        self._agent = BitAgent(len(self._paths) + 6, options, task.seed)
        self._levels: dict[tuple[str, int], Levels] = {}
        self._clock = compute_clock()
        self._began, self._before = self._clock(), 0.0

    def seconds(self) -> float:
        return self._before + self._clock() - self._began

    def late(self) -> bool:
        return self._options.seconds is not None and self.seconds() >= self._options.seconds

    def reset(self) -> None:
        load_arrays(self._task.network, self._original)

    def roll_out(self) -> None:
        number, options = len(self.rollouts), self._options
        rng = np.random.default_rng((self._task.seed, number, 13))
        learning = number >= options.warm_up
        deviation = options.noise * options.noise_decay ** max(number - options.warm_up, 0)
        given, states, actions = dict[int, int](), list[FloatArray](), list[float]()
        for layer in rng.permutation(len(self._paths)).tolist():
            unset = [n for n in range(len(self._paths)) if n not in given]
            left = sum(self._budget.counts[n] for n in unset) / sum(self._budget.counts)
            states.append(observe(self._shapes, layer, left))
            action = self._agent.act(states[-1], deviation, rng) if learning else rng.random()
            wish = options.least_bits + round(action * (options.most_bits - options.least_bits))
            given[layer] = self._budget.clip(layer, wish, given)
            # what was done, not what was wished for, is learnt from
            span = max(options.most_bits - options.least_bits, 1)
            actions.append((given[layer] - options.least_bits) / span)
        bits = {self._paths[layer]: given[layer] for layer in range(len(self._paths))}
        reward = self._reward(bits, rng)
        self._agent.remember(np.stack(states), np.array(actions, np.float32), reward)
        if learning:
            self._agent.learn(len(states), rng)
        counts = dict(zip(self._paths, self._budget.counts, strict=True))
        self.rollouts.append(
            {
                "seconds": self.seconds(),
                "reward": reward,
                "average_bits": average_bits(bits, counts),
                "bits": bits,
            }
        )

    def _reward(self, bits: Mapping[str, int], rng: np.random.Generator) -> float:
        """Accuracy after some updates with these bits, from the trained weights."""
        task = self._task
        self.reset()
        levels = {path: self._even(path, bits[path]) for path in bits}
        trainer = Trainer(task.network, self._training, self._recipe, task.seed)
        with rounded_forward(task.layers, levels):
            trainer.updates(self._options.updates, rng)
            return score(task.network, self._rewarding, "train").value

    def _even(self, path: str, bits: int) -> Levels:
        """Levels for the trained weights, which every roll-out starts from."""
        if (path, bits) not in self._levels:
            only = {path: self._task.layers[path]}
            self._levels[path, bits] = even_levels(only, {path: bits})[path]
        return self._levels[path, bits]

    def state(self) -> dict[str, Any]:
        return {
            "agent": self._agent.state(),
            "trained_on": self.trained_on,
            "levels_counted": self.levels_counted,
            "rollouts": self.rollouts,
            "seconds": self.seconds(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._agent.restore(state["agent"])
        self.rollouts, self._before = list(state["rollouts"]), state["seconds"]
