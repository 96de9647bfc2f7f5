"""Small policies whose parameters are far from their start, so that decisions are uneven."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.agents.decisions import Decisions
from autodl.agents.policy_model import PolicyModel
from autodl.agents.reinforce_policy_gradient import ReinforcePolicyGradient


@pytest.fixture
def make_algorithm():
    def make(blocks, nodes, choices, *, hidden=8, layers=2, scale=1.0, seed=0, **options):
        """``scale`` is the deviation of all parameters; None keeps the initial ones."""
        paddle.seed(seed)
        model = PolicyModel(Decisions(blocks, nodes, choices), hidden=hidden, layers=layers)
        if scale is not None:
            rng = np.random.default_rng(seed)
            for parameter in model.parameters():
                value = rng.normal(size=parameter.shape) * scale
                parameter.set_value(value.astype("float32"))
        return ReinforcePolicyGradient(model, **options)

    return make
