"""Views of pictures for means over their outputs: mirrored, and shifted by a pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Planes = NDArray[Any]


def mirrored(inputs: Planes) -> Planes:
    """Mirror images, left to right, of ``[N, C, H, W]``."""
    return np.ascontiguousarray(inputs[..., ::-1])


def one_view(inputs: Planes) -> tuple[Planes, ...]:
    """Inputs of any shape as they are."""
    return (inputs,)


def two_views(inputs: Planes) -> tuple[Planes, ...]:
    """Pictures ``[N, C, H, W]`` and their mirror images."""
    return inputs, mirrored(inputs)


def six_views(inputs: Planes) -> tuple[Planes, ...]:
    """Pictures, pictures shifted up and left by a pixel and down and right, and all mirrored.

    The first one is the picture, the second one its mirror image.

    Borders continue the picture. Those that are not shifted stand there twice, so that in a mean
    over all they weigh a quarter each and the others an eighth.

    Args:
        inputs: ``[N, C, H, W]``, of 2x2 pixels or more.

    Source: Jordan, arXiv:2404.00498, section 3.5.
    """
    _, _, height, width = inputs.shape
    framed = np.pad(inputs, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    shifted = [
        np.ascontiguousarray(framed[..., top : top + height, top : top + width]) for top in (0, 2)
    ]
    twice = two_views(inputs) * 2
    return (*twice, *shifted, *map(mirrored, shifted))
