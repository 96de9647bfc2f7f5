"""The tool that compares studies of bits."""

import json
from pathlib import Path

ROW = {
    **{"name": "BayesianBits", "average_bits": 2.0, "search_seconds": 10.0},
    **{"fine_tuning_seconds": 5.0, "accuracy_before": 0.6, "accuracy_rounded": 0.5},
    "accuracy_after": 0.59,
}


def write(folder: Path, seed: int) -> Path:
    folder.mkdir()
    rows = [ROW, {**ROW, "name": "uniform 2", "search_seconds": 0.0}]
    (folder / "study.json").write_text(json.dumps({"model": "m", "seed": seed, "rows": rows}))
    return folder


def test_table_json_and_plot(call, tmp_path):
    studies = [write(tmp_path / f"s{seed}", seed) for seed in (0, 1)]
    done = call("compare_bits", *studies, "--out", tmp_path / "bits.svg")
    assert (done.code, done.err) == (0, "")
    assert "59.00 ± 0.00" in done.out
    assert "-1.00 ± 0.00" in done.out
    assert "<svg" in (tmp_path / "bits.svg").read_text()
    plain = json.loads(call("compare_bits", *studies, "--json").out)
    assert plain["seeds"] == [0, 1]


def test_mistakes(refused, tmp_path):
    refused("holds no finished study", "compare_bits", tmp_path / "no")
    study = write(tmp_path / "s", 0)
    refused(".svg or .png", "compare_bits", study, "--out", tmp_path / "bits.txt")
