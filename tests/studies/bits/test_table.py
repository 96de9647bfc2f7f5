"""Studies of bits as one table."""

import json
from statistics import mean, stdev

import pytest

from autodl.errors import StoreError
from autodl.studies.bits.table import read_studies, study_table, table_lines

AFTER = {0: [0.60, 0.50, 0.58], 1: [0.62, 0.56, 0.57], 2: [0.64, 0.53, 0.62]}
METHODS = ["BayesianBits", "uniform 2", "search 1x"]


def write_study(folder, seed, methods=METHODS):
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
    return [write_study(tmp_path / f"bits-{seed}", seed) for seed in AFTER]


def test_means_and_paired_changes(folders):
    table = study_table(read_studies(folders))
    assert table["seeds"] == [0, 1, 2]
    assert [row["name"] for row in table["methods"]] == METHODS
    for n, row in enumerate(table["methods"]):
        after = [AFTER[seed][n] for seed in AFTER]
        changes = [AFTER[seed][n] - (0.61 + 0.01 * seed) for seed in AFTER]
        # float64: a few roundings of numbers below 1
        assert row["accuracy_after"] == pytest.approx([mean(after), stdev(after)], abs=1e-12)
        assert row["change"] == pytest.approx([mean(changes), stdev(changes)], abs=1e-12)
        assert row["average_bits"] == pytest.approx([2.6, 0.1], abs=1e-12)
    first, _, bayesian, *_ = table_lines(table)
    assert "seeds 0, 1, 2" in first
    assert "62.00 ± 2.00" in bayesian
    assert "+0.00 ± 1.00" in bayesian


def test_one_study_has_no_spread(folders):
    table = study_table(read_studies(folders[:1]))
    assert table["methods"][1]["accuracy_after"] == [0.5, None]
    assert "±" not in "\n".join(table_lines(table))


def test_mistakes(folders, tmp_path):
    with pytest.raises(StoreError, match="no study is given"):
        read_studies([])
    with pytest.raises(StoreError, match=r"no finished study.*--resume"):
        read_studies([tmp_path / "nowhere"])
    other = write_study(tmp_path / "other", 1, ["BayesianBits", "uniform 4", "search 1x"])
    with pytest.raises(StoreError, match="studies of one configuration"):
        read_studies([folders[0], other])
    for damaged in ('{"rows": []}', '{"seed": 1, "rows": [{"name": "x"}]}', "[", "[]"):
        (folders[0] / "study.json").write_text(damaged)
        with pytest.raises(StoreError, match=r"cannot read .*study\.json"):
            read_studies(folders)
