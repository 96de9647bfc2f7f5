"""How fast the parts are: each function measures one of them and returns plain numbers.

Keys carry their unit. Nothing is asserted here or in the tests; the README's table names the
hardware that its figures are from.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from autodl.assemble import SearchConfig, load_data, load_search, make_evaluator, plan_maker
from autodl.data.augment import augmenter
from autodl.data.load import SearchData
from autodl.data.sample import load_sample
from autodl.search.evaluate import evaluate_trial
from autodl.spaces.cell_space import CellSpace
from autodl.spaces.plan import Plan
from autodl.trial import Evaluation, Trial, TrialState

Numbers = dict[str, Any]


class _TokenCountRun:
    """The agent on the token-count task: batches of 10, cells of 10 nodes, 10 operations."""

    def __init__(self, seed: int, learning_rate: float) -> None:
        from autodl.agents.autodl_agent import AutoDLAgent

        self.agent = AutoDLAgent(CellSpace(), seed=seed, learning_rate=learning_rate)
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


def agent() -> Numbers:
    """One iteration of the agent: sample a batch of 10 and learn from it; medians of 200."""
    run = _TokenCountRun(seed=0, learning_rate=1e-3)
    for _ in range(10):
        run.iterate()
    times = np.array([run.iterate()[:2] for _ in range(200)]) * 1e3
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
    config = load_search("search/demo.yaml")
    data = load_data(config)
    if data is None:
        raise ValueError("the demo trains on pictures")
    evaluate = make_evaluator(config, data)
    make_plan = plan_maker(
        config.network, classes=len(data.classes), image_size=data.train.images.shape[1]
    )
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
    from autodl.training.trainer import make_optimizer

    network = PlanNetwork(plan, 0)
    optimizer = make_optimizer(network, config.train)
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


BENCHMARKS: dict[str, Callable[[], Numbers]] = {
    "agent": agent,
    "token-count": token_count,
    "evaluator": evaluator,
    "augment": augment,
}
