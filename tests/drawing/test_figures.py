"""Figures become files whose bytes depend on the figure alone."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from autodl.drawing.figures import save_figure, to_svg
from autodl.errors import AutoDLError

SVG = "{http://www.w3.org/2000/svg}"


def dots(texts):
    figure = Figure()
    figure.subplots().scatter(range(len(texts)), range(len(texts))).set_urls(texts)
    return figure


def test_addresses_become_texts_to_rest_the_pointer_on(tmp_path):
    texts = ["trial 1", 'a < b & "c"', "it's", 'it\'s "c"', "</title><script>"]
    svg = to_svg(dots(texts))
    found = [title.text for title in ElementTree.fromstring(svg).iter(f"{SVG}title")]
    assert found == texts
    assert "<a " not in svg
    save_figure(dots(texts), tmp_path / "plot.svg")
    assert (tmp_path / "plot.svg").read_text(encoding="utf-8") == svg


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(AutoDLError, match=r"must end in \.svg or \.png, got '\.pdf'"):
        save_figure(dots([None]), tmp_path / "plot.pdf")
