"""Exhaustive search through the real loop and store."""

from contextlib import closing

import numpy as np
import pytest

from autodl.evaluation.synthetic import TokenCount
from autodl.runs.store import TrialStore
from autodl.search.executors.inline import InlineExecutor
from autodl.search.loop import search
from autodl.spaces.cell.space import CellSpace
from autodl.strategies.exhaustive_search import ExhaustiveSearch
from autodl.strategies.strategy import Exhausted

SPACE = CellSpace(nodes=2, operations=("conv_1x1", "conv_3x3"), tied=True)


def run(path, max_trials):
    with closing(TrialStore(path)) as store:
        strategy = ExhaustiveSearch(SPACE)
        executor = InlineExecutor(TokenCount(), 0)
        trials = list(search(strategy, executor, store, max_trials=max_trials, seed=0))
        return trials, [trial.architecture for trial in store.finished()]


def test_evaluates_everything_once_and_then_ends(tmp_path):
    """Of 2 * 2 * 2 encodings of two nodes, the two unconnected mixed ones are the same graph."""
    trials, stored = run(tmp_path / "a", max_trials=1000)
    assert len(trials) == 7
    assert stored == list(SPACE.architectures())


def test_goes_on_where_it_was_stopped(tmp_path):
    first, _ = run(tmp_path / "a", max_trials=3)
    rest, stored = run(tmp_path / "a", max_trials=1000)
    assert [t.id for t in [*first, *rest]] == list(range(7))
    assert stored == list(SPACE.architectures())


def test_has_nothing_more_to_propose():
    with pytest.raises(Exhausted, match="every architecture of the space was proposed"):
        ExhaustiveSearch(SPACE).ask(np.random.default_rng(0))


def test_untied_space_lists_pairs():
    pairs = list(CellSpace(nodes=2, operations=("conv_1x1", "conv_3x3")).architectures())
    assert len(pairs) == len(set(pairs)) == 7 * 7
