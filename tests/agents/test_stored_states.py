"""States that an earlier version stored: both agents go on from them as that version did.

``golden/agents.safetensors`` was written when the agents had a policy each, with what they proposed
next. Proposals hang on float32 sums, so another processor may differ only at a near-tie of a draw.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autodl.agents.autodl_agent import AutoDLAgent
from autodl.agents.options import AgentOptions, ControllerOptions
from autodl.agents.width_controller import WidthController
from autodl.agents.width_policy import PricedDecisions
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import encode_text
from autodl.system.state import decode_state
from autodl.trial import Evaluation, Trial, TrialState

GOLDEN = Path(__file__).parents[1] / "golden" / "agents.safetensors"


@pytest.fixture(scope="module")
def stored():
    return decode_state(GOLDEN.read_bytes())


def test_the_agent_goes_on_from_the_middle_of_a_batch(stored):
    """Two trials of a batch of four are told; six more make it learn twice."""
    space = CellSpace(nodes=3, operations=("conv_1x1", "conv_3x3", "max_pool_3x3"))
    options = AgentOptions(batch_size=4, hidden=6, learning_rate=0.05)
    agent = AutoDLAgent(space, options, seed=9)
    agent.restore(stored["agent"])
    assert agent.diagnostics()["update"] == 10
    found = []

    def ask(ids):
        proposed = agent.ask_batch([np.random.default_rng((3, i, 0)) for i in ids])
        found.extend(map(encode_text, proposed))
        return zip(ids, proposed, strict=True)

    for ids in (range(42, 44), range(44, 48)):
        for number, architecture in ask(ids):
            reward = float(architecture.to_tokens()[0].count(1))
            agent.tell(Trial(number, architecture, TrialState.COMPLETE, Evaluation(reward)))
    ask(range(60, 70))
    assert agent.diagnostics()["update"] == 12
    assert found == stored["proposals"]


def test_the_width_controller_goes_on(stored):
    decisions = PricedDecisions((2, 3, 2), added=lambda rows: rows[:, -1] + 1, budget=4.0)
    controller = WidthController(decisions, ControllerOptions(hidden=8, learning_rate=0.05), 5)
    controller.restore(stored["controller"])
    drawn = controller.sample(np.random.default_rng(5), 6)
    np.testing.assert_array_equal(drawn, stored["drawn"])
    controller.learn(drawn, (drawn == 1).mean(axis=1))
    later = controller.sample(np.random.default_rng(6), 12)
    np.testing.assert_array_equal(later, stored["drawn_later"])
