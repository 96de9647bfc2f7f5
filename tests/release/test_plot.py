"""The plot of released networks: accuracies and core-hours are those of their files."""

from __future__ import annotations

import shutil

import pytest

from autodl.errors import StoreError
from autodl.release.metrics import ReleaseMetrics, read_metrics, write_metrics
from autodl.release.plot import draw_released


def points(figure):
    """Of each label the hours and the accuracies."""
    lines = {each.get_label(): each[0] for each in figure.axes[0].containers}
    return {
        label: (list(line.get_xdata()), list(line.get_ydata())) for label, line in lines.items()
    }


def test_what_was_tested_is_drawn(models, tmp_path):
    """tiny_b was never tested; a network by hand has a mark of its own."""
    figure = draw_released(models.folder)
    made = models.published["a"].metrics
    drawn = points(figure)
    assert drawn["found by a search"] == ([made.training.core_hours], [100 * made.test.accuracy])
    together = sum(
        models.published[name[-1]].metrics.training.core_hours for name in models.ensemble.members
    )
    assert drawn["the ensemble, with the hours of its members"] == (
        [pytest.approx(together)],
        [100 * models.ensemble.test.accuracy],
    )
    assert {text.get_text() for text in figure.axes[0].texts} == {"tiny_a", "ensemble"}
    folder = shutil.copytree(models.folder, tmp_path / "models")
    path = folder / "tiny_a" / "metrics.json"
    training = made.training.model_copy(update={"by_hand": True})
    write_metrics(
        read_metrics(ReleaseMetrics, path).model_copy(update={"training": training}), path
    )
    assert "hand-made" in points(draw_released(folder))


def test_without_a_test_there_is_nothing_to_draw(models, tmp_path):
    shutil.copytree(models.folder / "tiny_b", tmp_path / "tiny_b")
    with pytest.raises(StoreError, match="no released network was tested"):
        draw_released(tmp_path)
