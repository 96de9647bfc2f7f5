"""The HTML report is whole in itself and shows what the run's data say."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from autodl.drawing.figures import to_svg
from autodl.drawing.run_curves import draw_trade_off
from autodl.html_report import html_report
from autodl.spaces.cell_space import CellSpace

SPACE = CellSpace(nodes=3)


def trial(trial_id, reward, **changes):
    architecture = SPACE.sample(np.random.default_rng(trial_id)).to_json()
    return {
        "id": trial_id,
        "state": "COMPLETE" if reward is not None else "FAILED",
        "reward": reward,
        "architecture": architecture,
        "seconds": 2.0,
        "reason": "" if reward is not None else "<b>burnt</b>",
        "metrics": {"parameters": 1000.0 + trial_id, "macs": 5e6} if reward is not None else {},
        **changes,
    }


def report(trials):
    complete = [t for t in trials if t["reward"] is not None]
    best = max(complete, key=lambda t: t["reward"], default=None)
    return {"run": "a<b", "trials": trials, "best": best, "manifest": {"created": "now"}}


class Checker(HTMLParser):
    """Collects tags and attributes, and sees that tags are closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.sources, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.sources += [values[key] for key in ("src", "href") if key in values]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def checked(html):
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    return checker


def test_it_is_one_file_with_plots_drawings_and_failures():
    trials = [trial(0, 0.25), trial(1, 0.75), trial(2, None), trial(3, 0.5)]
    html = html_report(report(trials), drawings=2)
    page = checked(html)
    assert page.sources
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.sources)
    assert len(page.sources) == 4 + 2  # reward, two trade-offs, seconds; two drawings
    text = " ".join(page.text)
    assert "trial 1, reward 0.7500" in text
    assert "trial 2: <b>burnt</b>" in text  # escaped in the file, so read as text
    assert "Search a<b" in text
    rows = re.findall(r'<td class="n">(\d+)</td><td class="n">(\d+)</td>', html)
    assert rows == [("1", "1"), ("2", "3"), ("3", "0")]


@pytest.mark.parametrize("trials", [[], [trial(0, None)]])
def test_a_run_without_a_success_is_reported_too(trials):
    page = checked(html_report(report(trials)))
    assert "Best trials" not in page.text


def test_trials_without_costs_have_no_trade_off():
    page = checked(html_report(report([trial(0, 0.5, metrics={})])))
    assert len(page.sources) == 2 + 1


def test_a_space_without_a_drawing_shows_its_json():
    other = {"kind": "of another space", "version": 1}
    page = checked(html_report(report([trial(0, 0.5, architecture=other)])))
    assert "of another space" in " ".join(page.text)


def test_trade_off_marks_the_front():
    """Of these, (1, 0.2) and (2, 0.9) are beaten by none; 30 times the cost makes it a log axis."""
    figure = draw_trade_off([1, 2, 2, 30], [0.2, 0.9, 0.5, 0.8], "parameters")
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    front = axes.collections[1].get_offsets()
    np.testing.assert_array_equal(front, [[1, 0.2], [2, 0.9]])
    assert "Pareto front" in to_svg(figure)
