"""What a fit tries: its search begins with networks that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from autodl.config.reading import RawConfig
from autodl.jobs.fit.candidates import START, Pictures, best_other, search_of
from autodl.jobs.fit.plan import Facts, Machine, make_plan
from autodl.jobs.search.parts import make_space, resolve_search
from autodl.spaces.codec import load_architecture
from autodl.spaces.stage.space import StageSpace
from autodl.system.resources import resource
from autodl.trial import Trial, TrialState

FACTS = Facts(2000, 400, 400, 10, 32, 1800.0, Machine(8e9, 2e10, 1.0))
PICTURES = Pictures(Path("pictures.npz"), 0, "cpu", True, 5.0)
FILES = [resource("configs") / "architectures" / name for name in START]


def trial(number, architecture):
    return Trial(number, architecture, TrialState.COMPLETE)


def test_the_search_begins_with_known_networks_of_its_space():
    plan = make_plan(FACTS)
    config = search_of(plan, PICTURES)
    assert [str(one) for one in config.search.start] == list(START)
    space = make_space(config)
    for file in FILES:
        assert space.check(load_architecture(file)).present


def test_the_best_that_is_not_the_hand_made_one():
    hand, other = map(load_architecture, FILES)
    drawn = make_space(search_of(make_plan(FACTS), PICTURES)).sample(np.random.default_rng(0))
    twin = replace(hand, stem_width=32 if hand.stem_width == 64 else 64)  # the stem is whitened
    config = search_of(make_plan(FACTS), PICTURES)
    assert best_other([trial(0, hand), trial(1, twin), trial(2, other)], config) == other
    assert best_other([trial(0, drawn), trial(1, other)], config) == drawn
    assert best_other([trial(0, hand)], config) is None
    assert best_other([], config) is None


def test_of_a_search_of_an_earlier_version_the_best_is_taken():
    plain = search_of(make_plan(FACTS), PICTURES).to_plain()
    plain["Space"] = {"name": "StageSpace", "stages": 3}
    plain["Search"]["start"] = []
    config = resolve_search(RawConfig(plain))
    drawn = StageSpace(stages=3).sample(np.random.default_rng(0))
    assert best_other([trial(0, drawn)], config) == drawn


def test_the_clock_ends_a_training_that_is_twice_as_fast_as_predicted():
    assert PICTURES.epochs(100.0) == 40  # 20 are predicted
