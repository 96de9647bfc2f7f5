"""The space of shuffle networks: rows, names, refusals; the rest is tested for every space."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from autodl.errors import ConfigError
from autodl.spaces.shuffle.architecture import ShuffleArchitecture
from autodl.spaces.shuffle.space import ShuffleSpace

SMALL = ShuffleSpace(("shuffle_5x5", "xception_3x3"), (2, 1))


def test_rows_are_blocks_stage_by_stage():
    assert prod(ShuffleSpace().sizes) == 1_099_511_627_776  # as published
    network = SMALL.decode(np.array([0, 1, 0]))
    assert network.stages == (("shuffle_5x5", "xception_3x3"), ("shuffle_5x5",))
    assert SMALL.encode(network).tolist() == [0, 1, 0]
    assert SMALL.labels == ("stage 0 block 0", "stage 0 block 1", "stage 1 block 0")


@pytest.mark.parametrize(
    "options, wanted",
    [
        ({"blocks": ()}, "each once; got none"),
        ({"blocks": ("shuffle_9x9",)}, r"Space\.blocks must be some of"),
        ({"repeats": ()}, "a stage or more, each with a place or more; got none"),
        ({"repeats": (2, 0)}, "got 2, 0"),
    ],
)
def test_mistakes(options, wanted):
    with pytest.raises(ConfigError, match=wanted):
        ShuffleSpace(**options)


@pytest.mark.parametrize(
    "stages, wanted",
    [
        ((("shuffle_5x5",), ("shuffle_5x5",)), "stages of 1, 1 blocks, and this space of 2, 1"),
        ((("shuffle_5x5", "shuffle_3x3"), ("shuffle_5x5",)), "'shuffle_3x3', which this space"),
    ],
)
def test_others_are_refused(stages, wanted):
    with pytest.raises(ConfigError, match=wanted):
        SMALL.check(ShuffleArchitecture(stages))
