"""DARTS from the command line: what it prints next is what trains its choice."""

from __future__ import annotations

import shlex

SMALL = (
    "Network.width=2 Data.image_size=8 Data.train=20 Data.held_out=20 Train.epochs=1"
    " Train.batch_size=10"
)


def test_the_line_that_is_printed_trains_what_was_chosen(call, tmp_path):
    out, small = tmp_path / "darts", ("-o", *SMALL.split())
    done = call("train", "-c", "supernet/darts-demo.yaml", "--out", out, *small)
    assert done.code == 0, done.err
    assert f"chosen: {out}/architecture.json" in done.out
    printed = done.out.split("train it: autodl ")[1].strip()
    assert (tmp_path / "darts-trained").exists() is False
    trained = call(*shlex.split(printed), *small)
    assert trained.code == 0, trained.err
    kept = tmp_path / "darts-trained" / "chosen" / "architecture.json"
    assert kept.read_text() == (out / "architecture.json").read_text()


def test_a_supernet_is_no_trained_network(call, tmp_path):
    (tmp_path / "config.yaml").write_text("Supernet: {path: {name: Uniform}}\n")
    (tmp_path / "run.json").write_text('{"starts": []}')
    (tmp_path / "metrics.json").write_text("{}")
    done = call("eval", tmp_path)
    assert done.code == 2
    assert done.err.startswith(f"error: {tmp_path} is a supernet, which holds a whole space")
    assert len(done.err.splitlines()) == 1
