"""Small policies whose parameters are far from their start, so that decisions are uneven."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.agents.decisions import Decisions, decisions_of
from autodl.agents.design_policy import DesignPolicy
from autodl.agents.reinforce_policy_gradient import ReinforcePolicyGradient
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.operations import operation_names


@pytest.fixture
def cells():
    def decisions(blocks, nodes, choices):
        """Those of cells: ``blocks * nodes`` operations, then their bits."""
        names = operation_names()[:choices]
        return decisions_of(CellSpace(nodes, names, tied=blocks == 1))

    return decisions


@pytest.fixture
def make_algorithm(cells):
    def make(*shape, hidden=8, layers=2, scale=1.0, seed=0, **options):
        """``shape`` is that of cells, or a tuple of sizes.

        ``scale`` is the deviation of all parameters; None keeps the initial ones.
        """
        paddle.seed(seed)
        decisions = cells(*shape) if len(shape) == 3 else Decisions(*shape)
        model = DesignPolicy(decisions, hidden=hidden, layers=layers)
        if scale is not None:
            rng = np.random.default_rng(seed)
            for parameter in model.parameters():
                value = rng.normal(size=parameter.shape) * scale
                parameter.set_value(value.astype("float32"))
        return ReinforcePolicyGradient(model, **options)

    return make
