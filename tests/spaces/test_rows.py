"""What coded spaces offer through their rows."""

from __future__ import annotations

from collections import Counter
from math import prod

import numpy as np
import pytest
from own_space_for_tests import Signs

from autodl.errors import ConfigError
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.mobile.space import MobileSpace
from autodl.spaces.rows import changed_row, listing, random_row, variation
from autodl.spaces.space import (
    Blocked,
    Coded,
    Costed,
    Listed,
    Named,
    Space,
    Stepwise,
    Twinned,
    Varied,
)
from autodl.spaces.width.space import make_width_space

WIDTHS = make_width_space("resnet20", (4, 8, 16))


@pytest.mark.parametrize(
    "space, protocols",
    [
        (CellSpace(), {Space, Coded, Stepwise, Varied, Listed, Named, Twinned}),
        (MobileSpace(), {Space, Coded, Blocked, Varied}),
        (WIDTHS, {Space, Coded, Costed}),
        (Signs(), {Space, Coded}),
        (object(), set()),
    ],
)
def test_which_space_offers_what(space, protocols):
    every = (Space, Coded, Stepwise, Blocked, Varied, Listed, Named, Twinned, Costed)
    assert {protocol for protocol in every if isinstance(space, protocol)} == protocols


def test_random_rows_are_uniform():
    """20,000 draws: every count within 5 deviations of a binomial; the seed is fixed."""
    rng, draws, sizes = np.random.default_rng(0), 20_000, (1, 2, 5)
    rows = np.stack([random_row(sizes, rng) for _ in range(draws)])
    assert rows.dtype == np.int64
    for place, size in enumerate(sizes):
        share = np.bincount(rows[:, place], minlength=size) / draws
        deviation = np.sqrt((size - 1) / size**2 / draws)
        assert (np.abs(share - 1 / size) <= 5 * deviation).all()


def test_a_changed_row_differs_in_one_decision_evenly():
    """Of sizes (1, 2, 3) the second changes in half the draws; bound as above."""
    rng, draws, row = np.random.default_rng(1), 20_000, np.array([0, 1, 2])
    counts = Counter(tuple(changed_row(row, (1, 2, 3), rng).tolist()) for _ in range(draws))
    assert counts.keys() == {(0, 0, 2), (0, 1, 0), (0, 1, 1)}
    assert row.tolist() == [0, 1, 2]
    for changed, share in (((0, 0, 2), 0.5), ((0, 1, 0), 0.25), ((0, 1, 1), 0.25)):
        deviation = np.sqrt(share * (1 - share) * draws)
        assert abs(counts[changed] - share * draws) < 5 * deviation


def test_what_has_one_architecture_cannot_be_varied():
    with pytest.raises(ConfigError, match="nothing to mutate"):
        changed_row(np.zeros(2, np.int64), (1, 1), np.random.default_rng(0))


def test_a_space_of_its_own_making_varies_and_lists_itself():
    cells = CellSpace(nodes=2, operations=("conv_1x1", "conv_3x3"), tied=True)
    assert variation(cells, "it") == cells.mutate
    assert list(listing(cells, "it")) == list(cells.architectures())


def test_rows_are_listed_in_order_each_architecture_once():
    found = list(listing(Signs(), "it"))
    assert len(found) == len(set(found)) == prod(Signs.sizes)
    assert [architecture.signs for architecture in found[:3]] == [
        (0, 0, 0, 0, 0, 0),
        (0, 0, 0, 0, 0, 1),
        (0, 0, 0, 0, 1, 0),
    ]

    class Twins(Signs):
        """The last decision changes nothing but the name."""

        def canonical(self, architecture):
            return self.decode([*architecture.signs[:-1], 0])

    assert [a.signs[-1] for a in listing(Twins(), "it")] == [0] * (prod(Signs.sizes) // 2)


def test_what_is_too_large_or_no_space_of_rows_is_not_listed():
    with pytest.raises(ConfigError, match=r"MobileSpace is too large to list: it has 1.64e"):
        listing(MobileSpace(), "ExhaustiveSearch")
    message = "ExhaustiveSearch needs a space of rows .*'architectures'.*object lacks .*kind"
    with pytest.raises(ConfigError, match=message):
        listing(object(), "ExhaustiveSearch")
