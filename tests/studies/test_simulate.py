"""A search in memory has the trials of the real loop."""

from contextlib import closing

import pytest

from autodl.agents.autodl_agent import AutoDLAgent
from autodl.agents.options import AgentOptions
from autodl.errors import ConfigError
from autodl.evaluation.synthetic import TokenCount
from autodl.jobs.search.parts import load_search
from autodl.runs.store import TrialStore
from autodl.search.asking import Limits
from autodl.search.executors.inline import InlineExecutor
from autodl.search.loop import search
from autodl.spaces.cell.space import CellSpace
from autodl.strategies.exhaustive_search import ExhaustiveSearch
from autodl.strategies.random_search import RandomSearch
from autodl.studies.simulate import simulate, simulated

SPACE = CellSpace(nodes=3)
REST = Limits(lambda pair: {"rest": sum(pair.to_tokens()[0]) % 4}, {"rest": 1})
FEW = CellSpace(nodes=2, operations=("conv_1x1", "conv_3x3"), tied=True)


@pytest.mark.parametrize("limits", [None, REST], ids=["free", "limited"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomSearch(SPACE),
        lambda: AutoDLAgent(SPACE, AgentOptions(batch_size=4, hidden=8, learning_rate=0.01)),
        lambda: ExhaustiveSearch(FEW),
    ],
    ids=["random", "agent", "prepared"],
)
def test_equals_the_real_loop(tmp_path, make, limits):
    with closing(TrialStore(tmp_path / "trials.sqlite")) as store:
        executor = InlineExecutor(TokenCount(), 7)
        real = list(search(make(), executor, store, max_trials=18, seed=7, limits=limits))
    simulated = list(simulate(make(), TokenCount(), trials=18, seed=7, limits=limits))
    assert [(t.id, t.architecture, t.reward) for t in simulated] == [
        (t.id, t.architecture, t.reward) for t in real
    ]
    assert simulated
    if limits is not None:
        assert not any(limits.excess(trial.architecture) for trial in simulated)


TABLE = "search/cell-agent-table.yaml"
FREE = ["Strategy={name: RandomSearch}", "Search.max_trials=20"]


def refused(*overrides):
    with pytest.raises(ConfigError) as caught:
        simulated(load_search(TABLE, [*FREE, *overrides]))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_simulated_is_refused():
    with pytest.raises(ConfigError, match="trains networks"):
        simulated(load_search("search/demo.yaml"))
    assert "has section Fidelity, and a simulation has no stages" in refused("Fidelity={}")
    assert "builds a network for every" in refused("Search.screen={scores: [macs]}")
    assert "is tried first by a search" in refused("Search.start=[a.json]")
    for name in ("max_hours", "max_core_hours"):
        assert f"Search.{name} ends a search by the clock" in refused(f"Search.{name}=1.5")
    wanted = "Objectives names 'watts', which the evaluator does not tell; it tells accuracy, "
    assert wanted in refused("Objectives={minimise: [watts]}")
    assert "parameters <= 1 (smallest found" in refused("Objectives={limits: {parameters: 1}}")


def test_a_reward_that_is_enough_ends_a_simulation_as_it_ends_a_search():
    whole = simulated(load_search(TABLE, FREE)).rewards
    best_of_ten = max(whole[:10])
    reached = 1 + next(place for place, reward in enumerate(whole) if reward >= best_of_ten)
    target = f"Search.target_reward={best_of_ten}"
    assert simulated(load_search(TABLE, [*FREE, target])).rewards == whole[:reached]
    assert reached < len(whole)
    assert simulated(load_search(TABLE, [*FREE, "Search.target_reward=2"])).rewards == whole


def test_simulated_searches_keep_to_the_limits():
    free = simulated(load_search(TABLE, FREE))
    sizes = sorted(metrics["macs"] for metrics in free.metrics)
    most = sizes[10]
    limits = f"Objectives={{limits: {{macs: {most}}}}}"
    limited = simulated(load_search(TABLE, [*FREE, limits]))
    assert len(limited.rewards) == 20
    assert all(metrics["macs"] <= most for metrics in limited.metrics)


def test_seconds_are_those_of_the_training_and_none_where_a_result_is_known():
    trials = simulated(load_search(TABLE, FREE))
    assert all(
        second in (0.0, metrics["seconds"])
        for second, metrics in zip(trials.seconds, trials.metrics, strict=True)
    )
    assert max(trials.seconds) > 1  # a training took some 20
