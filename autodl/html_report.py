"""A run as one self-contained HTML file that can be sent to a colleague."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

import yaml

from autodl import __version__
from autodl.drawing.cells import draw_architecture
from autodl.drawing.figures import to_svg
from autodl.drawing.run_curves import draw_rewards, draw_seconds, draw_trade_off
from autodl.errors import AutoDLError
from autodl.report import describe_metrics, ranked, summary_head
from autodl.spaces.codec import decode_architecture

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1080px; margin: 2em auto;
  padding: 0 1em; }
h1 { font-size: 1.6em; } h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; } td, th { padding: .25em .8em; text-align: left;
  border-bottom: 1px solid #eee; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
.plots { display: flex; flex-wrap: wrap; gap: 1em; } .plots img { max-width: 520px; width: 100%; }
figure { margin: 1em 0; } figcaption { color: #555; } figure img { max-width: 100%; }
pre { background: #f6f7f9; padding: 1em; overflow-x: auto; font-size: 13px; }
.failed { color: #b03a2e; } footer { margin-top: 3em; color: #777; font-size: 13px; }
"""


def html_report(report: dict[str, Any], *, drawings: int = 3, top: int = 20) -> str:
    """The report of ``autodl.report.read_run`` as HTML without references to other files.

    Args:
        drawings: how many of the best architectures to draw.
        top: how many of the best trials to list.
    """
    best = ranked(report)
    failed = [trial for trial in report["trials"] if trial["state"] == "FAILED"]
    parts = [
        f"<h1>Search {escape(report['run'])}</h1>",
        "".join(f"<p>{escape(line)}</p>" for line in summary_head(report)),
        _section("Rewards, cost and time", _plots(report)),
        _section("Best trials", _table(best[:top])),
        _section("Best architectures", "".join(_drawing(trial) for trial in best[:drawings])),
        _section("Failures", _failures(failed)),
        _section(
            "Settings and manifest",
            f"<details><summary>show</summary>{_pre(report['manifest'])}</details>",
        ),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>Search {escape(report['run'])}</title><style>{_STYLE}</style></head><body>"
        + "\n".join(part for part in parts if part)
        + f"<footer>AutoDL for PaddlePaddle {__version__}</footer></body></html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{body}" if body else ""


def _image(svg: str, text: str) -> str:
    """An SVG as a picture: in one page, inlined ones would share their ids."""
    data = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{escape(text)}" src="data:image/svg+xml;base64,{data}">'


def _plots(report: dict[str, Any]) -> str:
    complete = [trial for trial in report["trials"] if trial["state"] == "COMPLETE"]
    finished = [trial for trial in report["trials"] if trial["state"] in ("COMPLETE", "FAILED")]
    images = []
    if complete:
        rewards = [trial["reward"] for trial in complete]
        images.append(_image(to_svg(draw_rewards(_ids(complete), rewards)), "reward by trial"))
        for cost, name in (("parameters", "parameters"), ("macs", "multiply-accumulates")):
            known = [trial for trial in complete if trial["metrics"].get(cost) is not None]
            if known:
                costs = [trial["metrics"][cost] for trial in known]
                values = [trial["reward"] for trial in known]
                images.append(
                    _image(to_svg(draw_trade_off(costs, values, name)), f"reward against {name}")
                )
    if finished:
        seconds = [trial["seconds"] for trial in finished]
        failed = [trial["state"] == "FAILED" for trial in finished]
        figure = draw_seconds(_ids(finished), seconds, failed)
        images.append(_image(to_svg(figure), "seconds by trial"))
    return f'<div class="plots">{"".join(images)}</div>' if images else ""


def _ids(trials: Sequence[dict[str, Any]]) -> list[int]:
    return [trial["id"] for trial in trials]


def _table(trials: Sequence[dict[str, Any]]) -> str:
    if not trials:
        return ""
    rows = "".join(
        f'<tr><td class="n">{rank}</td><td class="n">{trial["id"]}</td>'
        f'<td class="n">{trial["reward"]:.4f}</td><td class="n">{trial["seconds"]:.1f}</td>'
        f"<td>{escape(describe_metrics(trial['metrics']))}</td></tr>"
        for rank, trial in enumerate(trials, start=1)
    )
    head = "".join(f"<th>{name}</th>" for name in ("", "trial", "reward", "seconds", "details"))
    return f"<table><tr>{head}</tr>{rows}</table>"


def _drawing(trial: dict[str, Any]) -> str:
    caption = f"trial {trial['id']}, reward {trial['reward']:.4f}"
    try:
        figure = draw_architecture(decode_architecture(trial["architecture"]))
    except AutoDLError:  # a space without a drawing
        return f"<figure>{_pre(trial['architecture'])}<figcaption>{caption}</figcaption></figure>"
    image = _image(to_svg(figure), caption)
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _failures(trials: Sequence[dict[str, Any]]) -> str:
    items = (
        f'<li class="failed">trial {trial["id"]}: {escape(trial["reason"])}</li>'
        for trial in trials
    )
    return f"<ul>{''.join(items)}</ul>" if trials else ""


def _pre(value: object) -> str:
    """Plain values as YAML, innermost lists and mappings on one line."""
    text = yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=100)
    return f"<pre>{escape(text)}</pre>"
