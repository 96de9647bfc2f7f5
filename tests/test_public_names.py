"""Names that people use keep working: every one that README, docs, examples and hubconf say."""

from __future__ import annotations

import ast
import json
import re
from importlib import import_module

import pytest

from autodl.system.resources import PACKAGE

ROOT = PACKAGE.parent
PAGES = sorted([*ROOT.glob("README*.md"), ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
NOTEBOOKS = sorted(ROOT.glob("examples/*.ipynb"))

# kept for plugins, whose files are part of a run's identity and can never follow a move
KEPT = (
    *("autodl.assemble:load_search", "autodl.assemble:register", "autodl.experiment:run_search"),
    *("autodl.compress:load_packed_weights", "autodl.export:export_network"),
    *("autodl.config:Section", "autodl.trial:Trial", "autodl.trial:Evaluation"),
    *("autodl.trial:TrialState", "autodl.trial:TrialFailure", "autodl.trial:Architecture"),
    *("autodl.spaces.cell:Cell", "autodl.spaces.cell:CellPair"),
    *("autodl.spaces.codec:register_architecture", "autodl.spaces.codec:encode_text"),
    *("autodl.spaces.operations:register_operation", "autodl.spaces.operations:same_conv"),
    *("autodl.networks.cell:build_network", "autodl.networks.layers:register_layer"),
    *("autodl.release:Ensemble", "autodl.release:load", "autodl.release:names"),
    *("autodl.release:from_training", "autodl.data.load:load_split", "autodl.data.picture"),
    *(
        "autodl.drawing.cells",
        "autodl.drawing.figures",
        "autodl.reparam.replacement",
        "autodl.reparam.fusion",
    ),
)


def imported(code: str) -> set[str]:
    """``module`` or ``module:name`` for everything of ours that the code imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "autodl":
            found |= {f"{node.module}:{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "autodl"}
    return found


def blocks(text: str) -> list[str]:
    """The Python blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def mentioned(text: str) -> set[str]:
    """Dotted names of ours that the page's prose sets in code type."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`(autodl(?:\.\w+)+)(?:\(|`)", prose))


def used() -> set[str]:
    found = set(KEPT) | imported((ROOT / "hubconf.py").read_text(encoding="utf-8"))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found |= mentioned(text).union(*map(imported, blocks(text)))
    for notebook in NOTEBOOKS:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        plain = [re.sub(r"^[%!].*$", "", text, flags=re.MULTILINE) for text in code]
        found |= set().union(*map(imported, plain))
    return found


def resolve(dotted: str) -> object:
    """The module or the attribute that a name leads to."""
    module, _, name = dotted.partition(":")
    if name:
        return getattr(import_module(module), name)
    parts = module.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            value: object = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            value = getattr(value, part)
        return value
    raise ModuleNotFoundError(module)


@pytest.mark.parametrize("dotted", sorted(used()))
def test_a_name_that_people_use_leads_somewhere(dotted):
    resolve(dotted)


def test_there_are_names_in_every_place():
    assert all(blocks(page.read_text("utf-8")) for page in PAGES if page.name == "README.md")
    assert imported("from autodl.release import load\nimport numpy") == {"autodl.release:load"}
    assert mentioned("see `autodl.export.export_network(...)`") == {"autodl.export.export_network"}
