"""The tables and plots of a width study, of written results; test_width_study.py makes some."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from autodl.errors import StoreError
from autodl.spaces.width.architecture import WidthArchitecture
from autodl.studies.widths.plot import draw_modes
from autodl.studies.widths.table import (
    Searched,
    WidthStudy,
    rank_correlation,
    read_study,
    study_text,
)


def test_known_architectures_are_summed_up_by_number(tmp_path):
    """In the order of the draws, which is that of shared.json, also beyond a hundred."""
    count = 102
    for number in range(count):
        own = tmp_path / "standalone" / f"{number:02d}"
        own.mkdir(parents=True)
        text = json.dumps({"macs": number, "held_out_accuracy": number / count})
        (own / "metrics.json").write_text(text)
    run = tmp_path / "ordinal-0"
    for name, value in {
        "shared.json": list(range(count)),
        "search/metrics.json": {"macs": 5, "accuracy": 0.5, "curve": []},
        "search/architecture.json": WidthArchitecture("resnet20", (4,) * 19).to_json(),
        "trained/metrics.json": {"held_out_accuracy": 0.5},
        "trained/test.json": {"accuracy": 0.5},
    }.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(json.dumps(value))
    study = read_study(tmp_path)
    (row,) = [line for line in study_text(study).splitlines() if line.startswith("| ordinal")]
    assert row.split("|")[6].strip() == "1.00"


def test_rank_correlation():
    """Spearman's rho by hand: 1 - 6 sum d^2 / (n (n^2 - 1)); ties take mean ranks."""
    assert rank_correlation([1, 2, 3], [10, 20, 30]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 2, 3, 4], [2, 1, 4, 3]) == pytest.approx(1 - 6 * 4 / 60)
    # ranks 1.5 1.5 3 against 1 2 3
    expected = np.corrcoef([1.5, 1.5, 3], [1, 2, 3])[0, 1]
    assert rank_correlation([5, 5, 9], [1, 2, 3]) == pytest.approx(expected)
    assert math.isnan(rank_correlation([1, 1], [1, 2]))
    with pytest.raises(ValueError, match="equally long"):
        rank_correlation([1], [1])


def searched(mode, seed, phi=(), tested=0.5):
    return Searched(mode, seed, 1000 + seed, phi, (), tested, tested)


def test_lines_of_what_is_finished():
    study = WidthStudy(
        (
            searched("transition", 0, (1.0, 0.5, 0.1), 0.5),
            searched("transition", 1, (1.0, 0.6, 0.2), 0.6),
            searched("random", 0, tested=None),
        ),
        (),
    )
    text = study_text(study)
    assert "| transition | 2 | 1,000 | 55.00 ± 7.07 | 55.00 ± 7.07 | - |" in text
    assert text.endswith("transition-0: 100 50 10\ntransition-1: 100 60 20")
    assert "| random" not in text
    sharing, tested = draw_modes(study).axes
    curves = [line.get_ydata() for line in sharing.lines]
    np.testing.assert_allclose(curves, [[100, 50, 10], [100, 60, 20]])
    assert [list(line.get_ydata()) for line in tested.lines] == [[50, 60], []]


def test_damaged_results_are_named(tmp_path):
    (tmp_path / "random-0" / "search").mkdir(parents=True)
    (tmp_path / "random-0" / "search" / "metrics.json").write_text("{")
    with pytest.raises(StoreError, match=r"metrics\.json.*run the part again"):
        read_study(tmp_path)
