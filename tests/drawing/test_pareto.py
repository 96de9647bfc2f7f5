"""The plots of the Pareto front show what the data say."""

from __future__ import annotations

import numpy as np
import pytest

from autodl.drawing.figures import to_pixels, to_svg
from autodl.drawing.pareto import draw_front
from autodl.objectives.trade_off import TradeOff
from autodl.tasks.task import ABSOLUTE_ERROR

COSTS = ("parameters", "macs", "latency_ms")


def trade_off(*rows):
    """Trials 10, 11, ... of accuracy and costs."""
    found = TradeOff(COSTS[: len(rows[0]) - 1])
    for trial_id, (accuracy, *costs) in enumerate(rows, start=10):
        metrics = {"accuracy": accuracy, **dict(zip(COSTS, costs, strict=False))}
        found.add_result(trial_id, 0.0, metrics, reused=False)
    return found


def drawn(axes):
    """The dots of a panel by what the legend calls them."""
    return {dots.get_label(): dots.get_offsets().tolist() for dots in axes.collections}


def test_one_cost():
    """Of these, (1, 0.2) and (2, 0.9) are beaten by none; 30 times the cost makes it a log axis."""
    figure = draw_front(trade_off((0.2, 1), (0.9, 2), (0.5, 2), (0.8, 30)), {"parameters": 20})
    (axes,) = figure.axes
    assert drawn(axes) == {"trial": [[2, 0.5], [30, 0.8]], "Pareto front": [[1, 0.2], [2, 0.9]]}
    line, limit = axes.lines
    np.testing.assert_array_equal(line.get_xydata(), [[1, 0.2], [2, 0.9]])
    assert line.get_drawstyle() == "steps-post"
    assert limit.get_xdata() == [20, 20]
    assert axes.get_xscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("parameters", "accuracy")
    assert [text.get_text() for text in axes.texts] == ["11", "10"]


def test_a_front_by_several_costs_is_shown_in_every_panel():
    """The third trial is on the front by its MACs alone, the second by its parameters alone."""
    figure = draw_front(trade_off((0.9, 3, 3), (0.5, 1, 4), (0.4, 2, 1), (0.3, 4, 4)))
    by_parameters, by_macs = figure.axes
    assert drawn(by_parameters) == {
        "trial": [[4, 0.3]],
        "Pareto front": [[1, 0.5], [3, 0.9]],
        "also on it, by another cost": [[2, 0.4]],
    }
    assert drawn(by_macs) == {
        "trial": [[4, 0.3]],
        "Pareto front": [[1, 0.4], [3, 0.9]],
        "also on it, by another cost": [[4, 0.5]],
    }


def test_a_browser_says_what_a_dot_is():
    svg = to_svg(draw_front(trade_off((0.9, 28042), (0.5, 14322.0))))
    assert "<title>trial 10: accuracy 0.9000, parameters 28,042</title>" in svg
    assert "<a " not in svg
    assert "</a>" not in svg


def test_an_error_is_drawn_as_it_is():
    found = trade_off((-0.5, 1), (-0.25, 2), (-0.75, 2))
    figure = draw_front(found, quality=ABSOLUTE_ERROR)
    (axes,) = figure.axes
    assert axes.get_ylabel() == "mae"
    assert drawn(axes) == {"trial": [[2, 0.75]], "Pareto front": [[1, 0.5], [2, 0.25]]}
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[1, 0.5], [2, 0.25]])
    assert "<title>trial 11: mae 0.2500, parameters 2</title>" in to_svg(figure)
    assert found.values[:, 0].tolist() == [-0.5, -0.25, -0.75]  # what is kept stays


def test_many_dots_cost_no_megabytes():
    """A hundred bytes for each dot of a thousand; of many thousands most are pixels."""
    rng = np.random.default_rng(0)
    rows = [(float(a), float(p)) for a, p in rng.uniform(1, 2, (4000, 2))]
    found = trade_off(*rows[:1000])
    svg = to_svg(draw_front(found))
    assert svg.count("<title>trial") == len(found.front)
    assert len(svg) < 200_000
    assert len(to_svg(draw_front(trade_off(*rows)))) < 200_000


def test_labels_that_would_lie_on_each_other_are_left_out():
    rows = [(0.5 + i / 10_000, 1000 + i) for i in range(20)] + [(0.1, 1)]
    texts = {text.get_text() for text in draw_front(trade_off(*rows)).axes[0].texts}
    assert texts == {"29", "30"}  # the best one, and the one far away


@pytest.mark.parametrize("costs, axes, hidden", [(1, 1, 0), (2, 2, 0), (3, 4, 1)])
def test_no_trials_and_the_panel_that_is_left_over(costs, axes, hidden):
    figure = draw_front(TradeOff(COSTS[:costs]), {"macs": 3}, "no $mathematics$")
    assert len(figure.axes) == axes
    assert sum(not panel.axison for panel in figure.axes) == hidden
    assert to_pixels(figure).shape[2] == 3
