"""The best distinct trials: order, ties, twins, state."""

from __future__ import annotations

import numpy as np
from own_space_for_tests import Signs

from autodl.agents.best_trials import BestTrials
from autodl.spaces.cell.space import CellSpace

SPACE = Signs()


def signs(count, seed=0):
    rng, found = np.random.default_rng(seed), {}
    while len(found) < count:
        architecture = SPACE.sample(rng)
        found[tuple(SPACE.encode(architecture))] = architecture
    return list(found.values())


def test_the_best_come_first_and_of_equals_the_first():
    best, drawn = BestTrials(SPACE, 3), signs(5)
    assert not best.selected
    for architecture, reward in zip(drawn, [0.2, 0.9, 0.2, 0.5, 0.2], strict=True):
        best.add(architecture, reward)
    assert best.selected
    rows = [SPACE.encode(drawn[number]) for number in (1, 3, 0)]
    np.testing.assert_array_equal(best.rows(), rows)


def test_twins_take_one_place_with_the_better_reward():
    space = CellSpace(nodes=3)
    rng = np.random.default_rng(0)
    architecture = next(
        a for a in (space.sample(rng) for _ in range(500)) if space.canonical(a) != a
    )
    twin = space.canonical(architecture)
    for order in ([(architecture, 0.3), (twin, 0.6)], [(twin, 0.6), (architecture, 0.3)]):
        best = BestTrials(space, 2)
        for one, reward in order:
            best.add(one, reward)
        assert best.state() == [{"row": space.encode(twin).tolist(), "reward": 0.6}]
        assert not best.selected


def test_it_goes_on_from_its_state():
    drawn, best, other = signs(6), BestTrials(SPACE, 3), BestTrials(SPACE, 3)
    for number, architecture in enumerate(drawn[:4]):
        best.add(architecture, float(number))
    other.restore(best.state())
    for one in (best, other):
        one.add(drawn[0], 9.0)
        one.add(drawn[5], 2.0)
    assert other.state() == best.state()
    assert [told["reward"] for told in best.state()] == [9.0, 3.0, 2.0, 2.0]
    np.testing.assert_array_equal(best.rows()[2], SPACE.encode(drawn[2]))  # of equals the first


def test_of_size_none_there_is_no_selection():
    best = BestTrials(SPACE, 0)
    for architecture in signs(2):
        best.add(architecture, 1.0)
    assert not best.selected


def test_as_if_all_were_kept_sorted_and_cut():
    rng, drawn, best = np.random.default_rng(0), signs(6), BestTrials(SPACE, 2)
    kept = {}  # number -> its best reward, in the order in which that came
    for _ in range(200):
        number, reward = int(rng.integers(6)), float(rng.integers(30))
        best.add(drawn[number], reward)
        if reward > kept.get(number, -1.0):
            kept.pop(number, None)
            kept[number] = reward
        three = sorted(kept.items(), key=lambda one: -one[1])[:3]
        told = [(tuple(one["row"]), one["reward"]) for one in best.state()]
        assert told == [(tuple(SPACE.encode(drawn[one])), value) for one, value in three]
