"""A fit as one HTML page that refers to nothing outside itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autodl import __version__
from autodl.data.gathering import unread
from autodl.jobs.fit.clock import time_text
from autodl.jobs.fit.verdict import Mistake, Verdict
from autodl.reports.html_page import captioned, facts, note, page, section, table

_SIDE = 96  # pixels that a mistake is shown at


def fit_page(
    name: str, metrics: dict[str, Any], verdict: Verdict, next_lines: Sequence[str]
) -> str:
    """The report; see ``finish`` for what ``metrics`` has."""
    parts = [
        f"<h1>Fit {escape(name)}</h1>",
        facts(_facts(metrics, verdict)),
        section("What to type next", f"<pre>{escape(chr(10).join(next_lines))}</pre>"),
        section(
            f"What was tried in round-{metrics['round']}, on held-out pictures",
            _tried(metrics["tried"]),
        ),
        section("Classes, on the test part", _classes(verdict)),
        section("Confusion", _confusion(verdict)),
        section("The worst mistakes", _mistakes(verdict.worst)),
        section(
            f"What was decided for {metrics['plan_round']}, and why",
            facts(list(metrics["plan"]["reasons"].items())),
        ),
        f"<footer>AutoDL for PaddlePaddle {__version__}</footer>",
    ]
    return page(f"Fit {name}", "\n".join(part for part in parts if part))


def _facts(metrics: dict[str, Any], verdict: Verdict) -> list[tuple[str, str]]:
    test, chosen = metrics["test"], metrics["chosen"]
    low, high = test["interval"]
    shares = metrics["plan"]["shares"]
    left = unread(metrics["left_out"])
    files = [file for files in metrics["exported"]["files"].values() for file in files]
    return [
        ("test accuracy", f"{verdict.accuracy:.4f} (95 %: {low:.4f} to {high:.4f})"),
        ("balanced accuracy", f"{verdict.balanced:.4f}, the mean recall of the classes"),
        ("held-out accuracy", f"{chosen['accuracy']:.4f}, balanced {chosen['balanced']:.4f}"),
        ("network", f"{chosen['about']}, {chosen['epochs']} epochs in"
         f" {time_text(chosen['seconds'])}"),
        (f"planned for {metrics['plan_round']}",
         ", ".join(f"{key} {value:.0f} s" for key, value in shares.items() if value)),
        ("exported", ", ".join(files)),
        ("left out", f"{left:,} files that are, or may be, pictures" if left else ""),
    ]  # fmt: skip


def _tried(entrants: Sequence[dict[str, Any]]) -> str:
    rows = [
        [f"{e['balanced']:.4f}", f"{e['accuracy']:.4f}", f"{e['loss']:.4f}", str(e["epochs"]),
         f"{e['seconds']:.0f}", e["about"], str(e["folder"])]
        for e in entrants
    ]  # fmt: skip
    head = ["balanced accuracy", "accuracy", "loss", "epochs", "seconds", "network", "folder"]
    return table(head, rows, words=2)


def _classes(verdict: Verdict) -> str:
    rows = [
        [_share(f.precision), _share(f.recall), _share(f.f1), f"{f.support:,}", f.name]
        for f in verdict.figures
    ]
    return table(["precision", "recall", "F1", "pictures", "class"], rows, words=1)


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _confusion(verdict: Verdict) -> str:
    names = [figures.name for figures in verdict.figures]
    pairs = ", ".join(f"{a} taken for {b} ({n})" for a, b, n in verdict.confused)
    told = note(f"Confused most often: {pairs or 'nothing'}.")
    if verdict.matrix is None:
        return told
    rows = [
        [*map(str, row), name] for row, name in zip(verdict.matrix.tolist(), names, strict=True)
    ]
    return (
        told
        + note("Rows are what pictures are, columns what they are called.")
        + table([*names, ""], rows, words=1)
    )


def _mistakes(worst: Sequence[Mistake]) -> str:
    if not worst:
        return note("There is none.")
    shown = "".join(
        captioned(_image(m.picture, m.file), f"{m.label}, called {m.said} ({m.chance:.0%})")
        for m in worst
    )
    return f'<div class="cells">{shown}</div>'


def _image(picture: NDArray[np.uint8], file: str) -> str:
    held = io.BytesIO()
    Image.fromarray(picture).save(held, "PNG")
    data = base64.b64encode(held.getvalue()).decode()
    return (
        f'<img alt="{escape(file)}" title="{escape(file)}" width="{_SIDE}"'
        f' src="data:image/png;base64,{data}">'
    )
