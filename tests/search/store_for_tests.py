"""What tests of the store share: proposals and results by id; ``conftest.py`` finds it."""

from __future__ import annotations

import numpy as np

from autodl.runs.store import Proposal
from autodl.spaces.cell.space import CellSpace
from autodl.trial import Evaluation, Trial, TrialState

SPACE = CellSpace(nodes=4)
ARCHITECTURES = [SPACE.sample(np.random.default_rng(i)) for i in range(40)]


def proposals(*ids, seen=0):
    return [Proposal(i, ARCHITECTURES[i], seen) for i in ids]


def complete(trial_id, reward, **more):
    evaluation = Evaluation(reward, **more)
    return Trial(trial_id, ARCHITECTURES[trial_id], TrialState.COMPLETE, evaluation, seconds=1.25)


def failed(trial_id):
    state = TrialState.FAILED
    return Trial(
        trial_id, ARCHITECTURES[trial_id], state, None, "too\u00a0deep", "Traceback: x", 0.5
    )


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


def paused_at(trial_id, reward, fidelity=0.5):
    evaluation = Evaluation(reward, {"loss": 1.0}, ({"epoch": 1.0},), fidelity)
    return Trial(trial_id, ARCHITECTURES[trial_id], TrialState.PAUSED, evaluation, seconds=1.25)
