"""Studies of earlier versions are still summed up."""

from __future__ import annotations

import json
from hashlib import sha256

import numpy as np
import pytest

from autodl.errors import ConfigError, StoreError
from autodl.spaces.width.architecture import WidthArchitecture
from autodl.studies.earlier import align_widths
from autodl.studies.reading import read_results
from autodl.studies.table import study_table, table_lines

AFTER = {0: [0.60, 0.50, 0.58], 1: [0.62, 0.56, 0.57], 2: [0.64, 0.53, 0.62]}
METHODS = ["BayesianBits", "uniform 2", "search 1x"]


def write_bits(folder, seed, methods=METHODS):
    rows = [
        {
            "name": name,
            "average_bits": 2.5 + 0.1 * seed,
            "search_seconds": 100.0,
            "fine_tuning_seconds": 50.0,
            "accuracy_before": 0.61 + 0.01 * seed,
            "accuracy_rounded": 0.4,
            "accuracy_after": after,
            "packed_bytes": 1000,
            "ratio": 10.0,
        }
        for name, after in zip(methods, AFTER[seed], strict=True)
    ]
    folder.mkdir(parents=True)
    (folder / "study.json").write_text(json.dumps({"model": "m", "seed": seed, "rows": rows}))
    return folder


@pytest.fixture
def folders(tmp_path):
    return [write_bits(tmp_path / f"bits-{seed}", seed) for seed in AFTER]


def test_bits_means_and_changes(folders):
    table = study_table(read_results(folders))
    assert [row["name"] for row in table["variations"]] == METHODS
    for place, row in enumerate(table["variations"]):
        assert row["seeds"] == [0, 1, 2]
        changes = [AFTER[seed][place] - (0.61 + 0.01 * seed) for seed in AFTER]
        change = row["values"]["change"]
        # float64: a few roundings of numbers below 1
        expected = (np.mean(changes), np.std(changes, ddof=1))
        assert (change["mean"], change["sd"]) == pytest.approx(expected, abs=1e-12)
        assert row["values"]["average_bits"]["mean"] == pytest.approx(2.6, abs=1e-12)
        assert row["values"]["packed_bytes"]["mean"] == 1000


def test_mistakes_in_bits(folders, tmp_path):
    other = write_bits(tmp_path / "other", 1, ["BayesianBits", "uniform 4", "search 1x"])
    with pytest.raises(StoreError, match="studies of one configuration"):
        read_results([folders[0], other])
    for damaged in ('{"rows": []}', '{"seed": 1, "rows": [{"name": "x"}]}', "[", "[]"):
        (folders[0] / "study.json").write_text(damaged)
        with pytest.raises(StoreError, match=r"cannot read .*study\.json"):
            read_results(folders)


def write_widths(folder, mode, seed, *, phi, tested):
    run = folder / f"{mode}-{seed}"
    for name, value in {
        "shared.json": [0.1, 0.2, 0.4],
        "search/metrics.json": {
            "mode": mode, "macs": 1000 + seed, "accuracy": 0.5,
            "curve": [{"phi": level} for level in phi],
        },
        "search/architecture.json": WidthArchitecture("resnet20", (4,) * 19).to_json(),
        "trained/run.json": {"starts": []},
        "trained/metrics.json": {"held_out_accuracy": tested},
        "trained/weights.safetensors": {},
        "trained/test.json": {"accuracy": tested, "weights_sha256": sha256(b"{}").hexdigest()},
    }.items():  # fmt: skip
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(json.dumps(value))


def test_widths(tmp_path):
    for number in range(3):
        own = tmp_path / "standalone" / f"{number:02d}"
        own.mkdir(parents=True)
        text = json.dumps({"macs": -number, "held_out_accuracy": number / 3})
        (own / "metrics.json").write_text(text)
    write_widths(tmp_path, "transition", 0, phi=[200.0, 100.0, 20.0], tested=0.5)
    write_widths(tmp_path, "transition", 1, phi=[200.0, 120.0, 40.0], tested=0.6)
    write_widths(tmp_path, "random", 0, phi=[], tested=0.4)
    table = study_table(read_results([tmp_path]))
    transition, random = (row["values"] for row in table["variations"])
    assert transition["macs"]["mean"] == 1000.5
    tested = transition["test_accuracy"]
    assert (tested["mean"], tested["sd"]) == pytest.approx((0.55, np.std([0.5, 0.6], ddof=1)))
    assert transition["phi"]["mean"] == 30.0
    assert transition["rank_correlation"]["mean"] == pytest.approx(1)
    assert random["phi"]["n"] == 0
    text = "\n".join(table_lines(table, ["macs"], []))
    assert "phi_share, %, of transition-0: 100 50 10" in text
    assert "phi_share, %, of transition-1: 100 60 20" in text
    assert "3 stand-alone trainings: held-out 0.3333 ± 0.3333" in text
    assert "rank correlation with their MACs -1.00" in text


def test_damaged_widths_and_alignment_of_nothing(tmp_path):
    with pytest.raises(ConfigError, match="no finished search with shared weights"):
        align_widths(tmp_path, [], print)
    (tmp_path / "random-0" / "search").mkdir(parents=True)
    (tmp_path / "random-0" / "search" / "metrics.json").write_text("{")
    with pytest.raises(StoreError, match=r"metrics\.json.*run the study again"):
        read_results([tmp_path])
