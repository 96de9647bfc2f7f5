"""Weights that children inherit: whose they are, how long they are kept, what losing them does."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from loop_for_tests import SEED, Heirs, Killed, Shuffled, draw_of, dying, found

from autodl.errors import StoreError
from autodl.runs.store import Proposal
from autodl.search.fidelity.halving import AsynchronousSuccessiveHalving
from autodl.search.loop import search
from autodl.search.parent_weights import ParentWeights
from autodl.search.reuse import Reuse, WorkKeys
from autodl.search.staging import Staging
from autodl.spaces.mobile.space import MobileSpace
from autodl.strategies.evolution import Evolution
from autodl.strategies.options import EvolutionOptions
from autodl.system.state import encode_state
from autodl.trial import Evaluation, Stage, Trial, TrialFailure, TrialState

SPACE = MobileSpace()
ONE, OTHER = (SPACE.sample(np.random.default_rng(i)) for i in range(2))
COUNT = 40


@pytest.fixture
def start(open_store, tmp_path):
    """Start or resume an evolution by its name; its strategy, store and trials to come."""

    def start(name="run", *, workers=1, order=0, evaluator=None, staged=False, retire="worst"):
        store = open_store(name)
        strategy = Evolution(
            SPACE, EvolutionOptions(population=6, tournament=3, retire=retire), seed=SEED
        )
        epochs = 4 if staged else 1
        executor = Shuffled(workers, order, evaluator or Heirs(epochs=epochs))
        options = {"weights": ParentWeights(strategy, store, tmp_path / name, epochs)}
        if staged:
            rule = AsynchronousSuccessiveHalving(epochs=epochs, max_trials=COUNT, reduction=2)
            folder = tmp_path / f"{name}-stages"
            options["staging"] = Staging(rule, store, folder, lambda found: (found.reward,))
        trials = search(strategy, executor, store, max_trials=COUNT, seed=SEED, **options)
        return SimpleNamespace(
            strategy=strategy, store=store, trials=trials, folder=tmp_path / name
        )

    return start


def ids(folder):
    return {int(path.stem[6:]) for path in folder.glob("*.safetensors")}


def check_lines(store):
    """Every child was given the weights of the parent that is stored with it."""
    rows = store._read("SELECT id, parent FROM trials")
    parents, trials = dict(rows), {trial.id: trial for trial in store.trials()}
    children = 0
    for trial_id, trial in trials.items():
        if trial.evaluation is None:
            assert trial.reason == "lost"
            continue
        parent = parents[trial_id]
        expected = -1.0 if parent is None else draw_of(parent)
        assert trial.evaluation.metrics["parent"] == expected
        children += parent is not None
    assert children >= 8  # of trials with a result; in stages there are fewer members to breed from
    return parents


@pytest.mark.parametrize("retire", ["worst", "oldest"])
@pytest.mark.parametrize("workers, staged", [(1, False), (3, False), (1, True), (3, True)])
def test_children_are_given_their_parents_weights_and_only_the_population_keeps_any(
    start, workers, staged, retire
):
    run = start(workers=workers, staged=staged, retire=retire)
    for _ in run.trials:
        wanted = {parent for parent in run.store.unfinished().values() if parent is not None}
        there = ids(run.folder)
        assert run.strategy.parents | wanted <= there
        # besides these, what ran to its end in this moment
        assert len(there) <= 6 + len(wanted) + workers
    assert ids(run.folder) == run.strategy.parents
    assert len(ids(run.folder)) == 6
    parents = check_lines(run.store)
    generations = {None: 0}
    for trial_id, parent in parents.items():
        generations[trial_id] = generations[parent] + 1
    assert max(generations.values()) >= (2 if staged else 4)
    if staged:
        states = {trial.state for trial in run.store.trials()}
        assert states >= {TrialState.PRUNED, TrialState.COMPLETE}


METHODS = ("propose", "start", "finish", "report")


@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_search_that_is_killed_anywhere_goes_on_with_the_same_weights(start, workers, staged):
    """With one worker it comes to the very trials of the unbroken search."""
    whole = start("whole", workers=workers, staged=staged)
    list(whole.trials)
    draws, kills = np.random.default_rng(workers), 0
    for attempt in itertools.count():
        run = start("killed", workers=workers, staged=staged, order=attempt)
        methods = METHODS if staged else METHODS[:3]
        dying(run.store, str(draws.choice(methods)), int(draws.integers(1, 15)))
        try:
            list(run.trials)
            break
        except Killed:
            kills += 1
    assert kills >= 3
    assert ids(run.folder) == run.strategy.parents
    parents = check_lines(run.store)
    if workers == 1 and not staged:
        assert parents == check_lines(whole.store)
        assert found(run.store) == found(whole.store)


class Population:
    """A strategy that is told which trials may be parents."""

    def __init__(self, *parents):
        self.parents = frozenset(parents)

    def breed(self, rng):
        raise AssertionError


def trained(trial_id, **more):
    evaluation = Evaluation(0.5, {}, checkpoint=encode_state({"line": [trial_id]}), **more)
    return Trial(trial_id, ONE, TrialState.COMPLETE, evaluation)


@pytest.fixture
def keep(store, tmp_path):
    """Weights of trials 0 to 3, and a proposal 4 that descends from 1; the population is 2, 3."""
    strategy = Population()
    weights = ParentWeights(strategy, store, tmp_path / "weights", 7)
    store.propose([Proposal(i, ONE, 0) for i in range(4)])
    weights.recover()
    strategy.parents = frozenset({2, 3})
    child = Proposal(4, OTHER, 0, "", 1)
    store.propose([child])
    weights.proposed([child])
    for i in range(4):
        trial = weights.keep(trained(i))
        assert trial.evaluation.checkpoint == b""
        store.finish(trial)
        weights.finished(trial)
    return weights, strategy, child, tmp_path / "weights"


def test_weights_go_when_neither_the_population_nor_a_proposal_needs_them(keep, store):
    weights, strategy, _, folder = keep
    assert ids(folder) == {1, 2, 3}
    weights.finished(trained(4))
    assert ids(folder) == {2, 3}
    strategy.parents = frozenset({3})
    weights.remove_unneeded(untold=[2])  # it may become a parent when it is told
    assert ids(folder) == {2, 3}
    weights.remove_unneeded()
    assert ids(folder) == {3}


def test_a_fresh_start_has_the_parents_weights_and_a_later_stage_its_own(keep):
    weights, _, child, _ = keep
    stage = weights.begin(child, None)
    assert stage == Stage(7, parent=encode_state({"line": [1]}))
    assert weights.begin(child, Stage(2)).parent == stage.parent
    assert weights.begin(child, Stage(2, b"own")) == Stage(2, b"own")
    assert weights.begin(Proposal(9, ONE, 0), None) == Stage(7)


@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_weights_that_cannot_be_read_fail_the_child_and_never_start_it_from_scratch(keep, harm):
    weights, _, child, folder = keep
    path = folder / "trial-000001.safetensors"
    path.unlink() if harm == "missing" else path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(TrialFailure, match=r"weights of trial 1, which it inherits, .*000001"):
        weights.begin(child, None)


@pytest.mark.parametrize("staged", [False, True])
def test_such_a_failure_is_recorded_and_the_search_goes_on(start, staged):
    run = start(staged=staged)
    for trial in run.trials:
        parents = run.strategy.parents
        if len(parents) == 6 and trial.id < 25 and len(ids(run.folder)) > 4:
            (run.folder / f"trial-{min(parents):06d}.safetensors").unlink(missing_ok=True)
    trials = list(run.store.trials())
    assert len(trials) == COUNT
    reasons = [trial.reason for trial in trials if trial.state is TrialState.FAILED]
    assert any(reason.startswith("the weights of trial") for reason in reasons)
    assert sum(trial.state is TrialState.COMPLETE for trial in trials) > 6


def test_a_population_that_has_lost_all_weights_ends_with_an_error(start):
    run = start()
    for trial in run.trials:
        if trial.id == 20:
            break
    run.trials.close()
    for path in run.folder.iterdir():
        path.unlink()
    with pytest.raises(StoreError, match=r"lost the weights of all 6 trials .* begin a new run"):
        list(start().trials)


def test_what_a_kill_has_left_over_is_removed_but_not_what_is_still_to_be_finished(keep, store):
    """A trial whose last stage is stored may be finished without training again."""
    weights, strategy, child, folder = keep
    weights.keep(trained(4))
    (folder / "trial-000077.safetensors").write_bytes(b"")
    (folder / ".trial-000004.safetensors.0a1b.safetensors").write_bytes(b"half")  # written aside
    (folder / "notes.txt").write_text("mine")
    again = ParentWeights(strategy, store, folder, 7)
    again.recover()
    assert ids(folder) == {1, 2, 3, 4}
    assert (folder / "notes.txt").exists()
    assert again.begin(child, None).parent == encode_state({"line": [1]})


def test_what_was_trained_in_part_is_nobodys_parent(keep):
    weights, _, _, folder = keep
    trial = trained(4, fidelity=0.5)
    assert weights.keep(trial) is trial
    assert ids(folder) == {1, 2, 3}


def test_a_result_is_taken_over_only_with_its_weights(keep, store):
    weights, _, _, folder = keep
    reuse = Reuse(store, WorkKeys({}), weights=weights)
    store.propose([Proposal(i, ONE, 0, reuse.key(ONE)) for i in (5, 6)])
    trial = weights.keep(trained(5))
    store.finish(trial)
    copy = reuse.find(Proposal(6, ONE, 0, reuse.key(ONE)))
    assert (copy.id, copy.reward, copy.reason) == (6, 0.5, "result of trial 5")
    assert (folder / "trial-000006.safetensors").read_bytes() == encode_state({"line": [5]})
    (folder / "trial-000005.safetensors").unlink()
    assert reuse.find(Proposal(7, ONE, 0, reuse.key(ONE))) is None
    weights.finished(trial)
    weights.finished(copy)
    assert reuse.find(Proposal(7, ONE, 0, reuse.key(ONE))) is None
    assert ids(folder) == {1, 2, 3}


def test_the_key_of_a_child_depends_on_its_line_and_scratch_is_never_mixed_in(keep, store):
    weights, _, _, _ = keep
    keys = WorkKeys({"a": 1})
    reuse, plain = Reuse(store, keys, weights=weights), Reuse(store, keys)
    store.propose([Proposal(5, ONE, 0, reuse.key(ONE)), Proposal(6, OTHER, 0, reuse.key(OTHER))])
    first, second = reuse.key(OTHER, 5), reuse.key(OTHER, 6)
    assert len({first, second, reuse.key(OTHER)}) == 3
    store.propose([Proposal(7, OTHER, 0, first, 5), Proposal(8, OTHER, 0, second, 6)])
    assert reuse.key(ONE, 7) != reuse.key(ONE, 8)  # the grandparents differ
    assert plain.key(OTHER, 5) == plain.key(OTHER) == reuse.key(OTHER)
