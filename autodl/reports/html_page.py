"""What an HTML page is made of: style, tables that sort, pictures inside the page.

The page refers to nothing outside itself, and its policy tells the browser to load nothing and
to run no script but the one here.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from html import escape

from matplotlib.figure import Figure

from autodl.drawing.figures import to_svg

_STYLE = """
:root { color-scheme: light dark; --ink: #222; --soft: #666; --line: #ddd; --back: #fff;
  --pane: #f6f7f9; --link: #1f5fa8; --bad: #b03a2e; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e4e4e4; --soft: #a2a2a2; --line: #3d3d3d; --back: #1c1c1c; --pane: #262626;
    --link: #8ab8ea; --bad: #ef8d80; }
  svg, img { filter: invert(.89) hue-rotate(180deg); }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  max-width: 1080px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; margin-bottom: .3em; }
h2 { font-size: 1.2em; margin-top: 2.2em; border-bottom: 1px solid var(--line); }
p.note, figcaption, footer { color: var(--soft); font-size: 13px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1em 1.5em; margin: 1em 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; } td, th { padding: .25em .7em; text-align: left;
  border-bottom: 1px solid var(--line); vertical-align: top; }
td:last-child { min-width: 10em; } td.n:last-child { min-width: 0; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th button { all: unset; cursor: pointer; font-weight: bold; }
th button:focus-visible { outline: 2px solid var(--link); }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
.plots { display: flex; flex-wrap: wrap; gap: 1em; margin-bottom: 1em; }
.plots svg { flex: 1 1 440px; min-width: 0; height: auto; }
svg * { stroke-linejoin: round; stroke-linecap: butt; }
.cells { display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-end; }
figure { margin: 0; max-width: 100%; } figure img { max-width: 100%; height: auto; }
figcaption { text-align: center; max-width: 26em; margin: auto; text-wrap: balance; }
pre { background: var(--pane); padding: 1em; overflow-x: auto; font-size: 13px; }
summary { cursor: pointer; color: var(--link); } .bad { color: var(--bad); }
footer { margin-top: 3em; }
@media print { body { max-width: none; margin: 0; font-size: 12px; } pre { white-space: pre-wrap; }
  tr, figure, svg { break-inside: avoid; } h2 { break-after: avoid; } summary { display: none; } }
"""

_SCRIPT = """
for (const table of document.querySelectorAll("table.sortable"))
  table.querySelectorAll("th").forEach((head, column) => {
    head.querySelector("button")?.addEventListener("click", () => {
      const old = head.getAttribute("aria-sort");
      const sign = (old ? old === "ascending" : head.className === "n") ? -1 : 1;
      for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
      const value = row => row.cells[column].textContent;
      const number = row => parseFloat(value(row).replaceAll(",", ""));
      const compare = (a, b) => {
        const [x, y] = [number(a), number(b)];
        if (!isNaN(x) && !isNaN(y)) return sign * (x - y);
        return isNaN(x) - isNaN(y) || sign * value(a).localeCompare(value(b));
      };
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
    });
  });
"""
_DRAWING_PIXELS_PER_INCH = 80  # three small cells beside each other
_PLOT_PIXELS_PER_INCH = 84  # two panels as wide as the page
_DIGEST = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{_DIGEST}'"
)


def page(title: str, body: str) -> str:
    """A whole document; ``title`` is text, ``body`` is HTML."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n"
        f"{body}\n<script>{_SCRIPT}</script></body></html>\n"
    )


def section(title: str, body: str) -> str:
    """HTML under a heading, nothing if there is none."""
    return f"<section><h2>{escape(title)}</h2>\n{body}</section>" if body else ""


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and texts, below each other; those without a text are left out."""
    rows = (f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in pairs if text)
    return f"<dl>{''.join(rows)}</dl>"


def note(text: str) -> str:
    """A paragraph in small print."""
    return f'<p class="note">{escape(text)}</p>'


def table(head: Sequence[str], rows: Sequence[Sequence[str | float]], *, words: int = 0) -> str:
    """A table that sorts when a heading is clicked.

    Args:
        head: a heading for each column; one without a text does not sort.
        rows: texts, as they are to be seen, and numbers.
        words: so many columns at the end are texts; the others are numbers, set to the right.
    """
    numbers = len(head) - words
    looks = [' class="n"' if column < numbers else "" for column in range(len(head))]
    titles = (
        f"<th{look}><button>{escape(name)}</button></th>" if name else f"<th{look}></th>"
        for look, name in zip(looks, head, strict=True)
    )
    lines = (
        "<tr>"
        + "".join(f"<td{k}>{escape(str(cell))}</td>" for k, cell in zip(looks, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table class="sortable"><thead><tr>{"".join(titles)}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


_UNUSED = re.compile(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->|\n\s*", re.DOTALL)
_NAMES = re.compile(r' id="(?:[a-z][\w.]*|[A-Za-z]+)_\d+"| xmlns(:xlink)?="[^"]*"| version="1.1"')
_PLACE = re.compile(r' ([xy])="(\d+\.\d)\d*"')


def plot(figure: Figure, text: str) -> str:
    """A plot as part of the page, where the pointer can rest on its dots.

    What the page does not need is taken out, above all ids: in one page they would meet. Of those
    that remain, Matplotlib makes equal ones only for equal things.
    """
    svg = to_svg(figure)
    svg = _NAMES.sub("", _UNUSED.sub("", svg[svg.index("<svg") :]))
    svg = _PLACE.sub(r' \1="\2"', svg)
    most = round(_PLOT_PIXELS_PER_INCH * figure.get_figwidth())
    look = f'style="max-width:min(100%,{most}px)" role="img" aria-label="{escape(text)}"'
    return svg.replace("<svg", f"<svg {look}", 1)


def picture(figure: Figure, caption: str) -> str:
    """A drawing with its caption."""
    data = base64.b64encode(to_svg(figure).encode()).decode()
    width = round(_DRAWING_PIXELS_PER_INCH * figure.get_figwidth())
    source = f"data:image/svg+xml;base64,{data}"
    image = f'<img alt="{escape(caption)}" width="{width}" src="{source}">'
    return captioned(image, caption)


def captioned(body: str, caption: str) -> str:
    """HTML with a caption, whose lines break at its commas."""
    parts = (part.replace(" ", "\N{NO-BREAK SPACE}") for part in caption.split(", "))
    return f"<figure>{body}<figcaption>{escape(', '.join(parts))}</figcaption></figure>"
