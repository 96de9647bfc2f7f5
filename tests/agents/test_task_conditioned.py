"""Transfer between tasks: moments of each, a vector more, a history, and what it saves."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.agents.options import TaskConditionedOptions
from autodl.agents.task_conditioned import TaskConditionedAgent
from autodl.spaces.cell.space import CellSpace
from autodl.strategies.strategy import PastRun
from autodl.system.state import encode_state
from autodl.trial import Evaluation, Trial, TrialState

SPACE = CellSpace(nodes=3, operations=("conv_1x1", "conv_3x3", "conv_5x5", "max_pool_3x3"))
COUNT = len(SPACE.sizes)
SMALL = TaskConditionedOptions(
    batch_size=10, hidden=16, layers=1, learning_rate=0.02, normalise=True, entropy_weight=0.03
)


def agent(tasks=1, seed=0, options=SMALL):
    return TaskConditionedAgent(SPACE, options, seed=seed, tasks=tasks)


def best_of(target):
    """Reward: the share of decisions that are as in the target."""
    return lambda rows: (rows == target).mean(axis=1)


def updates_needed(learner, task, reward, rng, enough=0.9, most=150):
    """Updates of ten samples until a batch has on average what is enough; five are imitated."""
    seen = np.zeros((0, COUNT), np.int64)
    for update in range(most):
        rows = learner.sample(task, rng.random((10, COUNT)))
        rewards = reward(rows)
        if rewards.mean() >= enough:
            return update
        seen = np.unique(np.concatenate([seen, rows]), axis=0)
        best = seen[np.argsort(-reward(seen), kind="stable")[:5]]
        learner.learn_task(task, rows, rewards, best)
    return most


def tasks_that_share(prefix, count, rng):
    """Targets that differ only after the first ``prefix`` decisions."""
    shared = rng.integers(SPACE.sizes)
    targets = [rng.integers(SPACE.sizes) for _ in range(count)]
    for target in targets:
        target[:prefix] = shared[:prefix]
    return targets


def trained_on(targets, seed, updates=240):
    """An agent that has learned all targets but the last, drawing one after the other."""
    learner, rng = agent(len(targets) - 1, seed), np.random.default_rng((seed, 1))
    for _ in range(updates):
        task = int(rng.integers(len(targets) - 1))
        rows = learner.sample(task, rng.random((10, COUNT)))
        learner.learn_task(task, rows, best_of(targets[task])(rows))
    return learner


def samples_needed(prefix, seed):
    """Updates on the last task: of an agent that has learned the others, and of a fresh one."""
    rng = np.random.default_rng(seed)
    targets = tasks_that_share(prefix, 4, rng)
    transferred, last = agent(len(targets), seed), len(targets) - 1
    transferred.adopt(trained_on(targets, seed).state())
    reward = best_of(targets[-1])
    return tuple(
        updates_needed(each, task, reward, np.random.default_rng((seed, 2)))
        for each, task in ((transferred, last), (agent(1, seed), 0))
    )


def test_what_other_tasks_share_need_not_be_learned_again():
    """11 of 12 decisions are shared."""
    transferred, fresh = samples_needed(COUNT - 1, seed=0)
    assert transferred < fresh / 3


def test_each_task_has_its_own_moments():
    """Rewards of another unit in another task change nothing for this one: powers of two."""
    rng = np.random.default_rng(0)
    rows = np.stack([rng.integers(SPACE.sizes) for _ in range(4)])
    rewards = np.array([0.25, 0.5, 1.0, 0.25])
    twins = [agent(2), agent(2)]
    for each, scale in zip(twins, (1.0, 4.0), strict=True):
        each.learn_task(0, rows, scale * rewards)
        each.learn_task(1, rows, rewards)
        each.learn_task(0, rows, scale * rewards[::-1])
    first, second = (each.state()["weights"] for each in twins)
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])


def test_a_task_more_keeps_all_that_was_there():
    small, large = agent(2, seed=1), agent(3, seed=2)
    drawn = large.state()["weights"]["task_embedding"][2]
    large.adopt(small.state())
    before, after = small.state()["weights"], large.state()["weights"]
    for name, value in before.items():
        np.testing.assert_array_equal(after[name][: len(value)], value)
    np.testing.assert_array_equal(after["task_embedding"][2], drawn)


def past(target, count, seed, name="a"):
    """A run of random cells that are scored by a target."""
    trials = []
    for number in range(count):
        architecture = SPACE.sample(np.random.default_rng((seed, number)))
        reward = float(best_of(target)(SPACE.encode(architecture)[None])[0])
        trials.append(Trial(number, architecture, TrialState.COMPLETE, Evaluation(reward)))
    return PastRun(name, tuple(trials))


def test_a_history_makes_what_was_good_there_likelier():
    """Proposals score higher on the history's task than those of an agent without one."""
    target = np.random.default_rng(5).integers(SPACE.sizes)
    options = SMALL.model_copy(update={"imitated": 5, "passes": 4})
    informed, fresh = agent(options=options), agent(options=options)
    informed.learn_from([past(target, 60, 1), past(target, 30, 2, "b")])
    assert informed.state()["weights"]["task_embedding"].shape == (3, 25)
    rngs = [np.random.default_rng((7, number)) for number in range(40)]
    found = [
        np.mean(best_of(target)(np.stack([SPACE.encode(a) for a in each.ask_batch(rngs)])))
        for each in (informed, fresh)
    ]
    assert found[0] > found[1] + 0.1
    again = agent(options=options)
    again.learn_from([past(target, 60, 1), past(target, 30, 2, "b")])
    assert encode_state(again.state()) == encode_state(informed.state())


def test_the_rate_after_a_history_is_a_share():
    learner = agent(options=SMALL.model_copy(update={"transfer_rate": 0.1}))
    assert learner.alg.optimizer.get_lr() == pytest.approx(0.02)
    learner.learn_from([past(np.zeros(COUNT, np.int64), 10, 0)])
    assert learner.alg.optimizer.get_lr() == pytest.approx(0.002)
