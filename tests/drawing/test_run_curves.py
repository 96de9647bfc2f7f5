"""Rewards and seconds by trial; a training in part is no equal of a whole one."""

from __future__ import annotations

import numpy as np

from autodl.drawing.figures import to_svg
from autodl.drawing.run_curves import Dots, draw_rewards, draw_seconds


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_best_and_mean_are_of_complete_trials():
    """The pruned trial 3 is above all others and changes neither line."""
    ids, rewards = list(range(12)), [0.1, 0.3, 0.2] + [0.25] * 9
    figure = draw_rewards(Dots(ids, rewards, ["x"] * 12), Dots([3], [0.9], ["y"]), [5, 6])
    best, mean, failed = figure.axes[0].lines
    np.testing.assert_array_equal(best.get_ydata(), [0.1] + [0.3] * 11)
    assert best.get_drawstyle() == "steps-post"
    # closed form: of ten trials each; rounding of sums of ten numbers of order 1
    np.testing.assert_allclose(mean.get_xdata(), [9, 10, 11])
    expected = [np.mean(rewards[i : i + 10]) for i in range(3)]
    np.testing.assert_allclose(mean.get_ydata(), expected, rtol=1e-14)
    assert list(failed.get_xdata()) == [5, 6]
    assert legend(figure) == [
        "trained in part", "reward", "best so far", "mean of 10 trials", "failed",
    ]  # fmt: skip


def test_seconds_have_the_median_of_complete_trials():
    part, failed = Dots([3], [50.0], ["p"]), Dots([4], [99.0], ["<f> & 'g'"])
    figure = draw_seconds(Dots([0, 1, 2], [1.0, 2.0, 30.0], ["a", "b", "c"]), part, failed)
    assert legend(figure) == ["trained in part", "complete", "failed", "median, 2 s"]
    assert figure.axes[0].get_ylim()[0] == 0
    svg = to_svg(figure)
    assert "<title>a</title>" in svg
    assert "<f>" not in svg
    assert "&lt;f&gt; &amp; " in svg


def test_nothing_to_show():
    for figure in (draw_rewards(Dots(), Dots(), []), draw_seconds(Dots(), Dots(), Dots())):
        assert figure.axes[0].get_legend() is None
        assert to_svg(figure)
