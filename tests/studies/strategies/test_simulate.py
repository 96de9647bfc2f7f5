"""A search in memory has the trials of the real loop."""

from contextlib import closing

import pytest

from autodl.agents.autodl_agent import AutoDLAgent
from autodl.agents.options import AgentOptions
from autodl.evaluation.synthetic import TokenCount
from autodl.runs.store import TrialStore
from autodl.search.asking import Limits
from autodl.search.executors.inline import InlineExecutor
from autodl.search.loop import search
from autodl.spaces.cell.space import CellSpace
from autodl.strategies.exhaustive_search import ExhaustiveSearch
from autodl.strategies.random_search import RandomSearch
from autodl.studies.strategies.simulate import simulate

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
