"""Milestones of searches: trials to a reward, and what the best had after some."""

from __future__ import annotations

import math

import pytest

from autodl.errors import ConfigError
from autodl.studies.milestones import milestone_lines, reached, with_earlier, with_front
from autodl.studies.outcome import Outcome, Trials
from autodl.tasks.task import ABSOLUTE_ERROR


def search(rewards, seed=0, name="random"):
    metrics = tuple({"test": 10 * reward} for reward in rewards)
    return Outcome(name, seed, {}, Trials(tuple(rewards), (0.0,) * len(rewards), metrics))


def test_the_best_by_reward_is_read_after_so_many_trials():
    one = search([0.1, 0.3, 0.2, 0.5])
    columns = ["test", "test_after_2", "reward_after_3", "test_after_5", "macs_after_1"]
    found = with_earlier(one, columns).values
    assert found.keys() == {"test_after_2", "reward_after_3", "test_after_5", "macs_after_1"}
    assert (found["test_after_2"], found["reward_after_3"]) == (3.0, 0.3)
    assert math.isnan(found["test_after_5"])
    assert math.isnan(found["macs_after_1"])
    training = Outcome("plain", 0, {"accuracy": 0.5})
    assert with_earlier(training, columns) is training


def test_who_never_reaches_a_reward_is_later_than_all_who_do():
    searches = [search([0.1, 0.5]), search([0.5, 0.1]), search([float("nan"), 0.2])]
    assert reached(searches, 0.5) == (2.0, 2)
    assert reached(searches, 0.6) == (math.inf, 0)
    assert reached(searches[:2], 0.5) == (1.5, 2)
    assert reached([search([0.1]), search([0.9])], 0.5) == (math.inf, 1)
    assert reached([], 0.5) == (math.inf, 0)


def test_an_error_is_reached_from_above():
    """Rewards are its negative, and levels what the table shows."""
    errors = Trials((-0.3, -0.2, -0.1), (0.0,) * 3, metric=ABSOLUTE_ERROR)
    one = Outcome("random", 0, {}, errors)
    assert reached([one], 0.2) == (2.0, 1)
    assert reached([one], 0.05) == (math.inf, 0)
    assert next(milestone_lines([one], [0.2])).startswith("median trials to a mae (")


def test_lines_say_how_many_reach_it():
    searches = [search([0.1, 0.5]), search([0.5], 1), search([0.2, 0.3], name="other")]
    assert list(milestone_lines(searches, [0.25, 0.5])) == [
        "median trials to a reward (searches that reach it):",
        "  random: 0.25: 1.5 (2 of 2), 0.5: 1.5 (2 of 2)",
        "  other: 0.25: 2 (1 of 1), 0.5: never (0 of 1)",
    ]
    assert list(milestone_lines(searches, [])) == []


def costly(rewards, costs, **more):
    metrics = tuple({"macs": cost} for cost in costs)
    return Outcome("random", 0, {}, Trials(rewards, (0.0,) * len(rewards), metrics, **more))


def test_a_front_is_a_column_also_of_the_first_trials():
    one = with_front(costly((0.3, 0.5, 0.2), (2.0, 3.0, 1.0)), {"reward": 0.1, "macs": 4.0})
    found = with_earlier(one, ["hypervolume_after_1"])
    # 0.2 x 1/2, then 0.2 x 1/4 more, then 0.1 x 1/4 more
    assert found.values == {"hypervolume_after_1": pytest.approx(0.1)}
    assert one.trials.values()["hypervolume"] == pytest.approx(0.1 + 0.05 + 0.025)
    errors = costly((-0.3, -0.1), (2.0, 3.0), metric=ABSOLUTE_ERROR)
    found = with_front(errors, {"absolute_error": 0.5, "macs": 4.0}).trials.values()
    assert found["hypervolume"] == pytest.approx(0.2 * 0.5 + 0.2 * 0.25)
    training = Outcome("plain", 0, {"accuracy": 0.5})
    assert with_front(training, {"reward": 0.1, "macs": 4.0}) is training


def test_a_front_of_what_no_trial_has_is_refused():
    with pytest.raises(ConfigError, match="begins with reward, the reward of these searches"):
        with_front(costly((0.3,), (2.0,)), {"accuracy": 0.1, "macs": 4.0})
    with pytest.raises(ConfigError, match=r"'mac', which no trial of random has\. Did you mean"):
        with_front(costly((0.3,), (2.0,)), {"reward": 0.1, "mac": 4.0})
