"""How fast the parts are: each function measures one of them and returns plain numbers.

Keys carry their unit. Nothing is asserted here or in the tests; the README's table names the
hardware that its figures are from.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from autodl.agents.options import AgentOptions
from autodl.data.augment import augmenter
from autodl.data.load import SearchData
from autodl.data.sample import load_sample
from autodl.evaluation.synthetic import TokenCount
from autodl.jobs.search.parts import SearchConfig, load_data, load_search, make_evaluator
from autodl.plans.plan import Plan
from autodl.runs.store import Proposal, TrialStore
from autodl.search.evaluate import evaluate_trial
from autodl.search.executors.executor import Executor
from autodl.search.executors.inline import InlineExecutor
from autodl.search.executors.processes import ProcessExecutor
from autodl.search.loop import search
from autodl.search.reuse import Reuse, WorkKeys
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import Architecture
from autodl.spaces.plan_maker import plan_maker
from autodl.strategies.random_search import RandomSearch
from autodl.strategies.strategy import Strategy
from autodl.tasks.pictures import PictureTask
from autodl.trial import Evaluation, Trial, TrialState

Numbers = dict[str, Any]


class _TokenCountRun:
    """The agent on the token-count task: batches of 10, cells of 10 nodes, 10 operations."""

    def __init__(self, seed: int, learning_rate: float) -> None:
        from autodl.agents.autodl_agent import AutoDLAgent

        options = AgentOptions(batch_size=10, learning_rate=learning_rate)
        self.agent = AutoDLAgent(CellSpace(), options, seed=seed)
        self._seed = seed
        self._asked = 0

    def iterate(self) -> tuple[float, float, float]:
        """One iteration: seconds to sample, seconds to learn, mean reward of the batch."""
        began = time.perf_counter()
        ids = range(self._asked, self._asked + 10)
        proposals = self.agent.ask_batch([np.random.default_rng((self._seed, i, 0)) for i in ids])
        sampled = time.perf_counter()
        for trial_id, architecture in zip(ids, proposals, strict=True):
            count = float(architecture.to_tokens()[0].count(1))
            self.agent.tell(Trial(trial_id, architecture, TrialState.COMPLETE, Evaluation(count)))
        learned = time.perf_counter()
        self._asked += 10
        return sampled - began, learned - sampled, self.agent.diagnostics()["mean_reward"]


def agent(iterations: int = 200) -> Numbers:
    """One iteration of the agent: sample a batch of 10 and learn from it; medians."""
    run = _TokenCountRun(seed=0, learning_rate=1e-3)
    for _ in range(10):
        run.iterate()
    times = np.array([run.iterate()[:2] for _ in range(iterations)]) * 1e3
    return {
        "iteration_ms": round(float(np.median(times.sum(axis=1))), 2),
        "sample_ms": round(float(np.median(times[:, 0])), 2),
        "learn_ms": round(float(np.median(times[:, 1])), 2),
        "iterations": len(times),
    }


def token_count() -> Numbers:
    """Until 10 consecutive batches average 17.5 of 20 tokens: iterations and seconds, 5 seeds."""
    iterations, seconds = [], []
    for seed in range(5):
        run, rewards, spent = _TokenCountRun(seed, learning_rate=5e-3), [0.0], 0.0
        while np.mean(rewards[-10:]) < 17.5 and len(rewards) < 2000:
            sampling, learning, reward = run.iterate()
            spent += sampling + learning
            rewards.append(reward)
        iterations.append(len(rewards) - 1)
        seconds.append(round(spent, 2))
    return {
        "iterations": round(float(np.mean(iterations)), 1),
        "seconds": round(float(np.mean(seconds)), 2),
        "iterations_by_seed": iterations,
        "seconds_by_seed": seconds,
        "learning_rate": 5e-3,
    }


def evaluator() -> Numbers:
    """Three trials of the demo: their time outside of forward, backward and update.

    ``ratio_to_floor`` is a trial's time over that of the same steps and forward passes in a bare
    loop on tensors that are there already.
    """
    config = load_search("search/cell-demo.yaml")
    data = load_data(config)
    if not isinstance(data, PictureTask):
        raise ValueError("the demo trains on pictures")
    evaluate = make_evaluator(config, data)
    make_plan = plan_maker(config.network, data.signature)
    space = CellSpace(nodes=4)
    shares, ratios, seconds = [], [], []
    for trial_id in range(4):
        architecture = space.sample(np.random.default_rng((0, trial_id, 0)))
        trial = evaluate_trial(evaluate, trial_id, architecture, 0)
        if trial.evaluation is None:
            raise RuntimeError(trial.reason)
        if trial_id == 0:
            continue  # warms Paddle up
        spent = trial.evaluation.metrics
        shares.append(1.0 - spent["compute_seconds"] / spent["seconds"])
        floor = _bare_seconds(make_plan(architecture), config, data)
        ratios.append(spent["seconds"] / floor)
        seconds.append(spent["seconds"])
    return {
        "outside_share_percent": round(100 * median(shares), 2),
        "ratio_to_floor": round(median(ratios), 3),
        "trial_seconds": round(median(seconds), 2),
        "trials": len(seconds),
    }


def _bare_seconds(plan: Plan, config: SearchConfig, data: SearchData) -> float:
    """Seconds of a trial's updates and forward passes alone."""
    import paddle
    import paddle.nn.functional as F

    from autodl.networks.network import PlanNetwork
    from autodl.recipes.recipe import recipe_of
    from autodl.training.fit import make_optimizer

    network = PlanNetwork(plan, 0)
    optimizer = make_optimizer(network, recipe_of(config.train), config.train.learning_rate)
    size = config.train.batch_size
    images = paddle.to_tensor(data.normalisation.normalise(data.train.images[:size]))
    labels = paddle.to_tensor(data.train.labels[:size])

    def update() -> None:
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
        optimizer.clear_grad(set_to_zero=False)

    updates = config.train.epochs * (len(data.train) // size)
    training = _seconds_each(update, 40) * updates
    network.eval()
    held_out = paddle.to_tensor(data.normalisation.normalise(data.held_out.images))
    with paddle.no_grad():
        measuring = _seconds_each(lambda: network(held_out), 3)
    return training + measuring


def _seconds_each(work: Callable[[], object], times: int) -> float:
    work()
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times


def augment() -> Numbers:
    """Pad-crop, flip and cutout of whole batches of 32x32 pictures, on one core."""
    images = np.tile(load_sample().train.images, (10, 1, 1, 1))
    rng = np.random.default_rng(0)
    change = augmenter(padding=4, cutout_size=16, fill=(125, 123, 114))
    numbers: Numbers = {}
    for batch in (128, 512):
        spans = []
        for _ in range(5):
            began = time.process_time()
            for start in range(0, len(images) - batch + 1, batch):
                positions = np.arange(start, start + batch)
                change(images[start : start + batch], positions, rng)
            spans.append(time.process_time() - began)
        done = (len(images) // batch) * batch
        numbers[f"batch_{batch}_pictures_per_second"] = round(done / median(spans))
    return numbers


def search_speed() -> Numbers:
    """Two worker processes against one, and what the loop costs beside strategy and evaluation."""
    return {**parallel_speed(), **loop_speed()}


def parallel_speed(architectures: int = 4, rounds: int = 3) -> Numbers:
    """Trials per minute of two worker processes and of one, on the demo with 1 epoch; medians.

    Starting the workers and their first trials are left out. Every architecture is evaluated
    twice in a row, so that two workers are busy for as long as each other.
    """
    config = load_search("search/cell-demo.yaml", ["Train.epochs=1"])
    space = CellSpace(nodes=4)
    cells = [space.sample(np.random.default_rng((0, i, 0))) for i in range(architectures)]
    cells = [cell for cell in cells for _ in range(2)]
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        executors = {
            workers: ProcessExecutor(
                "autodl.jobs.search.parts:evaluator_in_worker",
                config.to_plain(),
                0,
                workers=workers,
                log_folder=Path(folder, f"of-{workers}"),
            )
            for workers in seconds
        }
        for workers, executor in executors.items():
            stack.callback(executor.close)
            _evaluate_all(executor, cells[:workers])
        for _ in range(rounds):
            for workers, executor in executors.items():
                began = time.perf_counter()
                _evaluate_all(executor, cells)
                seconds[workers].append(time.perf_counter() - began)
    one, two = median(seconds[1]), median(seconds[2])
    return {
        "speedup": round(one / two, 3),
        "speedups": [round(a / b, 3) for a, b in zip(seconds[1], seconds[2], strict=True)],
        "one_worker_trials_per_minute": round(60 * len(cells) / one, 2),
        "two_workers_trials_per_minute": round(60 * len(cells) / two, 2),
    }


def _evaluate_all(executor: Executor, cells: Sequence[Architecture]) -> None:
    waiting = deque(Proposal(i, cell, 0) for i, cell in enumerate(cells))
    while waiting or executor.running():
        while waiting and len(executor.running()) < executor.workers:
            executor.submit(waiting.popleft())
        trial = executor.wait()
        if trial is not None and trial.evaluation is None:
            raise RuntimeError(trial.reason)


class _TimedStrategy:
    """Random search that adds up its own time."""

    batch_size: int | None = None

    def __init__(self, space: CellSpace) -> None:
        self._strategy = RandomSearch(space)
        self.seconds = 0.0

    def ask(self, rng: np.random.Generator) -> Architecture:
        began = time.perf_counter()
        architecture = self._strategy.ask(rng)
        self.seconds += time.perf_counter() - began
        return architecture

    def tell(self, trial: Trial) -> None:
        self._strategy.tell(trial)

    def state(self) -> dict[str, Any]:
        return self._strategy.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        self._strategy.restore(state)


def loop_speed(trials: int = 100_000) -> Numbers:
    """A search that trains nothing, random over cells of 10 nodes, and resuming it when it is done.

    ``loop_ms_per_trial`` is the time to ask, find twins, store and tell, without the strategy's
    and the evaluator's own; ``loop_memory_growth_mb`` what the process grows by after a tenth of
    the trials. An agent that resumes has its last snapshot and the 99 trials after it.
    """
    from autodl.agents.autodl_agent import AutoDLAgent

    space, evaluator, megabytes = CellSpace(), TokenCount(), list[float]()
    keys = WorkKeys({}, space.canonical)

    def run(strategy: Strategy, store: TrialStore) -> tuple[float, float]:
        """Seconds in all, and of the evaluations."""
        began = time.perf_counter()
        executor, evaluating = InlineExecutor(evaluator, 0), 0.0
        reuse = Reuse(store, keys)
        found = search(strategy, executor, store, max_trials=trials, seed=0, reuse=reuse)
        for done, trial in enumerate(found, start=1):
            evaluating += trial.seconds
            if done in (trials // 10, trials):
                megabytes.append(_megabytes())
        return time.perf_counter() - began, evaluating

    with TemporaryDirectory() as folder:
        path, timed = Path(folder, "trials.sqlite"), _TimedStrategy(space)
        with closing(TrialStore(path)) as store:
            spent, evaluating = run(timed, store)
        with closing(TrialStore(path)) as store:
            resuming, _ = run(_TimedStrategy(space), store)
            agent = AutoDLAgent(space, seed=0)
            store.snapshot(trials - trials % 100 - 100 + 1, agent.state())
        with closing(TrialStore(path)) as store:
            resuming_agent, _ = run(agent, store)
    return {
        "loop_ms_per_trial": round(1e3 * (spent - evaluating - timed.seconds) / trials, 3),
        "loop_memory_growth_mb": round(megabytes[1] - megabytes[0], 1),
        "resume_seconds": round(resuming, 2),
        "resume_agent_seconds": round(resuming_agent, 2),
        "trials": trials,
    }


def _megabytes() -> float:
    """In memory now, by this process; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def reparam() -> Numbers:
    """Latency of networks in the form that was trained and in the fused one."""
    from autodl.jobs.bench.reparam import reparam as measure

    return measure()


def width() -> Numbers:
    """An update of a supernet of widths beside one of the same plain network."""
    from autodl.jobs.bench.width import width as measure

    return measure()


def paths() -> Numbers:
    """An update of one path of a supernet beside one of the same network alone."""
    from autodl.jobs.bench.paths import paths as measure

    return measure()


def update(*, amp: bool = False) -> Numbers:
    """An update of the fast recipe's network beside the matrix products that it needs."""
    from autodl.jobs.bench.update import update as measure

    return measure(amp=amp)


def bits() -> Numbers:
    """The mixture behind bit-widths: a sweep over 2.4 million weights with 256 components."""
    from autodl.jobs.bench.bits import mixture_speed

    return dict(mixture_speed())


def strategies() -> Numbers:
    """A proposal of each surrogate after 1,000 trials."""
    from autodl.jobs.bench.strategies import strategies as measure

    return measure()


BENCHMARKS: dict[str, Callable[[], Numbers]] = {
    "agent": agent,
    "token-count": token_count,
    "evaluator": evaluator,
    "augment": augment,
    "search": search_speed,
    "strategies": strategies,
    "reparam": reparam,
    "bits": bits,
    "width": width,
    "paths": paths,
    "update": update,
    "update-amp": partial(update, amp=True),
}
