"""The tool that writes networks for deployment."""

from __future__ import annotations

import json


def test_lines(call, small_training, tmp_path):
    done = call("export_model", small_training.folder, "--out", tmp_path / "o", "--repetitions", 2)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith(f"{small_training.folder} (held-out accuracy ")
    assert lines[0].endswith(f"is exported to {tmp_path / 'o'}")
    table = [line.split()[0] for line in lines if line.startswith("  ")]
    assert table[:3] == ["trained", "fused", "inference"]


def test_json(call, small_training, tmp_path):
    arguments = ["--out", tmp_path / "o", "--repetitions", 0, "--json"]
    done = call("export_model", small_training.folder, *arguments)
    assert (done.code, done.err) == (0, "")
    said = json.loads(done.out)
    written = json.loads((tmp_path / "o" / "deployment.json").read_text())
    assert said.pop("folder") == str(tmp_path / "o")
    assert said.pop("latency_ms") == {}
    assert said == written


def test_mistakes(refused, call, small_training, tmp_path):
    refused("no finished training", "export_model", tmp_path / "no", "--out", tmp_path / "out")
    refused("not an empty folder", "export_model", small_training.folder, "--out", tmp_path.parent)
    refused(
        "--repetitions must be at least 0",
        "export_model", small_training.folder, "--out", tmp_path / "o", "--repetitions", -1,
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []
    assert call("export_model", small_training.folder).code == 2
