"""``cifar10-mini``: real CIFAR-10 pictures that ship inside the package.

100 pictures of each class to train and search on and 20 of each to try things on, all cut
from the training part of CIFAR-10 by ``autodl prepare_data`` with its defaults. The ones
to try come from the 2,500 of the reserve rule (``splits.py``), which nothing trains on. The
pictures went through one JPEG round trip: results are on "CIFAR-10 (JPEG)".

Stored indices count the pictures in the order of that source (its checksum is stored too),
which is not the order of the official archive. Somebody who trains on the official archive
may therefore train on pictures that are "to try" here; for the JPEG source that cannot be.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from autodl.data.dataset import Dataset
from autodl.data.subset import read_subset

NAME = "cifar10-mini"
FILE = Path(__file__).with_name("cifar10_mini.npz")


@cache
def load_sample() -> Dataset:
    """The embedded sample: 1,000 + 200 pictures of 32x32; ``official`` is False (JPEG).

    It is read once and stays.

    Raises:
        DataError: the package was installed without the file, or it is damaged.
    """
    return replace(read_subset(FILE).dataset, name=NAME, official=False)
