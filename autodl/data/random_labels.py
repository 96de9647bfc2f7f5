"""Labels that say nothing about their pictures (RLNAS)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LABELS = 6  # stream of random numbers beside the others of the same seed


def random_labels(pictures: int, classes: int, seed: int) -> NDArray[np.int64]:
    """A class for each picture, uniform and independent of everything: int64 ``[pictures]``.

    The label at a position depends on the position, ``classes`` and ``seed`` alone. They are not
    the true labels in another order, which would keep how many of each class there are.

    Source: Zhang et al., Neural Architecture Search with Random Labels, CVPR 2021
    (arXiv:2101.11834).
    """
    return np.random.default_rng((seed, _LABELS)).integers(classes, size=pictures)
