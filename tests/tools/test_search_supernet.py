"""Searches with one supernet from the command line, and mistakes of one line."""

from __future__ import annotations

import pytest

from autodl.system.resources import resource

SHORT = ["-o", "Supernet={epochs: 2, warmup_epochs: 1, batch_size: 40, projection_rate: 1.0}"]
SHORT += ["Data={train: 40, held_out: 40, image_size: 8}", "Width.candidates=[1, 2]"]
SHORT += ["Width.budget_macs=10000", "Width.budget_range=[0.5, 1.1]"]


def test_a_search_and_a_training_are_the_same(call, tmp_path):
    done = call("search", "-c", "supernet/width-demo.yaml", "--out", tmp_path / "run", *SHORT)
    assert done.code == 0, done.err
    assert "best widths: " in done.out
    assert (tmp_path / "run" / "architecture.json").exists()
    resumed = ["--out", tmp_path / "run", "--resume", *SHORT]
    again = call("train", "-c", "supernet/width-demo.yaml", *resumed)
    assert again.code == 0, again.err
    assert again.out.splitlines()[-4:] == done.out.splitlines()[-4:]


def test_what_will_be_annealed(call):
    done = call("search", "--anneal", "-c", "supernet/width-demo.yaml", *SHORT)
    assert done.code == 0, done.err
    assert done.out.startswith("projection rate 1: Phi does not fall below 90 % in 1 updates")


@pytest.mark.parametrize("path", sorted(resource("configs").glob("supernet/*.yaml")), ids=str)
def test_every_config_is_read(call, path):
    done = call("train", "-c", path, "--print-config")
    assert done.code == 0, done.err


def test_mistakes(refused, tmp_path):
    base = ["-c", "supernet/width-demo.yaml"]
    refused("give a run folder", "search", *base)
    out = ["--out", tmp_path / "x"]
    refused("above the largest", "search", *base, *out, "-o", "Width.budget_macs=9999999")
    refused("is of a supernet", "train", *base, *out, "--architecture", tmp_path / "best.json")
    refused("--anneal is for supernets", "search", "-c", "search/demo.yaml", "--anneal")
