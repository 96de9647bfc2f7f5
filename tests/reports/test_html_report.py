"""The HTML report is whole in itself and shows what the run's data say."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from autodl.reports.html_report import html_report
from autodl.reports.run import front_values, trade_off
from autodl.spaces.cell.space import CellSpace

SPACE = CellSpace(nodes=3)
EVIL = '</pre></table></title><script>alert("1")</script><img src="//x" onerror=alert(2)>'
OBJECTIVES = {
    "minimise": ["parameters", "macs"],
    "limits": {"macs": 6e6},
    "reward": {"macs": {"target": 5e6, "exponent": -0.07}},
}


def trial(trial_id, reward, **changes):
    architecture = SPACE.sample(np.random.default_rng(trial_id)).to_json()
    return {
        "id": trial_id,
        "state": "COMPLETE" if reward is not None else "FAILED",
        "reward": reward,
        "fidelity": 1.0 if reward is not None else 0.0,
        "architecture": architecture,
        "seconds": 2.0,
        "reason": "" if reward is not None else EVIL,
        "reused": reward is not None and bool(changes.get("reason")),
        "metrics": {"parameters": 1000.0 + trial_id, "macs": 5e6} if reward is not None else {},
        **changes,
    }


def report(trials, objectives=None):
    complete = [t for t in trials if t["state"] == "COMPLETE"]
    front = None
    if objectives:
        front = front_values(trade_off(trials, objectives["minimise"]))
    return {
        "run": "a<b",
        "trials": trials,
        "best": max(complete, key=lambda t: t["reward"], default=None),
        "objectives": objectives,
        "front": front,
        "epochs": 9,
        "manifest": {"created": "now", "evil": EVIL, "identity": {"Space": {"name": "CellSpace"}}},
    }


class Checker(HTMLParser):
    """Collects tags, addresses and texts by heading, and sees that tags are closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.addresses, self.handlers = [], [], [], []
        self.text = {"": ""}
        self.heading = ""

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for key, value in attributes:
            if key in ("src", "href", "xlink:href"):
                self.addresses.append(value)
            if key.startswith("on"):
                self.handlers.append(key)
        if tag == "h2":
            self.heading = None
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in ("meta", "img", "br"):
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.heading is None:
            self.heading = data
        self.text[self.heading] = self.text.get(self.heading, "") + data + " "


def checked(html):
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    return checker


def rows(html, heading):
    """Texts of the cells of the table under a heading."""
    body = html.split(f"<h2>{heading}</h2>")[1].split("</table>")[0]
    return [re.findall(r"<td.*?>(.*?)</td>", row) for row in re.findall("<tr>(.*?)</tr>", body)][1:]


def test_it_is_one_file_with_plots_drawings_and_failures():
    trials = [trial(0, 0.25), trial(1, 0.75), trial(2, None), trial(3, 0.5)]
    html = html_report(report(trials), drawings=2)
    page = checked(html)
    assert all(a.startswith(("data:image/svg+xml;base64,", "#")) for a in page.addresses)
    assert page.tags.count("svg") == 3  # rewards, seconds, trade-off
    assert page.tags.count("img") == 2
    text = page.text
    assert "Search a<b" in text[""]
    assert "trial 1: reward 0.7500" in text[""]
    assert "minimised no cost" in text["Reward against cost"]
    assert [row[:3] for row in rows(html, "Best trials")] == [
        ["1", "1", "0.7500"],
        ["2", "3", "0.5000"],
        ["3", "0", "0.2500"],
    ]
    assert "trial\xa01:\xa0reward\xa00.7500" in text["Best architectures"]
    assert "created: now" in text["Settings and manifest"]
    assert "More architectures on the front" not in text


def test_texts_of_others_do_not_become_part_of_the_page():
    trials = [trial(0, 0.5), trial(1, None), trial(2, 0.5, reason=EVIL)]
    page = checked(html_report(report(trials)))
    assert page.tags.count("script") == 1  # that of the page
    assert page.handlers == []
    assert all(a.startswith(("data:image/svg+xml;base64,", "#")) for a in page.addresses)
    assert EVIL in page.text["Failures"]
    assert EVIL in page.text["Settings and manifest"]


def test_the_pareto_front_is_plotted_listed_and_drawn():
    trials = [
        trial(0, 0.1, metrics={"accuracy": 0.1, "parameters": 1e3, "macs": 1e6}),
        trial(1, 0.9, metrics={"accuracy": 0.8, "parameters": 5e3, "macs": 5e6}),
        trial(2, 0.7, metrics={"accuracy": 0.7, "parameters": 6e3, "macs": 6e6}),
        trial(3, 0.4, metrics={"accuracy": 0.5, "parameters": 2e3, "macs": 2e6}),
    ]
    html = html_report(report(trials, OBJECTIVES), drawings=1)
    page = checked(html)
    assert rows(html, "Pareto front") == [
        ["1", "0.8000", "5,000", "5,000,000"],
        ["3", "0.5000", "2,000", "2,000,000"],
        ["0", "0.1000", "1,000", "1,000,000"],
    ]
    assert [row[-1] for row in rows(html, "Best trials")] == [
        "on the front", "", "on the front", "on the front",
    ]  # fmt: skip
    assert "trial\xa01" in page.text["Best architectures"]
    others = page.text["More architectures on the front"]
    assert re.findall("trial\xa0(.)", others) == ["0"]  # the ends, but 1 is drawn above
    assert (
        "accuracy high; parameters, MACs low; MACs at most 6,000,000; "
        "reward = accuracy × (MACs / 5,000,000)^-0.07"
    ) in page.text[""]


def test_pruned_and_reused_trials_are_told_apart():
    trials = [
        trial(0, 0.5),
        trial(1, 0.9, state="PRUNED", fidelity=1 / 3),
        trial(2, 0.5, reason="result of trial 0", seconds=0.0),
        trial(3, 0.1, state="PAUSED", fidelity=1 / 9),
        trial(4, 0.9, state="PRUNED", fidelity=1 / 3, reason="result of trial 1", seconds=0.0),
    ]
    html = html_report(report(trials))
    text = checked(html).text
    assert "5 trials (1 PAUSED, 2 PRUNED, 2 COMPLETE)" in text[""]
    assert "2 at 3 of 9 epochs" in text[""]
    assert "2 took over the result" in text[""]
    assert "mean 0.5000, best 0.5000, worst 0.5000" in text[""]
    assert "trial 1: reward 0.9000, 2.0 s, pruned at 3 of 9 epochs" in text["Rewards and time"]
    reused = "trial 4: reward 0.9000, 0.0 s, pruned at 3 of 9 epochs, result of trial 1"
    assert reused in text["Rewards and time"]
    assert "paused at 1 of 9 epochs" in text["Rewards and time"]
    assert text["Rewards and time"].count("trained in part") == 2
    # both plots have the trials that ran, and the first one those that did not
    shown = [text["Rewards and time"].count(f"trial {i}: ") for i in range(5)]
    assert shown == [2, 2, 1, 2, 1]
    assert [row[1] for row in rows(html, "Best trials")] == ["0", "2"]
    assert rows(html, "Best trials")[1][-1] == "result of trial 0"
    assert len(re.findall("trial\xa0", text["Best architectures"])) == 1  # they are the same


@pytest.fixture
def unplotted(monkeypatch):
    """Pages whose text alone matters: plots take a second."""
    monkeypatch.setattr("autodl.reports.html_page.to_svg", lambda figure: "<svg></svg>")


def test_failures_are_grouped_by_reason(unplotted):
    reasons = ["loss is NaN in epoch 3", "it burnt", "loss is NaN in epoch 12"]
    trials = [trial(i, None, reason=reason) for i, reason in enumerate(reasons)]
    assert rows(html_report(report(trials)), "Failures") == [
        ["2", "loss is NaN in epoch 3", "trials 0, 2"],
        ["1", "it burnt", "trial 1"],
    ]


@pytest.mark.parametrize("trials", [[], [trial(0, None)], [trial(0, None, state="PROPOSED")]])
@pytest.mark.parametrize("objectives", [None, OBJECTIVES])
def test_a_run_without_a_success_is_reported_too(trials, objectives):
    text = checked(html_report(report(trials, objectives))).text
    assert "Best trials" not in text
    assert "Pareto front" not in text


def test_trials_without_costs_have_no_trade_off():
    page = checked(html_report(report([trial(0, 0.5, metrics={})])))
    assert page.tags.count("svg") == 2


def test_a_space_without_a_drawing_shows_its_json():
    other = {"kind": "of another space", "version": 1}
    page = checked(html_report(report([trial(0, 0.5, architecture=other)])))
    assert "of another space" in page.text["Best architectures"]


def test_the_size_is_moderate_however_many_trials_there_are():
    """Measured: 0.3 MB for 1,000 trials, of which 0.1 MB are drawings."""
    rng = np.random.default_rng(0)
    shared = trial(0, 0.5)
    trials = [
        {**shared, "id": i, "reward": float(rng.uniform()), "metrics": {"parameters": 1e3 + i}}
        for i in range(4000)
    ]
    assert len(html_report(report(trials[:1000]))) < 600_000
    assert len(html_report(report(trials))) < 600_000


@pytest.mark.parametrize(
    "below, shown",
    [
        (None, "^-0.07"),
        (-0.07, "^-0.07"),
        (0, "^(-0.07; up to the target 0)"),
    ],
)
def test_the_exponents_of_a_reward_are_shown(unplotted, below, shown):
    term = {"target": 5e6, "exponent": -0.07, "exponent_below": below}
    page = html_report(report([trial(0, 0.5)], {**OBJECTIVES, "reward": {"macs": term}}))
    assert f"5,000,000){shown}<" in page
