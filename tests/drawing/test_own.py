"""A plugin's own drawing is shown wherever architectures are drawn."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from autodl.drawing import own
from autodl.drawing.cells import draw_architecture, draw_gallery
from autodl.drawing.own import kinds_drawn, register_drawing
from autodl.errors import AutoDLError, PluginError


class Row:
    def to_json(self):
        return {"kind": "row", "version": 1}


@pytest.fixture(autouse=True)
def _own_kinds(monkeypatch):
    monkeypatch.setattr(own, "_OWN", {})


def test_it_is_called_with_the_architecture_and_the_title():
    row, figure, given = Row(), Figure(), []
    register_drawing("row", lambda *arguments: given.append(arguments) or figure)
    assert draw_architecture(row, title="best") is figure
    assert given == [(row, "best")]
    assert kinds_drawn() == ("cell_pair", "row")


def test_without_one_the_kinds_that_are_drawn_are_named():
    with pytest.raises(AutoDLError, match=r"kind 'row'; there are drawings for: cell_pair\. A pl"):
        draw_architecture(Row())


def test_a_gallery_is_of_cells():
    register_drawing("row", lambda row, title: Figure())
    with pytest.raises(AutoDLError, match="one by one"):
        draw_gallery([("one", Row()), ("two", Row())])


@pytest.mark.parametrize(
    "draw, wanted",
    [
        (lambda row, title: None, "gives a matplotlib Figure, got NoneType"),
        (lambda row, title: row.edges, "failed: AttributeError: .* no attribute 'edges'"),
    ],
)
def test_a_drawing_that_fails_is_told_in_one_line(draw, wanted):
    register_drawing("row", draw)
    with pytest.raises(PluginError, match=wanted) as caught:
        draw_architecture(Row())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["row", "cell_pair"])
def test_a_kind_has_one_drawing(kind):
    register_drawing("row", lambda row, title: Figure())
    with pytest.raises(ValueError, match="has a drawing already"):
        register_drawing(kind, lambda row, title: Figure())
