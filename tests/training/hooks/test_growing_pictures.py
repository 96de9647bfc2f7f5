"""Pictures that grow: what no training can have is refused before it begins."""

from __future__ import annotations

import pytest

from autodl.errors import ConfigError
from autodl.trial import TrialFailure


def test_a_training_that_its_clock_may_end_is_refused(make_airbench):
    with pytest.raises(ConfigError, match=r"max_seconds=9 may end .* use Train\.first_size=null"):
        make_airbench(first_size=8, max_seconds=9.0)


def test_a_side_that_the_network_cannot_take_is_a_failed_trial(make_airbench):
    with pytest.raises(TrialFailure, match=r"pictures of 8x8 do not fit this network .*grown_by=8"):
        make_airbench(first_size=8)
