"""Small mixtures, and pictures of two classes, half of them held out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mixtures_for_tests import CELLS, GENOTYPES

from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.spaces.genotype.space import GenotypeSpace
from autodl.supernets.relaxed.network import RelaxedNetwork
from autodl.tasks.pictures import PictureTask


@pytest.fixture
def cells():
    return RelaxedNetwork(EdgeCellSpace(), CELLS, 0)


@pytest.fixture
def genotypes():
    return RelaxedNetwork(GenotypeSpace(), GENOTYPES, 0)


@pytest.fixture
def task():
    images = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3)).astype(np.uint8)
    pictures = Pictures(images, np.arange(32) % 2)
    train, held_out = pictures.take(np.arange(16)), pictures.take(np.arange(16, 32))
    return replace(PictureTask.alone(train, Normalisation.of(train)), held_out=held_out)
