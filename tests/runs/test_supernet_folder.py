"""What is said to those who take a supernet for something else."""

from __future__ import annotations

import pytest

from autodl.runs.supernet_folder import is_relaxed, retraining, supernet_advice

RELAXED = "Supernet: {path: {name: Relaxed, order: 1}}\n"
UNIFORM = "Supernet: {path: {name: Uniform}}\n"
CELLS = "Space: {name: EdgeCellSpace}\nData: {name: cifar10-mini}\n"


def folder(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    (tmp_path / "run.json").write_text('{"starts": []}')
    return tmp_path


def test_each_kind_is_told_what_it_is_for(tmp_path):
    relaxed = folder(tmp_path, RELAXED + CELLS)
    assert is_relaxed(relaxed)
    assert f"train what it chose: autodl train -c train/edge-cell-demo.yaml --run {relaxed}" in (
        supernet_advice(relaxed)
    )
    paths = folder(tmp_path, UNIFORM + CELLS)
    assert not is_relaxed(paths)
    assert f"search in it: autodl search -c search/edge-supernet.yaml -o Evaluator.run={paths}" in (
        supernet_advice(paths)
    )


@pytest.mark.parametrize("text", ["Train: {epochs: 1}\n", "Width: {}\nSupernet: {}\n"])
def test_others_are_told_nothing(tmp_path, text):
    run = folder(tmp_path, text)
    assert supernet_advice(run) == ""
    assert not is_relaxed(run)


def test_nothing_is_said_of_no_folder(tmp_path):
    assert supernet_advice(tmp_path / "nothing") == ""


def test_the_retraining_has_the_examples_of_the_search(tmp_path):
    data = "Space: {name: GenotypeSpace}\nData: {name: cifar10, path: /data/cifar}\n"
    run = folder(tmp_path, RELAXED + data)
    assert retraining(run) == (
        f"autodl train -c train/genotype.yaml --run {run} --out {run}-trained"
        " -o Data.name=cifar10 Data.path=/data/cifar"
    )
