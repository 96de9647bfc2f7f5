"""The simulated curve of Phi, and the rate that is chosen by it."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.supernets.width.annealing import (
    AxisShape,
    Descent,
    LayerShape,
    annealed_updates,
    choose_rate,
    simulate,
)

AXIS = AxisShape((2, 3, 4), 9)
LAYERS = [LayerShape(AXIS, None), LayerShape(AXIS, AXIS), LayerShape(AXIS, AXIS)]


@pytest.mark.parametrize("kind", ["l1", "l2"])
@pytest.mark.parametrize("updates", [60, 300, 1_500])
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
