"""What every strategy promises; see ``autodl/strategies/strategy.py``."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from own_space_for_tests import CountOnes, Signs

from autodl.config.components import Component, table
from autodl.evaluation.synthetic import TargetMatch, TokenCount
from autodl.runs.store import TrialStore
from autodl.search.executors.inline import InlineExecutor
from autodl.search.loop import search
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.chain.space import ChainSpace
from autodl.spaces.codec import encode_text
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.spaces.mobile.space import MobileSpace
from autodl.spaces.rows import listing
from autodl.spaces.sequence.space import SequenceSpace
from autodl.spaces.width.space import make_width_space
from autodl.strategies.strategy import BatchStrategy, Prepared, Strategy, Watchable
from autodl.system.state import decode_state, encode_state
from autodl.trial import Evaluation, Trial, TrialState

# Every strategy takes every one of them; the last is a user's own, twenty lines and rows alone.
SPACES = {
    "mobile": MobileSpace(),
    "cells": CellSpace(nodes=3),
    "series": SequenceSpace(blocks=3),
    "edges": EdgeCellSpace(),
    "chains": ChainSpace(),
    "widths": make_width_space("resnet20", (4, 8, 16)),
    "own": Signs(),
}
MOBILE = SPACES["mobile"]
SCORES = {"cell_pair": TokenCount(1), "mobile": TargetMatch(1), "signs": CountOnes()}
# Small sizes, and all that changes the algorithm; without an entry the defaults are tested.
FEW = {"population": 5, "tournament": 3}
POOL = {"initial": 4, "listed": 150, "random": 40, "parents": 2, "mutated": 20, "shortlist": 30}
NAO = {
    **{"seeds": 4, "batch_size": 4, "elite": 2, "farthest": 1, "epochs": 1, "hidden": 4},
    **{"embedding": 2, "predictor_layers": 1, "predictor_width": 4, "tokens_per_step": 8},
}
OPTIONS = {
    "Ablr": [{"initial": 4, "width": 4, "steps": 2}],
    "AdditiveThompson": [{"initial": 4, "nodes": 2, "group": 1, "partitions": 1}],
    "MetaBO": [{"initial": 4}],
    "Nasbot": [{"initial": 6, "structure_weights": [0.5], "least": 2, "most": 4}],
    "AutoDLAgent": [
        {"batch_size": 4, "hidden": 8, "learning_rate": 0.1},
        {"hidden": 8, "imitated": 3},
        {"batch_size": 4, "hidden": 8, "normalise": True, "imitated": 3, "epochs": 2},
    ],
    "ModelBasedAgent": [
        {"hidden": 4, "layers": 1, "initial": 3, "candidates": 4, "model": "ridge"}
    ],
    "Nao": [NAO],
    "TaskConditionedAgent": [{"batch_size": 4, "hidden": 4, "layers": 1, "task_width": 2}],
    "ElasticTransfer": [{**FEW, "mutation": mutation} for mutation in ("mutate", "perturb")],
    "Surrogate": [
        {**POOL, "model": "ridge", "acquisition": "thompson"},
        {**POOL, "initial": 6},
        {**POOL, "model": "forest"},
    ],
    "Evolution": [FEW, {**FEW, "retire": "oldest"}, {**FEW, "patience": 100}],
}
# The search of "Surrogate", which is tried on every space, with models of their own that see rows.
FEW_SPACES = {
    "Ablr": {"own"},
    "AdditiveThompson": {"series", "own"},
    "LatentFactors": {"own"},
    "MetaBO": {"own"},
    "Nasbot": {"cells"},
}
# Without a batch size these learn from each trial at once, so that the order of trials counts.
AT_ONCE = {"AutoDLAgent", "ModelBasedAgent", "TaskConditionedAgent"}
# These go on from an architecture.
STARTED = {"ElasticTransfer"}


# These propose all they have before the first trial and are never asked with success.
LISTED = {"ExhaustiveSearch"}


@dataclass
class Maker:
    """Makes one more strategy of the kind under test whenever it is called."""

    name: str
    space: Any
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self, seed=5):
        entry = table("Strategy")[self.name]
        given = Component("Strategy", self.name, entry.load_options()(**self.options)).arguments()
        source = {"source": self.space.sample(rng(0))} if self.name in STARTED else {}
        return entry.load_factory()(self.space, seed=seed, **source, **given)

    def __str__(self):
        plain = [str(value) for value in self.options.values() if isinstance(value, str | int)]
        return "-".join([self.name, type(self.space).__name__, *plain])


def spaces_of(name):
    return [space for kind, space in SPACES.items() if kind in FEW_SPACES.get(name, SPACES)]


MAKERS = [
    Maker(name, space, options)
    for name in sorted(table("Strategy").keys() - LISTED)
    for space in spaces_of(name)
    for number, options in enumerate(OPTIONS.get(name, [{}]))
    if number == 0 or space is MOBILE  # what changes the algorithm is tried on one space
]
# Proposing, learning, storing and the loop are tried on every space; what a strategy does with
# any row alike, on its first.
at_home = pytest.mark.parametrize(
    "make", [maker for maker in MAKERS if maker.space is spaces_of(maker.name)[0]], ids=str
)


@pytest.fixture(params=MAKERS, ids=str)
def make(request):
    return request.param


def rng(trial_id):
    return np.random.default_rng((5, trial_id, 0))


def ask(strategy, ids):
    return [strategy.ask(rng(i)) for i in ids]


def propose(strategy, ids):
    """What the loop would have evaluated: first what the strategy has prepared."""
    prepared = list(strategy.initial()) if isinstance(strategy, Prepared) else []
    return [prepared[i] if i < len(prepared) else strategy.ask(rng(i)) for i in ids]


def score(architecture, generator):
    return SCORES.get(architecture.to_json()["kind"], numbers)(architecture, generator)


def numbers(architecture, generator):
    """Some score of any architecture: how often the digit 1 is in its text."""
    return Evaluation(float(encode_text(architecture).count("1")))


def scored(trial_id, architecture, *, failed=False):
    if failed:
        return Trial(trial_id, architecture, TrialState.FAILED, reason="it was to fail")
    evaluation = score(architecture, rng(trial_id))
    return Trial(trial_id, architecture, TrialState.COMPLETE, evaluation)


def history(strategy, count, *, failed=()):
    """Propose and tell as the loop does it, batch by batch; returns the trials."""
    size, trials = strategy.batch_size or 1, []
    for first in range(0, count, size):
        ids = range(first, min(first + size, count))
        batch = [
            scored(i, a, failed=i in failed)
            for i, a in zip(ids, propose(strategy, ids), strict=True)
        ]
        for trial in batch:
            strategy.tell(trial)
        trials += batch
    return trials


def packed(strategy):
    """The state as bytes, so that arrays are compared bit by bit."""
    return encode_state(strategy.state())


def test_it_has_the_role(make):
    strategy: Strategy = make()
    assert strategy.batch_size is None or strategy.batch_size >= 1
    assert strategy.state() is not strategy.state()


def test_proposals_are_of_the_space(make):
    for architecture in ask(make(), range(6)):
        assert make.space.check(architecture) is architecture


def test_proposals_depend_on_the_generator_alone(make):
    strategy = make()
    once = ask(strategy, range(8))
    assert ask(strategy, reversed(range(8)))[::-1] == once
    assert ask(make(), range(8)) == once
    assert len(set(once)) > 1


@at_home
def test_asking_changes_nothing(make):
    strategy = make()
    history(strategy, 10)
    before = packed(strategy)
    ask(strategy, range(20, 25))
    assert packed(strategy) == before


def test_asking_for_a_batch_is_asking_one_by_one(make):
    strategy = make()
    if not isinstance(strategy, BatchStrategy):
        assert not hasattr(strategy, "ask_batch")
        return
    history(strategy, 8)
    one_by_one = ask(strategy, range(30))
    together = strategy.ask_batch([rng(i) for i in range(30)])
    parts = strategy.ask_batch([rng(i) for i in range(7)]) + strategy.ask_batch(
        [rng(i) for i in range(7, 30)]
    )
    assert together == one_by_one == parts


@at_home
def test_a_part_of_a_batch_changes_no_proposal(make):
    # a last batch that is cut short by max_trials is asked for the rest of it later
    strategy = make()
    if strategy.batch_size is None:
        return
    history(strategy, 2 * strategy.batch_size)
    expected = ask(strategy, range(100, 110))
    history(strategy, strategy.batch_size - 1)
    assert ask(strategy, range(100, 110)) == expected


@at_home
@pytest.mark.parametrize("count", [0, 9])
def test_a_restored_strategy_goes_on_as_the_one_that_was_stored(make, count):
    stored, restored = make(), make(seed=6)
    history(stored, count)
    if count >= 8:  # also one that has learnt already is brought to what another one learnt
        history(restored, 6)
    restored.restore(decode_state(packed(stored)))
    assert packed(restored) == packed(stored)
    assert ask(restored, range(50, 60)) == ask(stored, range(50, 60))
    history(stored, 5)
    history(restored, 5)
    assert packed(restored) == packed(stored)


@at_home
def test_the_state_is_not_changed_by_what_comes_later(make):
    strategy = make()
    history(strategy, 9)
    state = strategy.state()
    kept = encode_state(state)
    history(strategy, 9)
    assert encode_state(state) == kept
    strategy.restore(state)
    history(strategy, 9)
    assert encode_state(state) == kept


def test_snapshot_and_replay_of_the_rest_equal_a_full_replay(make):
    _snapshot_and_replay(make, told=10)


@at_home
def test_so_does_a_snapshot_before_anything_was_learnt(make):
    _snapshot_and_replay(make, told=3)


def _snapshot_and_replay(make, told):
    whole, snapshot, resumed = make(), make(), make()
    trials = history(whole, 13, failed={4, 9})
    for trial in trials[:told]:
        snapshot.tell(trial)
    resumed.restore(decode_state(packed(snapshot)))
    for trial in trials[told:]:
        resumed.tell(trial)
    assert packed(resumed) == packed(whole)
    assert ask(resumed, range(90, 99)) == ask(whole, range(90, 99))


@at_home
def test_failed_trials_are_tolerated_even_if_all_fail(make):
    strategy = make()
    history(strategy, 12, failed=range(12))
    make.space.check(ask(strategy, [12])[0])
    history(strategy, 12)


@at_home
def test_a_failed_trial_does_not_shift_rewards_to_other_architectures(make):
    # what follows from (a0, r0), (a1, failed), (a2, r2), ... is the same whatever a1 was
    strategy, other = make(), make()
    size = strategy.batch_size or 4
    architectures = ask(strategy, range(size))
    replaced = [*architectures[:1], *ask(strategy, [77]), *architectures[2:]]
    for made, batch in ((strategy, architectures), (other, replaced)):
        for i, architecture in enumerate(batch):
            made.tell(scored(i, architecture, failed=i == 1))
    assert ask(strategy, range(60, 70)) == ask(other, range(60, 70))


@at_home
def test_only_the_pairs_of_architecture_and_reward_count(make):
    # a batch whose failed trials stand at other places teaches the same: sums over pairs.
    # Rewards are exchanged between runs only as far as their architectures are.
    first, second = make(), make()
    if first.batch_size is None and make.name in AT_ONCE:
        return
    size = first.batch_size or 4
    architectures = ask(first, range(size))
    orders = (range(size), reversed(range(size)))
    for strategy, order in zip((first, second), orders, strict=True):
        for position, i in enumerate(order):
            evaluation = None if i == 1 else Evaluation(float(i))
            state = TrialState.FAILED if i == 1 else TrialState.COMPLETE
            strategy.tell(Trial(position, architectures[i], state, evaluation))
    # float32 sums in another order: a proposal may only differ at a near-tie of a draw
    same = sum(a == b for a, b in zip(ask(first, range(40)), ask(second, range(40)), strict=True))
    assert same >= 39


@at_home
def test_the_state_holds_plain_values_only(make):
    strategy = make()
    history(strategy, 9)

    def plain(value):
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(item) for key, item in value.items())
        if isinstance(value, list):
            return all(plain(item) for item in value)
        return value is None or isinstance(value, int | float | str | np.ndarray)

    assert plain(strategy.state())


@at_home
def test_diagnostics_count_the_updates(make):
    strategy = make()
    if not isinstance(strategy, Watchable):
        return
    size = strategy.batch_size or 1
    assert strategy.diagnostics()["update"] == 0
    history(strategy, 3 * size)
    assert strategy.diagnostics()["update"] == 3
    assert all(np.isfinite(value) for value in strategy.diagnostics().values())
    json.dumps(dict(strategy.diagnostics()))


def test_the_loop_can_drive_it(make, tmp_path):
    store = TrialStore(tmp_path / "trials.sqlite")
    executor = InlineExecutor(score, seed=5)
    found = list(search(make(), executor, store, max_trials=10, seed=5, snapshot_every=4))
    store.close()
    assert [trial.id for trial in found] == list(range(10))
    asked = [trial.architecture for trial in history(make(), 10)]
    assert [trial.architecture for trial in found] == asked


@at_home
def test_the_loop_can_begin_with_others(make, tmp_path):
    """Every strategy takes what it has not proposed (``Search.start``), and goes on from there."""
    first = [make.space.sample(np.random.default_rng(seed)) for seed in (91, 92)]
    executor, found = InlineExecutor(score, seed=5), []
    for trials in (5, 9):  # the second time what was told is told again
        with closing(TrialStore(tmp_path / "trials.sqlite")) as store:
            found += search(make(), executor, store, max_trials=trials, seed=5, first=first)
    assert [trial.id for trial in found] == list(range(9))
    assert [trial.architecture for trial in found[:2]] == first


@pytest.mark.parametrize("name", sorted(LISTED))
@pytest.mark.parametrize(
    "space",
    [CellSpace(nodes=1, operations=("conv_1x1", "conv_3x3")), Signs()],
    ids=lambda s: s.kind,
)
def test_the_loop_ends_when_a_listing_strategy_has_nothing_more(name, space, tmp_path):
    factory = table("Strategy")[name].load_factory()
    strategy = factory(space, seed=0)
    for _ in range(2):  # the second time there is nothing left to do
        store = TrialStore(tmp_path / "trials.sqlite")
        list(search(strategy, InlineExecutor(score, seed=5), store, max_trials=500, seed=5))
        found = [trial.architecture for trial in store.finished()]
        store.close()
        assert sorted(map(str, found)) == sorted(map(str, listing(space, "the test")))
