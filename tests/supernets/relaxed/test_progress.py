"""What a relaxed supernet says of itself."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from autodl.supernets.relaxed.progress import entropies, mean_entropy, progress_line


def test_entropies_are_in_nats_and_nothing_times_its_logarithm_is_nothing():
    weights = np.array([[0.25] * 4, [1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]])
    np.testing.assert_allclose(entropies(weights), [log(4), 0.0, log(2)], rtol=1e-12, atol=1e-15)


def test_a_line_has_the_entropy_and_what_is_chosen(cells, genotypes):
    row = np.array([1, 1, 0, 1, 3, 3])
    cells.logits["edges"].set_value((2.0 * np.eye(5)[row]).astype(np.float32))
    assert progress_line(cells, 3, 9) == (
        f"[Relaxed][Epoch 3/9] entropy: {mean_entropy(cells):.4f} of 1.6094,"
        " chosen: 3 skip_connect, 2 nor_conv_3x3, 1 none"
    )
    share = np.exp(2.0) / (np.exp(2.0) + 4.0)
    rest = (1.0 - share) / 4.0
    assert mean_entropy(cells) == pytest.approx(
        -share * log(share) - 4.0 * rest * log(rest), rel=1e-6
    )
    assert "of 2.0794" in progress_line(genotypes, 1, 2)
