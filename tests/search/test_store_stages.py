"""What the store keeps of trials in stages, and the keys of identical architectures."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest
from store_for_tests import ARCHITECTURES, complete, failed, one_line, paused_at, proposals

from autodl.errors import StoreError
from autodl.runs.store import Proposal, Report, TrialStore
from autodl.trial import Evaluation, TrialState


def test_a_report_pauses_a_trial_and_stays_when_it_goes_on(store, path):
    store.propose(proposals(0, 1, 2))
    store.start(1)
    store.report(complete(1, 0.25, fidelity=0.5), 3, (0.25, -7.0))
    store.report(paused_at(0, 0.1 + 0.2), 3, [0.1 + 0.2])
    expected = [Report(1, 3, (0.25, -7.0)), Report(0, 3, (0.1 + 0.2,))]
    with closing(TrialStore(path, read_only=True)) as other:
        assert list(other.reports()) == expected
        assert other.paused() == [paused_at(0, 0.1 + 0.2), replace(paused_at(1, 0.25), **LEAN)]
        assert other.trial(0) == paused_at(0, 0.1 + 0.2)
        assert (other.count(), other.count_finished(), other.best(9)) == (3, 0, [])
    assert store.proposed() == proposals(2)  # paused ones are not evaluated again
    store.start(0)
    assert [t.id for t in store.paused()] == [1]
    store.finish(replace(paused_at(0, 0.5), state=TrialState.PRUNED))
    store.finish(failed(1))
    assert list(store.reports()) == expected
    assert [(t.state.value, t.fidelity) for t in store.finished()] == [
        *(("PRUNED", 0.5), ("FAILED", 0.0))
    ]
    assert store.best(9) == []  # only complete ones are


LEAN = {"evaluation": Evaluation(0.25, fidelity=0.5)}


def test_what_was_running_stays_so_if_a_stage_of_it_was_reported(store):
    store.propose(proposals(0, 1, 2))
    store.report(paused_at(1, 0.5), 1, (0.5,))
    for i in (0, 1):
        store.start(i)
    store.reset_running()
    assert [t.state.value for t in store.trials()] == ["PROPOSED", "RUNNING", "PROPOSED"]
    assert [trial.id for trial in store.running()] == [1]
    assert store.trial(1).evaluation == paused_at(1, 0.5).evaluation  # with what it had reached


@pytest.mark.parametrize("trial_id", [0, 7])
def test_only_a_trial_that_is_not_finished_reports(store, trial_id):
    store.propose(proposals(0))
    store.finish(complete(0, 1.0))
    with pytest.raises(StoreError, match=f"trial {trial_id} was not proposed, or is finished"):
        store.report(paused_at(trial_id, 0.5), 1, (0.5,))
    assert list(store.reports()) == []


def test_a_trial_that_is_not_there(store):
    with pytest.raises(StoreError, match=r"trials\.sqlite has no trial 3"):
        store.trial(3)


def test_a_damaged_report_is_named(store):
    store.propose(proposals(0))
    store.report(paused_at(0, 0.5), 1, (0.5,))
    for text in ("{", "7", '["x"]', "null"):
        store._db.execute("UPDATE reports SET objectives = ?", (text,))
        with pytest.raises(StoreError) as error:
            list(store.reports())
        assert "a report of trial 0: " in one_line(error)


def test_the_first_of_a_key(store):
    store.propose([Proposal(i, ARCHITECTURES[i], 0, "ab"[i % 2]) for i in range(7)])
    assert [p.key for p in store.proposed()] == ["a", "b", "a", "b", "a", "b", "a"]
    store.finish(failed(0))
    store.finish(complete(6, 0.5))
    assert store.first_of_key("a", before=2) is None  # itself is not before itself
    assert store.first_of_key("a", before=6).id == 2  # the first failed
    assert store.first_complete("a").id == 6
    store.finish(complete(4, 0.25))
    assert store.first_complete("a") == complete(4, 0.25)
    assert store.first_of_key("c", before=9) is None
    assert store.first_complete("b") is None
    assert (store.has_keys("a"), store.has_keys("b"), store.has_keys("")) == (True, False, True)


def test_proposals_without_a_key_have_no_twins(store):
    store.propose(proposals(0, 1))
    store.finish(complete(0, 0.5))
    assert store.first_of_key("", before=1) is None
    assert store.first_complete("") is None
    assert not store.has_keys("")


def test_proposals_are_found_in_parts(store):
    store.propose(iter(proposals(*range(9))))
    for i in (2, 5):
        store.finish(failed(i))
    assert store.proposed(count=3) == proposals(0, 1, 3)
    assert store.proposed(4, 2) == proposals(4, 6)
    assert store.proposed(7) == proposals(7, 8)
    assert store.proposed(9) == []
