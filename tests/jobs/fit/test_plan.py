"""Plans over a grid of data sets and times: within limits, adding up, each choice with a reason."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import product

import pytest

from autodl.errors import ConfigError
from autodl.jobs.fit.finishing import MARGIN, REST, SLOWER
from autodl.jobs.fit.plan import (
    BATCHES,
    LEVELS,
    MOST_EPOCHS,
    MOST_TRIALS,
    READING,
    SIDES,
    Facts,
    Gathered,
    Machine,
    Plan,
    enough_epochs,
    finishing_of,
    make_plan,
    network_work,
    seconds_of_epoch,
    why_gathered,
)

MACHINE = Machine(training=5e9, looking=12e9, exporting=1.0)  # about one core
FACTS = Facts(
    train=1600, held_out=400, test=500, classes=10, side=32, seconds=180.0,
    machine=MACHINE, read_seconds=1e-3,
)  # fmt: skip
GRID = [
    replace(FACTS, train=train, held_out=min(train // 4, 2500), classes=classes, side=side,
            seconds=60.0 * minutes, machine=replace(MACHINE, burden=burden))
    for train, classes, side, minutes, burden in product(
        (40, 200, 2_000, 50_000), (2, 10), (8, 32, 500), (1.5, 3, 30, 600), (1.0, 3.0)
    )
]  # fmt: skip


@pytest.mark.parametrize("released", [True, False])
def test_every_plan_adds_up_and_keeps_its_limits(released):
    made = 0
    for facts in GRID:
        try:
            plan = make_plan(facts, released=released)
        except ConfigError:
            continue
        made += 1
        # sums of floats
        assert plan.shares.total == pytest.approx(facts.seconds, rel=1e-9)
        assert min(vars_of(plan.shares)) >= 0
        assert plan.shares.reading <= READING * facts.seconds * (1 + 1e-9)
        assert (plan.side, plan.widths) in {(s, w) for s in SIDES for _, w in LEVELS}
        assert plan.side <= max(facts.side, SIDES[0])
        assert 2 <= plan.batch <= min(max(BATCHES), max(facts.train, 2))
        assert 1 <= plan.epochs <= MOST_EPOCHS
        assert 0 <= plan.trials <= MOST_TRIALS
        assert plan.candidates == 1 + plan.released + bool(plan.trials)
        assert not plan.released or released
        assert (plan.shares.searching > 0) == bool(plan.trials)
        assert plan.candidates == 1 or plan.candidate_seconds > 0
        epoch = seconds_of_epoch(facts, plan.train, plan.side, plan.widths)
        assert plan.shares.retraining >= epoch
        assert all(plan.reasons.values())
    assert made > len(GRID) / 2


def test_the_retraining_has_what_finishing_does_not_need_as_measured():
    """Slow updates say nothing about forward passes, and the machine's own export counts."""
    slow, quick = (replace(MACHINE, training=rate) for rate in (3e9, 5e9))
    fast = replace(quick, looking=24e9)
    for machine in (slow, quick, fast):
        plan = make_plan(replace(FACTS, machine=machine), image_size=32, released=False)
        looks = 400 * 7 + 500 * 2  # held-out: three times two views, and once one; test: two views
        look = network_work(32, plan.widths) / machine.looking
        finishing = 1.0 + REST + MARGIN * 180 + SLOWER * looks * look
        assert plan.shares.finishing == pytest.approx(finishing, rel=1e-12)  # sums of floats
    slower = replace(FACTS, machine=replace(quick, exporting=4.0, burden=3.0))
    level = (32, (32, 64, 64))
    more = finishing_of(slower, *level).seconds - finishing_of(FACTS, *level).seconds
    assert more == pytest.approx(3.0 + 2 * REST, rel=1e-12)


def vars_of(shares):
    return [getattr(shares, name) for name in shares.__dataclass_fields__]


@pytest.mark.parametrize("side", [32, 300])
def test_more_time_never_gives_a_cheaper_network(side):
    """Without a search, and with one, which goes before a wider network than four minutes give."""
    minutes = (1.5, 2, 3, 5, 8, 9, 12, 15, 20, 30, 45, 60, 90, 120, 240, 600)
    plans = [
        make_plan(replace(FACTS, side=side, seconds=60.0 * each), released=False)
        for each in minutes
    ]
    costs = [network_work(plan.side, plan.widths) for plan in plans]
    assert costs == sorted(costs)
    assert costs[-1] > costs[0]
    assert not plans[0].trials
    assert plans[-1].trials


def test_a_wider_network_is_taken_only_where_it_is_trained_enough():
    for facts in GRID:
        try:
            plan = make_plan(facts, released=False)
        except ConfigError:
            continue
        if (plan.side, plan.widths) != LEVELS[0] and not plan.trials:
            epoch = seconds_of_epoch(facts, plan.train, plan.side, plan.widths)
            assert plan.shares.retraining / epoch >= enough_epochs(plan.train) * (1 - 1e-9)


def test_what_is_asked_for_is_done():
    assert make_plan(FACTS, image_size=48).side == 48
    assert not make_plan(FACTS, released=False).released
    assert make_plan(replace(FACTS, seconds=1800.0)).released
    assert not make_plan(replace(FACTS, seconds=1e5, train=10**6)).released


def test_a_long_time_is_searched_in_and_a_short_one_is_not():
    assert make_plan(replace(FACTS, seconds=60.0)).trials == 0
    assert make_plan(replace(FACTS, seconds=1800.0)).trials > 5


def test_small_pictures_are_enlarged_and_say_so():
    plan = make_plan(replace(FACTS, side=5))
    assert plan.side == SIDES[0]
    assert "enlarged" in plan.reasons["side"]


def test_gathered_pictures_stay_as_they_are_and_the_reasons_are_those_of_before():
    before = replace(FACTS, train=10_000, read_seconds=0.02, side=300)
    first = make_plan(before)
    why = why_gathered(before, first, None)
    facts = replace(before, train=first.train - 1, side=24, read_seconds=0.0, gathered=why)
    plan = make_plan(facts, image_size=48)
    assert (plan.train, plan.side) == (first.train - 1, 24)
    for name in ("pictures", "side"):
        assert plan.reasons[name].endswith(getattr(why, name))
    assert "cannot be read" in plan.reasons["pictures"]
    later = make_plan(replace(facts, gathered=Gathered()))
    assert later.reasons["side"] == "24 pixels; as they were gathered in the first start"


def test_pictures_that_take_too_long_to_read_are_fewer():
    plan = make_plan(replace(FACTS, train=10_000, read_seconds=0.02))
    assert plan.train < 10_000
    assert plan.shares.reading <= READING * FACTS.seconds * (1 + 1e-9)
    assert "cannot be read" in plan.reasons["pictures"]


def test_too_few_minutes_say_how_many_are_needed_and_these_are_enough():
    short = replace(FACTS, seconds=5.0, train=40_000)
    with pytest.raises(ConfigError, match=r"one epoch of .* give [\d.]+ --minutes more") as caught:
        make_plan(short)
    more = 60 * float(re.search(r"give ([\d.]+)", str(caught.value))[1])
    make_plan(replace(short, seconds=short.seconds + more))


def test_minutes_that_getting_ready_has_used_up_are_asked_for_too():
    said = []
    for seconds in (0.0, -60.0):
        with pytest.raises(ConfigError) as caught:
            make_plan(replace(FACTS, seconds=seconds), released=False)
        said.append(str(caught.value))
    assert "getting ready took 60 seconds more than there are" in said[1]
    more = [float(re.search(r"give ([\d.]+) --minutes", line)[1]) for line in said]
    assert more[1] == pytest.approx(more[0] + 1.0)


def test_a_plan_is_kept_as_json():
    plan = make_plan(FACTS)
    assert Plan.from_plain(json.loads(json.dumps(plan.to_plain()))) == plan


def test_pictures_that_were_gathered_before_take_no_time_even_where_none_is_left():
    with pytest.raises(ConfigError, match="more than there are"):
        make_plan(replace(FACTS, seconds=-1.0, read_seconds=0.0))
