"""tools/width.py: a search from the command line, and mistakes of one line."""

from __future__ import annotations

import pytest

from autodl.system.resources import resource

SHORT = ["-o", "Supernet={epochs: 2, warmup_epochs: 1, batch_size: 40, projection_rate: 1.0}"]
SHORT += ["Data={train: 40, held_out: 40, image_size: 8}", "Width.candidates=[1, 2]"]
SHORT += ["Width.budget_macs=10000", "Width.budget_range=[0.5, 1.1]"]


def test_a_search(call, tmp_path):
    done = call(
        "width", "search", "-c", "supernet/width-demo.yaml", "--out", tmp_path / "run", *SHORT
    )
    assert done.code == 0, done.err
    assert "best widths: " in done.out
    assert (tmp_path / "run" / "architecture.json").exists()


def test_what_will_be_annealed(call):
    done = call("width", "anneal", "-c", "supernet/width-demo.yaml", *SHORT)
    assert done.code == 0, done.err
    assert done.out.startswith("projection rate 1: Phi does not fall below 90 % in 1 updates")


@pytest.mark.parametrize("path", sorted(resource("configs").glob("supernet/*.yaml")), ids=str)
def test_every_config_is_read(call, path):
    done = call("width", "search", "-c", path, "--print-config")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    "wanted, arguments",
    [
        ("give a run folder", ["search", "-c", "supernet/width-demo.yaml"]),
        (
            "above the largest",
            ["search", "-c", "supernet/width-demo.yaml", "-o", "Width.budget_macs=9999999"],
        ),
        ("holds nothing finished", ["summary"]),
        ("holds no finished search", ["alignment"]),
        ("a part is", ["study", "-c", "study/width.yaml", "--part", "ordnal"]),
        ("invalid choice", ["serch"]),
    ],
)
def test_mistakes(refused, tmp_path, wanted, arguments):
    out = [] if wanted in ("give a run folder", "invalid choice") else ["--out", tmp_path / "x"]
    refused(wanted, "width", *arguments, *out)
