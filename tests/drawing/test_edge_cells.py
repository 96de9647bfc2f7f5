"""The drawing of cells with operations on edges, as it is shown everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch

from autodl.drawing.cells import draw_architecture
from autodl.drawing.edge_cells import draw_edge_cell
from autodl.spaces.edge_cell.architecture import EdgeCell

CELL = EdgeCell(
    ("nor_conv_3x3", "skip_connect", "nor_conv_1x1", "avg_pool_3x3", "nor_conv_3x3", "none")
)


def test_operations_stand_on_their_edges():
    (axes,) = draw_architecture(CELL, title="reward 84.5").axes
    words = [text.get_text() for text in axes.texts]
    operations = ["conv 3×3", "skip", "conv 1×1", "avg pool 3×3", "conv 3×3"]
    assert words == ["reward 84.5", *operations, "input", "1", "2", "output"]
    assert sum(isinstance(patch, FancyArrowPatch) for patch in axes.patches) == 5


@pytest.mark.parametrize("operation", ["skip_connect", "nor_conv_1x1"])
def test_a_label_is_on_its_line(operation):
    """The middle of the drawn curve, a parabola, is where the operation's name is: to 0.1 inch."""
    (axes,) = draw_edge_cell(EdgeCell((operation,) * 6)).axes
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    for arrow, text in zip(arrows, axes.texts, strict=False):
        curve = arrow.get_connectionstyle()(*arrow._posA_posB, shrinkA=0, shrinkB=0)
        start, control, end = curve.vertices
        middle = np.asarray(start) / 4 + np.asarray(control) / 2 + np.asarray(end) / 4
        np.testing.assert_allclose(middle, text.get_position(), atol=0.1)
    # no two labels at one place
    assert len({text.get_position() for text in axes.texts[:6]}) == 6


def test_a_cell_of_nothing_is_its_nodes():
    (axes,) = draw_edge_cell(EdgeCell(("none",) * 6)).axes
    assert [text.get_text() for text in axes.texts] == ["input", "1", "2", "output"]
