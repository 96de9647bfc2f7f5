"""Small supernets, and pictures of two classes."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.spaces.chain.plan import chain_plan
from autodl.spaces.chain.space import ChainSpace
from autodl.spaces.edge_cell.plan import edge_cell_plan
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.spaces.shuffle.plan import shuffle_plan
from autodl.spaces.shuffle.space import ShuffleSpace
from autodl.supernets.single_path.network import SinglePathNetwork
from autodl.tasks.pictures import PictureTask

SMALL = {"classes": 2, "image_size": 8}
CELLS = partial(edge_cell_plan, width=2, cells=1, **SMALL)
CHAINS = partial(chain_plan, stem_width=2, head_width=4, **SMALL)
SHUFFLES = partial(shuffle_plan, stem_width=4, widths=(8, 12), head_width=4, **SMALL)
SPACES = {"cells": (EdgeCellSpace(), CELLS), "chains": (ChainSpace(), CHAINS)}


@pytest.fixture
def shuffles():
    return SinglePathNetwork(ShuffleSpace(repeats=(2, 2)), SHUFFLES, 0)


@pytest.fixture(params=SPACES)
def supernet(request):
    return SinglePathNetwork(*SPACES[request.param], 0)


@pytest.fixture
def task():
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3)).astype(np.uint8)
    pictures = Pictures(images, np.arange(16) % 2)
    return PictureTask.alone(pictures, Normalisation.of(pictures))
