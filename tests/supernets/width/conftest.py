"""A tiny search: three widths on 40 small pictures."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from autodl.data.load import load_split
from autodl.data.options import DataOptions
from autodl.spaces.width.space import make_width_space
from autodl.supernets.width.options import ControllerOptions, SupernetOptions


@pytest.fixture(scope="session")
def tiny():
    """Data, space and options of a training of a few seconds."""
    data = load_split(DataOptions(image_size=8, train=40, held_out=40))
    space = make_width_space("resnet20", (1, 2, 3), image_size=8)
    options = SupernetOptions(
        epochs=4, warmup_epochs=2, batch_size=8, learning_rate=0.05, pad_crop=1, noise=1e-2
    )
    budget = float(np.mean(space.bounds))
    return SimpleNamespace(
        data=data, space=space, options=options, controller=ControllerOptions(), budget=budget
    )
