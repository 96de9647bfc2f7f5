"""The table of released networks."""

from __future__ import annotations

import shutil

import pytest

from autodl.errors import CheckpointError
from autodl.release.metrics import ReleaseMetrics, read_metrics, write_metrics
from autodl.release.overview import overview


def test_a_row_for_each_and_the_ensemble_last(models):
    lines = overview(models.folder).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert {len(row) for row in rows} == {10}
    held_out = {
        f"`tiny_{key}`": each.metrics.held_out.accuracy for key, each in models.published.items()
    }
    assert [row[0] for row in rows[2:]] == [
        *sorted(held_out, key=lambda n: (-held_out[n], n)),
        "ensemble",
    ]
    for row in rows[2:4]:
        assert float(row[8]) == pytest.approx(100 * held_out[row[0]], abs=0.005)  # two digits
        assert row[1] == "By hand."
        assert row[5] == ""  # nothing was timed
        facts = models.published[row[0].strip("`")[-1]].metrics
        assert row[6] == f"{facts.training.core_seconds / 3600:.2f}"
        assert row[7] == {"`tiny_a`": "1", "`tiny_b`": "2"}[row[0]]
    tested = {row[0]: row[9] for row in rows[2:]}
    scores = models.published["a"].metrics.test
    low, high = scores.interval
    assert (
        tested["`tiny_a`"] == f"{100 * scores.accuracy:.2f} ({100 * low:.2f} to {100 * high:.2f})"
    )
    assert tested["`tiny_b`"] == ""
    hours = (models.published[name[-1]].metrics.training for name in models.ensemble.members)
    assert rows[-1][6] == f"{sum(each.core_hours for each in hours):.2f}"
    assert tested["ensemble"].startswith(f"{100 * models.ensemble.test.accuracy:.2f} (")
    assert all(f"{name} x{count}" in rows[-1][1] for name, count in models.ensemble.members.items())


def test_words_do_not_break_the_table(models, tmp_path):
    folder = shutil.copytree(models.folder, tmp_path / "models")
    path = folder / "tiny_a" / "metrics.json"
    made = read_metrics(ReleaseMetrics, path)
    words = made.training.model_copy(update={"found_by": "by hand | by\nchance: twice"})
    write_metrics(made.model_copy(update={"training": words}), path)
    assert "| by hand \\| by chance |" in overview(folder)


def test_without_any_there_is_only_the_head(tmp_path):
    assert len(overview(tmp_path).splitlines()) == 2


def test_a_network_that_lost_its_metrics_is_not_left_out(models, tmp_path):
    copied = shutil.copytree(models.folder, tmp_path / "models")
    (copied / "tiny_a" / "metrics.json").unlink()
    with pytest.raises(CheckpointError, match=r"tiny_a/metrics\.json"):
        overview(copied)
