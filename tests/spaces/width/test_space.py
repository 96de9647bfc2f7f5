"""Which widths a search may choose from."""

from __future__ import annotations

import numpy as np
import pytest
import width_anchors_for_tests as anchors

from autodl.errors import ConfigError, EncodingError, UnknownNameError
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.width.architecture import WidthArchitecture
from autodl.spaces.width.space import make_width_space


def small():
    return make_width_space("resnet20", (4, 8, 16), image_size=16)


def test_numbers_of_decisions_are_the_published_ones():
    """19, 13 and 24 (and the fixed last one, which the paper's 13 and 19 include)."""
    assert small().decisions == 19
    assert make_width_space("resnet18", (32, 48), blockwise=True).decisions == 13
    mobile = make_width_space("mobilenet_v2", (8, 12, 16, 20))
    assert sum(len(widths) > 1 for widths in mobile.candidates) == 24


@pytest.mark.parametrize(
    "network, candidates, channels",
    [
        ("resnet20", (4, 8, 16, 32, 64), anchors.RESNET20),
        ("resnet56", (4, 8, 16, 32, 64), anchors.RESNET56),
        ("resnet18", (32, 48, 64, 80), anchors.RESNET18_LARGE),
        ("resnet18", (32, 48, 64, 80), anchors.RESNET18_SMALL),
        ("mobilenet_v2", (8, 12, 16, 20), anchors.MOBILE_LARGE),
        # its head is 16 x 80, not the widest
        ("mobilenet_v2", (8, 12, 16, 20), [*anchors.MOBILE_SMALL[:-1], 1600]),
    ],
)
def test_released_configurations_are_in_the_space(network, candidates, channels):
    space = make_width_space(network, candidates)
    architecture = WidthArchitecture(network, tuple(channels))
    assert space.decode(space.encode(architecture)) == architecture


def test_the_width_before_the_classifier_is_fixed():
    assert small().candidates[-1] == (16,)
    tied = make_width_space("resnet20", (4, 8, 16), blockwise=True)
    last = tied.sample(np.random.default_rng(0)).channels
    assert last[14] == last[16] == last[18] == 16


def test_encode_refuses_what_is_not_of_the_space():
    space = make_width_space("resnet20", (4, 8), blockwise=True)
    with pytest.raises(ConfigError, match="layer 0 has 16 channels"):
        space.encode(WidthArchitecture("resnet20", (16,) * 19))
    with pytest.raises(ConfigError, match="layer 4 has 8 channels, but is tied"):
        space.encode(WidthArchitecture("resnet20", (4, 4, 4, 4) + (8,) * 15))
    with pytest.raises(ConfigError, match="space is of resnet20, got resnet18"):
        space.encode(WidthArchitecture("resnet18", (4,) * 17))
    with pytest.raises(EncodingError, match="decision 0 goes from 0 to 1, got 2"):
        space.decode([2] * space.decisions)
    with pytest.raises(EncodingError, match=r"rows of 13 integers, got int64 of shape \[3\]"):
        space.decode([0, 0, 0])


def test_uniform_marginals():
    """10,000 draws: every candidate's share is 1/3 within 4 deviations of a binomial."""
    drawn = small().uniform(np.random.default_rng(0), 10_000)
    shares = np.stack([(drawn[:, :-1] == k).mean(axis=0) for k in range(3)])
    assert np.abs(shares - 1 / 3).max() < 4 * np.sqrt(2 / 9 / 10_000)


@pytest.mark.parametrize("goal", [0.2, 0.5, 0.8])
def test_random_widths_at_a_cost(goal):
    space = small()
    smallest, largest = space.bounds
    middle = smallest + goal * (largest - smallest)
    found = space.at_cost(np.random.default_rng(3), 40, 0.95 * middle, middle)
    macs = space.macs(found)
    assert (macs >= 0.95 * middle).all()
    assert (macs <= middle).all()
    assert len({row.tobytes() for row in found}) == 40
    # free decisions are not all alike: each of them takes at least two widths
    assert all(len(set(column)) > 1 for column in found.T[:-1])


def test_a_range_without_architectures():
    space = small()
    with pytest.raises(ConfigError, match=r"found 0 of 1 .*widen Width\.budget_range"):
        space.at_cost(np.random.default_rng(0), 1, 10.0, 20.0)


@pytest.mark.parametrize(
    "candidates, wanted",
    [
        ((), "at least one candidate"),
        ((4, 8, 8), "width 8 is there twice"),
        ((8, 4), "ascend"),
        ((0, 4), "at least 1, got 0"),
    ],
)
def test_unusable_candidates(candidates, wanted):
    with pytest.raises(ConfigError, match=wanted):
        make_width_space("resnet20", candidates)


def test_candidates_that_a_proportion_makes_equal():
    """The message has the widths that the user wrote, not only those of some layer."""
    cells = CellSpace(nodes=2).sample(np.random.default_rng(0))
    with pytest.raises(ConfigError, match=r"\[8, 9\] become \[2, 2\] in a layer of 0\.25 times"):
        make_width_space("cells", (8, 9), cells=cells)


def test_unknown_names():
    with pytest.raises(UnknownNameError, match="Did you mean 'resnet20'"):
        make_width_space("resnet2O", (4, 8))
    with pytest.raises(UnknownNameError, match=r"Width\.convention"):
        make_width_space("resnet20", (4, 8), convention="flops")
    with pytest.raises(ConfigError, match=r"Width\.cells is given exactly"):
        make_width_space("cells", (4, 8))


def test_bounds_are_those_of_the_extreme_networks():
    space = small()
    smallest, largest = space.bounds
    drawn = space.macs(space.uniform(np.random.default_rng(1), 2_000))
    assert smallest <= drawn.min()
    assert drawn.max() <= largest


def test_labels_say_which_layers_a_decision_is_of():
    """Layers that are tied by a shortcut have one decision."""
    space = make_width_space("resnet20", (4, 8, 16), blockwise=True)
    architecture = space.sample(np.random.default_rng(0))
    row = space.encode(architecture)
    assert any("layers " in label for label in space.labels)
    for place, label in enumerate(space.labels):
        layers = [int(word) for word in label.split("layer")[1].lstrip("s ").split(", ")]
        width = space.candidates[place][row[place]]
        assert {architecture.channels[layer] for layer in layers} == {width}
