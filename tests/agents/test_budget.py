"""What the agent's open options become."""

from __future__ import annotations

import pytest

from autodl.agents.budget import Learning, learning
from autodl.agents.options import AgentOptions


@pytest.mark.parametrize("trials", [1, 24, 100, 8400])
def test_with_a_batch_size_it_is_the_published_agent(trials):
    found = learning(AgentOptions(batch_size=10), trials)
    assert found == Learning(10, 1e-3, 0.0, normalise=False, imitated=0, waits=True)


@pytest.mark.parametrize(
    "trials, size, rate", [(1, 1, 0.02), (100, 1, 0.02), (400, 2, 0.01), (2500, 10, 0.004)]
)
def test_without_one_it_follows_the_budget(trials, size, rate):
    found = learning(AgentOptions(), trials)
    assert found.batch_size == size
    assert found.learning_rate == pytest.approx(rate, rel=1e-12)
    assert found.waits == (size > 1)
    assert (found.entropy_weight, found.normalise, found.imitated) == (0.03, True, 5)


@pytest.mark.parametrize("batch", [{}, {"batch_size": 4}])
def test_what_is_said_is_kept(batch):
    said = {"learning_rate": 0.3, "entropy_weight": 0.0, "normalise": False, "imitated": 0}
    found = learning(AgentOptions(**batch, **said), 50)
    assert found == Learning(
        batch.get("batch_size", 1), 0.3, 0.0, normalise=False, imitated=0, waits=bool(batch)
    )


def test_a_stored_run_of_an_earlier_version_is_the_published_agent():
    """Its options are all on record, and those that came later say nothing."""
    stored = AgentOptions(batch_size=6, learning_rate=0.005, entropy_weight=0.0)
    assert learning(stored, 24) == Learning(6, 0.005, 0.0, normalise=False, imitated=0, waits=True)
    known = {"batch_size", "hidden", "layers", "learning_rate", "entropy_weight", "baseline_decay"}
    known |= {"advantage_power", "temperature", "squash"}
    assert stored.identity().keys() == known
