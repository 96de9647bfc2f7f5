"""The simulated curve of Phi, and the rate that is chosen by it."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.supernets.width import annealing
from autodl.supernets.width.annealing import (
    AxisShape,
    Descent,
    LayerShape,
    annealed_updates,
    choose_rate,
    foretell,
    simulate,
)

AXIS = AxisShape((2, 3, 4), 9)
LAYERS = [LayerShape(AXIS, None), LayerShape(AXIS, AXIS), LayerShape(AXIS, AXIS)]


@pytest.mark.parametrize("kind", ["l1", "l2"])
@pytest.mark.parametrize("updates", [80, 400])
def test_the_chosen_rate_anneals_within_the_phase(kind, updates):
    found = choose_rate(LAYERS, Descent(kind=kind), updates)
    assert found.updates == updates
    assert 1 <= found.high < found.low <= updates
    assert found.curve[0] == (0, 1.0)
    assert found.curve[-1][0] == updates
    assert found.curve[-1][1] < 0.1
    # a tenth is reached late, or the supernet would spend the phase without sharing
    assert found.low > 0.6 * updates
    # the choice is what a simulation of it gives
    assert simulate(LAYERS, Descent(kind=kind), found.rate, updates) == found
    assert "Phi falls below 90 %" in str(found)


def test_projections_of_every_pair_anneal_too():
    layers = [LayerShape(AXIS, AXIS, per_pair=True)]
    found = choose_rate(layers, Descent(), 300)
    assert found.low <= 300


def test_without_noise_nothing_moves():
    still = simulate(LAYERS, Descent(noise=0.0), 0.1, 200)
    assert {share for _, share in still.curve} == {1.0}
    assert (still.high, still.low) == (inf, inf)
    assert str(still).endswith("does not fall below 90 % in 200 updates, and ends at 100.0 %")
    with pytest.raises(ConfigError, match="without noise nothing moves"):
        choose_rate(LAYERS, Descent(noise=0.0), 50)


def test_candidates_that_must_share_cannot_be_annealed():
    narrow = AxisShape((4, 4, 4), 4)
    with pytest.raises(ConfigError, match=r"exceeds Supernet\.meta_width"):
        choose_rate([LayerShape(narrow, narrow)], Descent(), 50)


def test_a_phase_that_ends_too_early_is_said():
    whole = choose_rate(LAYERS, Descent(), 300)
    half = simulate(LAYERS, Descent(), whole.rate, int((whole.high + whole.low) / 2))
    assert half.low == inf
    assert f"after {half.high:.0f}, but not below 10 %, of {half.updates} updates" in str(half)


def test_independent_candidates_have_nothing_to_anneal():
    with pytest.raises(ConfigError, match="nothing is shared at overlap 0"):
        simulate(LAYERS, Descent(overlap=0.0, noise=0.0), 0.1, 5)


def test_time_on_the_curve_is_rate_times_updates():
    """Half the rate takes twice the updates: to 5 %, as steps are not infinitely small."""
    slow, fast = (simulate(LAYERS, Descent(), rate, 4_000) for rate in (0.016, 0.032))
    assert np.isclose(slow.low, 2 * fast.low, rtol=0.05)


def test_numbers_of_updates():
    assert annealed_updates(5_000, 128, 10, 1) == 390
    assert annealed_updates(5_000, 128, 10, 4) == 98
    assert annealed_updates(10, 128, 10, 1) == 10


def test_nothing_anneals_at_a_rate_of_nearly_zero():
    """Phi is measured on unit columns from the start: noise of 0.1 made it fall to 70 % at once."""
    layers = [LayerShape(AxisShape((4, 8), 12), AxisShape((4, 8), 12))]
    found = simulate(layers, Descent(noise=0.1), 1e-12, 10)
    assert found.left == pytest.approx(1.0, abs=1e-5)


def test_a_long_annealing_is_foretold_with_larger_steps(monkeypatch):
    layers = [LayerShape(AxisShape((2, 3, 4), 9), AxisShape((2, 3, 4), 9))]
    descent = Descent(kind="l2", noise=1e-2, momentum=0.0)
    exact = simulate(layers, descent, 0.2, 2_000)
    assert foretell(layers, descent, 0.2, 2_000) == exact
    monkeypatch.setattr(annealing, "_MOST_OPERATIONS", 1.0)
    coarse = foretell(layers, descent, 0.2, 2_000)
    assert coarse.curve[-1][0] == coarse.updates == 2_000
    assert len(coarse.curve) == 51
    # to a step, which is 40 updates
    assert coarse.high == pytest.approx(exact.high, abs=40)
    assert coarse.told().startswith("Phi by update: 0: 100.0 %, ")
