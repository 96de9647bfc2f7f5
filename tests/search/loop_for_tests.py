"""What tests of the loop share: an executor that shuffles, a strategy that remembers, evaluators.

``conftest.py`` makes this module importable.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from autodl.search.evaluate import evaluate_trial
from autodl.search.loop import search
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import encode_text
from autodl.system.state import decode_state, encode_state
from autodl.trial import Evaluation, Stage, Trial, TrialFailure, TrialState

SPACE = CellSpace(nodes=3)
SEED = 7


def evaluator(architecture, rng):
    noise = rng.random()
    if noise < 0.2:
        raise TrialFailure("too little noise")
    return Evaluation(noise + architecture.to_tokens()[0].count(1))


class Staged:
    """Gains a little in every epoch, and is lost in some; notes from where to where it trained.

    A checkpoint that is not of this trial and of an earlier epoch fails the trial.
    """

    def __init__(self, epochs=9, lost=0.03):
        self.epochs = epochs
        self.log = []
        self._lost = lost

    def __call__(self, architecture, rng):
        return self.stage(architecture, rng, Stage(self.epochs))

    def stage(self, architecture, rng, stage):
        talent, *noise = rng.random(1 + self.epochs)
        text, tokens = encode_text(architecture), architecture.to_tokens()[0]
        begun, reward, curve = 0, 0.0, []
        if stage.checkpoint:
            state = decode_state(stage.checkpoint)
            assert (state["architecture"], state["talent"]) == (text, talent)
            begun, reward, curve = len(state["curve"]), state["reward"], state["curve"]
            assert begun < stage.epochs <= self.epochs
        self.log.append((text, begun, stage.epochs))
        for epoch in range(begun, stage.epochs):
            if noise[epoch] < self._lost:
                raise TrialFailure(f"lost in epoch {epoch + 1}")
            reward += (talent + tokens.count(1) / 6 + noise[epoch] / 2) / (epoch + 1)
            curve.append({"epoch": epoch + 1.0, "reward": reward})
        costs = {"accuracy": reward, "macs": float(sum(tokens))}
        state = {"architecture": text, "talent": talent, "reward": reward, "curve": curve}
        fidelity = stage.epochs / self.epochs
        return Evaluation(reward, costs, tuple(curve), fidelity, encode_state(state))


class Heirs:
    """An evaluator whose checkpoint has a draw of the trial and those of its ancestors.

    Its metrics tell the parent's draw, which is that trial's own, so they tell whose weights it
    was given.
    """

    def __init__(self, lost=0.05, epochs=1):
        self._lost = lost
        self._epochs = epochs

    def __call__(self, architecture, rng):
        raise AssertionError("never without a checkpoint to keep")

    def stage(self, architecture, rng, stage):
        draw, luck, lost = rng.random(3).tolist()
        if stage.checkpoint:
            line = decode_state(stage.checkpoint)["line"]
        else:
            line = [*(decode_state(stage.parent)["line"] if stage.parent else []), draw]
        if lost < self._lost:
            raise TrialFailure("lost")
        numbers = {"ancestors": len(line) - 1.0, "parent": line[-2] if len(line) > 1 else -1.0}
        fidelity, state = stage.epochs / self._epochs, encode_state({"line": line})
        return Evaluation(luck, numbers, fidelity=fidelity, checkpoint=state)


def draw_of(trial_id):
    """The draw of a trial that is evaluated by ``Heirs``."""
    return np.random.default_rng((SEED, trial_id, 1)).random()


class Shuffled:
    """Runs up to ``workers`` trials and finishes them in an order of its own."""

    def __init__(self, workers, order_seed, evaluator=evaluator):
        self.workers = workers
        self._evaluator = evaluator
        self._running = deque()
        self._draw = np.random.default_rng(order_seed)
        self.submitted = []
        self.patience = 0

    def submit(self, proposal, stage=None):
        assert len(self._running) < self.workers
        self._running.append((proposal, stage))
        self.submitted.append(proposal.id)

    def running(self):
        return tuple(sorted(proposal.id for proposal, _ in self._running))

    def wait(self, timeout=None):
        assert 0 <= timeout <= 1
        if self.patience:  # so often nothing finishes in time
            self.patience -= 1
            return None
        self._running.rotate(int(self._draw.integers(len(self._running))))
        proposal, stage = self._running.popleft()
        return evaluate_trial(self._evaluator, proposal.id, proposal.architecture, SEED, stage)

    def cut(self, reason):
        trials = [
            Trial(
                proposal.id,
                proposal.architecture,
                TrialState.FAILED,
                reason=reason,
                broken_off=True,
            )
            for proposal, _ in self._running
        ]
        self._running.clear()
        return trials

    def close(self):
        self._running.clear()


class Tracker:
    """Proposals depend on all that was told, in its order; notes what was told."""

    def __init__(self, batch_size):
        self.batch_size = batch_size
        self.told = []

    def ask(self, rng):
        heard = len(self.told)
        if self.batch_size is not None:
            heard -= heard % self.batch_size
        shift = sum(trial_id * (reward or 0.5) for trial_id, reward in self.told[:heard])
        tokens = (rng.integers(10, size=6) + int(1000 * shift)) % 10
        return SPACE.decode(np.concatenate([tokens, rng.integers(2, size=6)]))

    def tell(self, trial):
        self.told.append((trial.id, trial.reward))

    def state(self):
        return {"told": [list(pair) for pair in self.told]}

    def restore(self, state):
        self.told = [tuple(pair) for pair in state["told"]]


def found(store):
    return [
        (trial.id, trial.state, trial.architecture, trial.reward, trial.reason)
        for trial in store.trials()
    ]


def run(store, *, batch_size=None, workers=1, order=0, count=23, strategy=None, every=4):
    strategy = strategy or Tracker(batch_size)
    executor = Shuffled(workers, order)
    options = {"max_trials": count, "seed": SEED, "snapshot_every": every}
    return strategy, list(search(strategy, executor, store, **options))


def states(store):
    return {trial.id: trial.state.value for trial in store.trials() if not trial.state.finished}


class Killed(BaseException):
    pass


def dying(store, method, after):
    """A store that breaks down around the ``after``-th call of a method, done or not."""
    original, calls = getattr(store, method), iter(range(10**6))

    def call(*arguments):
        number = next(calls)
        if number == after and after % 2:
            raise Killed
        original(*arguments)
        if number == after:
            raise Killed

    setattr(store, method, call)
