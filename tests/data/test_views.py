"""Views of pictures: where their pixels come from, and how much each counts."""

import numpy as np

from autodl.data.views import mirrored, six_views


def test_mirror_images_are_contiguous():
    inputs = np.arange(24.0).reshape(1, 2, 3, 4)
    found = mirrored(inputs)
    np.testing.assert_array_equal(found, inputs[..., ::-1])
    assert found.flags.c_contiguous


def test_six_views_by_a_loop():
    """A view that is shifted up and left shows pixel (y - 1, x - 1), -1 being 1; see the others."""
    inputs = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    views = six_views(inputs)
    assert len(views) == 8
    assert views[0] is views[2] is inputs
    assert views[1] is views[3]
    np.testing.assert_array_equal(views[1], inputs[..., ::-1])
    for view, step in ((views[4], -1), (views[5], 1)):
        for y in range(4):
            for x in range(5):
                row, column = abs(y + step), abs(x + step)
                row, column = 2 if row == 4 else row, 3 if column == 5 else column
                np.testing.assert_array_equal(view[..., y, x], inputs[..., row, column])
    for view, of in ((views[6], views[4]), (views[7], views[5])):
        np.testing.assert_array_equal(view, of[..., ::-1])
