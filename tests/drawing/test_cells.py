"""Pictures of cells: complete, well-formed, repeatable, and nothing outside the paper."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text
from PIL import Image

from autodl.drawing.cells import draw_architecture, draw_gallery
from autodl.drawing.figures import save_figure, to_pixels
from autodl.drawing.names import readable
from autodl.errors import AutoDLError
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.codec import load_architecture
from autodl.spaces.operations import operation_names
from autodl.system.resources import resource


def random_pair(nodes, density=0.5, seed=0):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(len(operation_names()), size=2 * nodes)
    bits = (rng.random(nodes * (nodes - 1)) < density).astype(int)
    return CellPair.from_tokens(tokens, bits)


def all_operations():
    ids = tuple(range(len(operation_names())))
    edges = tuple(int(i == j - 1) for j in ids for i in range(j))
    return CellPair(Cell(ids, edges), Cell(ids[::-1], edges))


def svg_texts(path):
    root = ElementTree.parse(path).getroot()
    return [text for element in root.iter() if (text := (element.text or "").strip())]


def test_svg_is_xml_and_names_every_operation(tmp_path):
    path = tmp_path / "all.svg"
    save_figure(draw_architecture(all_operations(), title="a < b & c, $5"), path)
    texts = svg_texts(path)
    content = path.read_text()
    for name in operation_names():
        assert texts.count(readable(name)) >= 2, name  # once in each cell
        assert content.count(f".{name}") == 2  # the id of its box, for those who search the file
    for word in ("normal cell", "reduction cell", "a < b & c, $5"):
        assert word in texts
    assert texts.count("input") == texts.count("output") == 2


def test_equal_architectures_give_equal_bytes_in_any_process(tmp_path):
    program = (
        "import sys; from pathlib import Path\n"
        "from autodl.drawing.cells import draw_architecture\n"
        "from autodl.drawing.figures import save_figure\n"
        "from autodl.spaces.cell.architecture import CellPair\n"
        "pair = CellPair.from_tokens([0, 1, 5, 6, 7, 8], [1, 0, 1, 1, 1, 0])\n"
        "for suffix in ('.svg', '.png'):\n"
        "    path = Path(sys.argv[1]).with_suffix(suffix)\n"
        "    save_figure(draw_architecture(pair, title='t'), path)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "a")], check=True)
    pair = CellPair.from_tokens([0, 1, 5, 6, 7, 8], [1, 0, 1, 1, 1, 0])
    for suffix in (".svg", ".png"):
        save_figure(draw_architecture(pair, title="t"), tmp_path / f"b{suffix}")
    for suffix in ("svg", "png"):
        first, second = (tmp_path / f"{name}.{suffix}" for name in "ab")
        assert first.read_bytes() == second.read_bytes()


def test_another_architecture_gives_another_picture():
    first, second = (to_pixels(draw_architecture(random_pair(4, seed=s))) for s in (0, 1))
    assert first.shape != second.shape or (first != second).any()


def test_equal_cells_are_drawn_once(tmp_path):
    cell = Cell.from_names(["conv_3x3", "max_pool_3x3"], [1])
    save_figure(draw_architecture(CellPair(cell, cell)), tmp_path / "one.svg")
    texts = svg_texts(tmp_path / "one.svg")
    assert texts.count("conv 3×3") == texts.count("input") == 1
    assert "normal and reduction cell" in texts


@pytest.mark.parametrize("nodes, density", [(1, 0), (3, 0.5), (10, 0.5), (20, 0.1), (20, 0.0)])
def test_nothing_is_clipped_and_no_label_leaves_its_box(nodes, density):
    title = "a title that is far too long for such a small picture " * 4
    check_placement(draw_architecture(random_pair(nodes, density, seed=nodes), title=title))


@pytest.mark.parametrize("count", [2, 3, 6, 7])
def test_nothing_is_clipped_in_a_gallery(count):
    entries = [(f"name {i} " * (1 + 9 * i), random_pair(1 + i, seed=i)) for i in range(count)]
    check_placement(draw_gallery(entries))


def test_in_a_gallery_what_is_drawn_as_boxes_stands_under_the_cells():
    stages = load_architecture(resource("configs") / "architectures" / "airbench93.json")
    cells = [(f"net {i}", random_pair(3, seed=i)) for i in range(3)]
    figure = draw_gallery([cells[0], ("a long name " * 20, stages), *cells[1:], ("last", stages)])
    check_placement(figure)
    tops = {text.get_text(): text.get_position()[1] for text in figure.axes[0].texts}
    assert max(tops[name] for name, _ in cells) < tops["whitened stem"]
    assert max(tops, key=lambda word: tops[word] if word in ("last", "net 2") else 0) == "last"


def check_placement(figure):
    """Nothing leaves the paper, boxes are apart, and labels are in their boxes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    page = figure.bbox
    axes = figure.axes[0]
    boxes = [a.get_window_extent() for a in axes.get_children() if isinstance(a, FancyBboxPatch)]
    texts = [a for a in axes.texts if isinstance(a, Text)]
    for extent in [*boxes, *(text.get_window_extent(renderer) for text in texts)]:
        assert page.x0 <= extent.x0
        assert extent.x1 <= page.x1
        assert page.y0 <= extent.y0
        assert extent.y1 <= page.y1
    for box in boxes:
        assert sum(box.overlaps(other) for other in boxes) == 1  # itself
    labels = {readable(name) for name in operation_names()} | {"input", "output"}
    for text in texts:
        if text.get_text() in labels and text.get_fontsize() == 9:
            extent = text.get_window_extent(renderer)
            assert any(
                box.x0 <= extent.x0 and extent.x1 <= box.x1 and box.y0 <= extent.y0 <= box.y1
                for box in boxes
            ), text.get_text()


def test_a_gallery_names_its_entries_and_its_boxes_apart(tmp_path):
    save_figure(
        draw_gallery([(f"net-{i}", random_pair(4, seed=i)) for i in range(5)]), tmp_path / "g.svg"
    )
    root = ElementTree.parse(tmp_path / "g.svg").getroot()
    texts = svg_texts(tmp_path / "g.svg")
    assert [text for text in texts if text.startswith("net-")] == [f"net-{i}" for i in range(5)]
    assert texts.count("normal cell") == texts.count("reduction cell") == 5
    names = [name for element in root.iter() if (name := element.get("id"))]
    assert sum(".node" in name for name in names) == 5 * 2 * 4
    assert len(names) == len(set(names))


def test_an_empty_gallery_is_refused():
    with pytest.raises(AutoDLError, match="at least one"):
        draw_gallery([])


def test_png_has_the_size_of_the_figure(tmp_path):
    figure = draw_architecture(random_pair(3))
    save_figure(figure, tmp_path / "cell.png")
    width, height = figure.get_size_inches()
    with Image.open(tmp_path / "cell.png") as picture:
        # dots are cut off to whole ones
        assert picture.size == pytest.approx((width * 150, height * 150), abs=1)


def test_pixels():
    figure = draw_architecture(random_pair(10))
    before = figure.get_dpi()
    pixels = to_pixels(figure, largest_side=400)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert 395 <= max(pixels.shape) <= 400
    assert (pixels[0, 0] == 255).all()  # white paper
    assert pixels.std() > 5  # and something on it
    assert figure.get_dpi() == before


def test_64_nodes_can_be_drawn(tmp_path):
    save_figure(draw_architecture(random_pair(64, 0.1)), tmp_path / "big.svg")
    assert svg_texts(tmp_path / "big.svg").count("63") == 2


def test_no_pyplot_and_no_window():
    program = (
        "import sys; import autodl.drawing.cells; "
        "sys.exit('matplotlib.pyplot' in sys.modules or 'paddle' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("name", ["cell.pdf", "cell", "cell.svgz"])
def test_other_suffixes_are_refused(tmp_path, name):
    with pytest.raises(AutoDLError, match=r"must end in \.svg or \.png"):
        save_figure(draw_architecture(random_pair(1)), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_other_kinds_are_refused():
    class Lattice:
        def to_json(self):
            return {"kind": "lattice", "version": 1}

    with pytest.raises(AutoDLError, match=r"kind 'lattice'; there are drawings for: cell_pair"):
        draw_architecture(Lattice())
