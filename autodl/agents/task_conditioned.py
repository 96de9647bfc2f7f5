"""An agent that has designed for other tasks, and goes on from what it has learned there.

Source: Wong, Houlsby, Lu and Gesmundo, Transfer Learning with Neural AutoML, 2018.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, cast

import numpy as np
from numpy.typing import NDArray

from autodl.agents.autodl_agent import AutoDLAgent
from autodl.agents.best_trials import BestTrials
from autodl.agents.options import AgentOptions, TaskConditionedOptions
from autodl.agents.policy_agent import Learned
from autodl.agents.running_moments import RunningMoments
from autodl.agents.task_policy import TaskPolicy
from autodl.spaces.space import Arch, Coded, Integers
from autodl.strategies.strategy import PastRun


class TaskConditionedAgent(AutoDLAgent[Arch], Generic[Arch]):
    """The agent with a policy that reads which task it decides for.

    Rewards are normalised by each task's own running moments, so that a task whose rewards are
    spread widely does not dominate. A history is learned first, one task for each of its runs: a
    run is drawn, with equal chances whatever its length, its next trials are learned, and its best
    so far are imitated, until all runs together have been gone through ``passes`` times. The search
    itself is a task more, with a vector that is still as it was drawn; all other weights are kept
    and learn on, at ``transfer_rate`` times the rate. Without a history it is the agent with one
    constant input more.
    """

    def __init__(
        self,
        space: Coded[Arch],
        options: TaskConditionedOptions | None = None,
        *,
        seed: int = 0,
        trials: int = 100,
        tasks: int = 1,
    ) -> None:
        """Begin with a fresh policy.

        Args:
            space: what is searched.
            options: without them all are the defaults.
            seed: draws the policy's initial weights, and which run of a history comes next.
            trials: how many there will be; options that are None follow it.
            tasks: how many the policy knows; the last one is that of ``ask`` and ``tell``.
        """
        self._options = options or TaskConditionedOptions()
        self.tasks = tasks
        super().__init__(space, self._options, seed=seed, trials=trials)
        self._of_tasks: dict[int, RunningMoments] = {}

    def _policy(self, options: AgentOptions) -> TaskPolicy:
        policy = TaskPolicy(
            self._decisions,
            tasks=self.tasks,
            task_width=self._options.task_width,
            hidden=options.hidden,
            layers=options.layers,
            temperature=options.temperature,
            squash=options.squash,
            head_deviation=options.head_deviation,
        )
        policy.task = self.tasks - 1
        return policy

    def sample(self, task: int, uniforms: NDArray[np.float64]) -> Integers:
        """Rows that the policy draws for a task, one for each row of ``uniforms``."""
        policy = cast(TaskPolicy, self.alg.model)
        own, policy.task = policy.task, task
        drawn: Integers = self.alg.sample(uniforms).rows
        policy.task = own
        return drawn

    def learn_task(
        self, task: int, rows: Integers, rewards: NDArray[np.float64], best: Integers | None = None
    ) -> Learned:
        """Take a step on rows ``[B, decisions]`` of one task, and one that imitates its ``best``.

        Rewards ``[B]`` are compared with that task's own moments.
        """
        policy = cast(TaskPolicy, self.alg.model)
        own, policy.task = policy.task, task
        moments, self._moments = self._moments, self._of_tasks.get(task)
        learned = self.learn(rows, rewards)
        if best is not None:
            self.imitate(best)
        if self._moments is not None:
            self._of_tasks[task] = self._moments
        self._moments, policy.task = moments, own
        return learned

    def learn_from(self, history: Sequence[PastRun]) -> None:
        """Begin anew, with all that other runs have tried as tasks of their own."""
        self.tasks = len(history) + 1
        self.alg = self._fresh()
        rng = np.random.default_rng((self._seed, self.tasks))
        runs = [_Replay(self._space, run, self._learning.imitated) for run in history]
        size = self._learning.batch_size
        total = self._options.passes * sum(len(run.rewards) for run in runs)
        for _ in range(0, total, size):
            task = int(rng.integers(len(runs)))
            rows, rewards, best = runs[task].next(size)
            self.learn_task(task, rows, rewards, best)
        self.alg.optimizer.set_lr(self._learning.learning_rate * self._options.transfer_rate)

    def adopt(self, state: Mapping[str, Any]) -> None:
        """Go on from the policy of an agent that knew fewer tasks; vectors of the others stay.

        Optimiser and moments begin anew.
        """
        for name, value in self.alg.model.named_parameters():
            known = np.asarray(state["weights"][name])
            whole = value.numpy()
            whole[tuple(slice(0, length) for length in known.shape)] = known
            value.set_value(whole)


class _Replay(Generic[Arch]):
    """A run's trials in their order, over and over, and the best of those that have come up."""

    def __init__(self, space: Coded[Arch], run: PastRun, imitated: int) -> None:
        told = [(space.check(t.architecture), t.reward) for t in run.trials if t.reward is not None]
        self._architectures = [architecture for architecture, _ in told]
        self.rows: Integers = np.stack([space.encode(each) for each in self._architectures])
        self.rewards = np.array([reward for _, reward in told])
        self._best = BestTrials(space, imitated)
        self._place = 0

    def next(self, count: int) -> tuple[Integers, NDArray[np.float64], Integers | None]:
        """Rows, rewards, and rows to imitate once there was a selection."""
        places = (self._place + np.arange(count)) % len(self.rewards)
        self._place = int(self._place + count) % len(self.rewards)
        for place in places:
            self._best.add(self._architectures[place], float(self.rewards[place]))
        best = self._best.rows() if self._best.selected else None
        return self.rows[places], self.rewards[places], best
