"""Keys of work, and what can be had for nothing; its use is tested in test_loop_duplicates.py."""

from __future__ import annotations

from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest

from autodl.errors import ConfigError, StoreError
from autodl.runs.folder import TRIALS
from autodl.runs.store import Proposal, TrialStore
from autodl.search.reuse import EarlierRun, Reuse, WorkKeys
from autodl.spaces.cell.space import CellSpace
from autodl.trial import Evaluation, Trial, TrialState

SPACE = CellSpace(nodes=4)
ONE, OTHER = (SPACE.sample(np.random.default_rng(i)) for i in range(2))
CONTEXT = {"Train": {"epochs": 3}, "Pictures": None}
KEYS = WorkKeys(CONTEXT, SPACE.canonical)
COMPLETE, FAILED, PRUNED = TrialState.COMPLETE, TrialState.FAILED, TrialState.PRUNED


def test_keys_are_those_of_architecture_and_context():
    same = WorkKeys({"Pictures": None, "Train": {"epochs": 3}}, SPACE.canonical)
    longer = WorkKeys({"Pictures": None, "Train": {"epochs": 4}}, SPACE.canonical)
    keys = [k.key(a) for k in (KEYS, longer) for a in (ONE, OTHER)]
    assert len(set(keys)) == 4
    assert [same.key(a) for a in (ONE, OTHER)] == keys[:2]
    assert all(key.startswith(KEYS.context) for key in keys[:2])
    assert longer.context != KEYS.context == same.context


def test_inherited_weights_make_other_work():
    keys = [KEYS.key(ONE), KEYS.key(ONE, KEYS.key(ONE)), KEYS.key(ONE, KEYS.key(OTHER))]
    assert len(set(keys)) == 3


def test_names_of_nodes_are_no_part_of_a_key():
    seen = 0
    for seed in range(40):
        pair = SPACE.sample(np.random.default_rng(seed))
        assert KEYS.key(pair) == KEYS.key(SPACE.canonical(pair))
        seen += pair != SPACE.canonical(pair)
    assert seen > 20
    by_name = WorkKeys(CONTEXT)  # of a space that cannot tell
    assert by_name.key(ONE) != by_name.key(OTHER)


# --- within a run -------------------------------------------------------------------------------


@pytest.fixture
def store(open_store):
    """A function that stores trials of ``ONE`` in these states; None: proposed only."""

    def make(*states, name="run"):
        store = open_store(name)
        fill(store, states)
        return store

    return make


def fill(store, states, keys=KEYS):
    store.propose([Proposal(i, ONE, 0, keys.key(ONE)) for i in range(len(states))])
    for i, state in enumerate(states):
        if state is not None:
            evaluation = None if state is FAILED else Evaluation(i + 0.5, {"id": float(i)})
            store.finish(
                Trial(i, ONE, state, evaluation, "why" if state is FAILED else "", "", 9.0)
            )


def asked(trial_id, architecture=ONE):
    return Proposal(trial_id, architecture, 0, KEYS.key(architecture))


def test_nothing_is_known_of_another_architecture_or_of_one_without_a_key(store):
    reuse = Reuse(store(COMPLETE), KEYS)
    assert reuse.key(OTHER) == KEYS.key(OTHER)
    assert reuse.find(asked(1, OTHER)) is None
    assert reuse.find(Proposal(1, ONE, 0)) is None


def test_a_child_of_a_parent_without_a_key_is_like_no_other(store):
    """It is not taken for the same network that was trained from scratch."""
    own = store(COMPLETE)
    own.propose([Proposal(1, OTHER, 0)])  # as with Search.reuse=false
    reuse = Reuse(own, KEYS, weights=SimpleNamespace())
    assert reuse.key(ONE, parent=1) == ""
    assert reuse.key(ONE, parent=0) == KEYS.key(ONE, KEYS.key(ONE)) != KEYS.key(ONE)


@pytest.mark.parametrize(
    "states, twin",
    [
        ([COMPLETE, None, None], 0),
        ([PRUNED, COMPLETE, None], 0),
        ([FAILED, COMPLETE, None], 1),
        ([FAILED, FAILED, PRUNED, None], 2),
    ],
)
def test_the_result_is_that_of_the_first_twin_that_did_not_fail(store, states, twin):
    filled = store(*states)
    found = Reuse(filled, KEYS).find(asked(len(states) - 1))
    assert found == Trial(
        *(len(states) - 1, ONE, states[twin], filled.trial(twin).evaluation),
        reason=f"result of trial {twin}",
    )


@pytest.mark.parametrize("states", [[FAILED, None], [None, COMPLETE], [FAILED, None, COMPLETE]])
def test_later_twins_and_failed_ones_give_nothing(store, states):
    """Or it would depend on the number of workers which one is evaluated."""
    assert Reuse(store(*states), KEYS).find(asked(states.index(None))) is None


def test_an_unfinished_twin_is_named(store):
    reuse = Reuse(store(FAILED, None, COMPLETE, None), KEYS)
    found = reuse.find(asked(3))
    assert (found.id, found.state) == (1, TrialState.PROPOSED)


def test_a_reused_result_that_is_reused_names_where_it_comes_from(store):
    filled = store(None, None)
    taken = "result of trial 7 of runs/before"
    filled.finish(Trial(0, ONE, COMPLETE, Evaluation(0.5), taken))
    assert Reuse(filled, KEYS).find(asked(1)).reason == taken


# --- between runs -------------------------------------------------------------------------------


@pytest.fixture
def earlier(tmp_path):
    """A function that makes an earlier run of these states."""
    opened = []

    def make(*states, name="before", keys=KEYS):
        folder = tmp_path / name
        folder.mkdir()
        with closing(TrialStore(folder / TRIALS)) as store:
            fill(store, states, keys)
        opened.append(EarlierRun(folder, KEYS))
        return opened[-1]

    yield make
    for run in opened:
        run.close()


def test_the_first_complete_trial_of_an_earlier_run_is_taken(store, earlier):
    run = earlier(FAILED, None, PRUNED, COMPLETE, COMPLETE)
    found = Reuse(store(None), KEYS, [run]).find(asked(0))
    assert (found.id, found.state, found.reward, found.seconds) == (0, COMPLETE, 3.5, 0.0)
    assert found.reason == f"result of trial 3 of {run.folder}"


def test_failed_and_pruned_trials_of_earlier_runs_are_evaluated_again(store, tmp_path):
    folder = tmp_path / "before"
    folder.mkdir()
    with closing(TrialStore(folder / TRIALS)) as before:
        before.propose([Proposal(3, OTHER, 0, KEYS.key(OTHER))])
        before.finish(Trial(3, OTHER, COMPLETE, Evaluation(0.5)))
        fill(before, [FAILED, PRUNED, None])
    with closing(EarlierRun(folder, KEYS)) as run:
        assert Reuse(store(None), KEYS, [run]).find(asked(0)) is None
        assert Reuse(store(None, name="b"), KEYS, [run]).find(asked(0, OTHER)) is not None


def test_the_run_itself_comes_first_then_earlier_runs_in_their_order(store, earlier):
    runs = [earlier(COMPLETE, name="a"), earlier(FAILED, COMPLETE, name="b")]
    assert Reuse(store(COMPLETE, None), KEYS, runs).find(asked(1)).reason == "result of trial 0"
    fresh = store(None, name="fresh")
    for order in (runs, runs[::-1]):
        found = Reuse(fresh, KEYS, order).find(asked(0))
        assert found.reason.endswith(f"of {order[0].folder}")


@pytest.mark.parametrize("keys", [WorkKeys({"Train": {"epochs": 4}}), None], ids=["other", "none"])
def test_a_run_from_which_nothing_can_come_is_refused(earlier, keys):
    class NoKeys:
        def key(self, architecture):
            return ""

    with pytest.raises(ConfigError) as caught:
        earlier(COMPLETE, COMPLETE, keys=keys or NoKeys())
    assert str(caught.value).startswith("Search.cache: nothing in ")
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(StoreError, match="no trials in"):
        EarlierRun(tmp_path, KEYS)
