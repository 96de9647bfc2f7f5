"""A folder of small pictures whose classes are colours."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def colours(tmp_path_factory):
    """Three classes of 10 pictures of 16x16."""
    root = tmp_path_factory.mktemp("pictures") / "colours"
    rng = np.random.default_rng(0)
    for number, name in enumerate(("blue", "green", "red")):
        (root / name).mkdir(parents=True)
        for picture in range(10):
            pixels = rng.integers(0, 120, (16, 16, 3))
            pixels[..., 2 - number] += 120
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(root / name / f"{picture}.png")
    return root
