"""Resizing batches, against Pillow and by hand."""

import numpy as np
import pytest
from PIL import Image

from autodl.data.resize import picture_side, resize_batch, resize_matrix


@pytest.mark.parametrize(
    "height, width, side", [(32, 32, 20), (32, 32, 24), (9, 30, 16), (8, 8, 24)]
)
def test_it_is_what_pillow_does(height, width, side):
    """Of float pictures, which Pillow does not round: 1e-4 of 255 for its float32 sums."""
    picture = np.random.default_rng(0).uniform(0, 255, (height, width)).astype(np.float32)
    size = (side, side)
    expected = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
    np.testing.assert_allclose(resize_batch(picture[None, None], side)[0, 0], expected, atol=1e-4)


def test_halving_a_row_by_hand():
    """Triangle of reach 2 about 1 and 3: distances 0.5 and 1.5 weigh 3 and 1, sides are cut."""
    expected = np.array([[3, 3, 1, 0], [0, 1, 3, 3]]) / 7
    np.testing.assert_allclose(resize_matrix(4, 2), expected, atol=1e-7)


def test_constants_stay_and_equal_sizes_are_free():
    images = np.full((2, 3, 12, 12), 7.5, np.float32)
    assert resize_batch(images, 12) is images
    np.testing.assert_allclose(resize_batch(images, 8), 7.5, rtol=1e-6)  # float32 sums
    with pytest.raises(ValueError, match="at least 1, got 4 to 0"):
        resize_matrix(4, 0)


def test_pictures_grow_in_equal_steps():
    sides = [picture_side(epoch, 8, 32, 20, 0.75) for epoch in range(8)]
    assert sides == [20, 20, 24, 24, 28, 28, 32, 32]
    assert [picture_side(epoch, 4, 30, 20, 0.5) for epoch in range(4)] == [20, 24, 30, 30]
    assert [picture_side(epoch, 4, 32, 16, 0.75, 8) for epoch in range(4)] == [16, 16, 24, 32]
    for first in (None, 32, 40):
        assert {picture_side(epoch, 8, 32, first, 0.75) for epoch in range(8)} == {32}


@pytest.mark.parametrize("epochs, grown", [(1, 0.75), (2, 0.75), (3, 0.75), (5, 0.9), (20, 1.0)])
def test_the_last_epoch_has_the_full_size(epochs, grown):
    assert picture_side(epochs - 1, epochs, 32, 20, grown) == 32
    assert picture_side(0, epochs, 32, 20, grown) == (20 if epochs > 1 else 32)
