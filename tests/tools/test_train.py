"""The tool that trains in full."""

from __future__ import annotations

import json
from contextlib import closing

import numpy as np
import pytest

from autodl.plans.fused import fused_plan
from autodl.runs.store import Proposal, TrialStore
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.classic.cifar_quick import cifar_quick_plan
from autodl.spaces.codec import save_architecture
from autodl.system.files import write_json
from autodl.trial import Evaluation, Trial, TrialState


@pytest.fixture
def base(small_training):
    return ["-c", small_training.config_file, "-o", "Train.epochs=1"]


@pytest.fixture
def architecture(small_training, tmp_path):
    save_architecture(small_training.architecture, tmp_path / "cell.json")
    return tmp_path / "cell.json"


@pytest.fixture
def run(tmp_path):
    """A search of three trials, the last of which is the best."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text("{}\n")
    write_json(folder / "run.json", {"identity": {}, "starts": []})
    space = CellSpace(nodes=2)
    with closing(TrialStore(folder / "trials.sqlite")) as store:
        for i in range(3):
            cell = space.sample(np.random.default_rng(i))
            store.propose([Proposal(i, cell, 0)])
            store.finish(Trial(i, cell, TrialState.COMPLETE, Evaluation(i / 4)))
    return folder


def test_the_best_of_a_run_are_trained_and_ranked(call, base, run, tmp_path):
    out = tmp_path / "full"
    done = call("train", *base, "--run", run, "--top", 2, "--out", out)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].endswith(
        "trial-0002 data: cifar10-mini = CIFAR-10 (JPEG), 200 + 100 pictures, official: no"
    )
    assert " autodl INFO: trial-0002 [Train][Epoch 1/1] lr: " in lines[1]
    assert " autodl INFO: trial-0001 [Train][Epoch 1/1] lr: " in lines[3]
    accuracy = {
        name: json.loads((out / name / "metrics.json").read_text())["held_out_accuracy"]
        for name in ("trial-0001", "trial-0002")
    }
    ranked = sorted(("trial-0002", "trial-0001"), key=lambda name: -accuracy[name])
    assert lines[4:] == [
        *(f"{out / name}: held-out accuracy {accuracy[name]:.4f}" for name in ranked),
        f"test accuracy, once: autodl eval {out / ranked[0]}",
    ]


def test_what_the_last_cannot_do_is_said_before_the_first(refused, base, run, tmp_path):
    out = tmp_path / "full"
    (out / "trial-0001").mkdir(parents=True)
    (out / "trial-0001" / "notes.txt").write_text("somebody's")
    words = ["train", *base, "--run", run, "--top", 2, "--out"]
    refused("trial-0001 is not empty and holds no run", *words, out)
    assert not (out / "trial-0002").exists()
    (tmp_path / "file").write_text("")
    refused("file is a file, and the trainings go there", *words, tmp_path / "file" / "out")


def test_resuming_what_is_finished(call, refused, base, architecture, tmp_path):
    one = [*base, "--architecture", architecture, "--out", tmp_path / "out"]
    assert call("train", *one).code == 0
    refused("is not empty: go on with it by --resume", "train", *one)
    done = call("train", *one, "--resume")
    assert done.code == 0
    assert "cell finished already: nothing is left to do" in done.out


def test_a_training_that_fails_is_told_and_the_others_go_on(call, base, run, tmp_path):
    wild = ["Train.learning_rate=1e30", "Train.momentum=0.99"]
    done = call("train", *base, *wild, "--run", run, "--top", 2, "--out", tmp_path / "out")
    assert done.code == 1
    first, second = done.err.splitlines()
    assert first.startswith("trial-0002 failed: ")
    assert second.startswith("trial-0001 failed: ")
    assert "test accuracy" not in done.out
    assert not list((tmp_path / "out").glob("*/metrics.json"))


def test_a_printed_config_is_a_config(call, base, tmp_path):
    printed = call("train", *base, "--print-config")
    assert printed.code == 0
    (tmp_path / "again.yaml").write_text(printed.out)
    assert call("train", "-c", tmp_path / "again.yaml", "--print-config").out == printed.out
    assert "epochs: 1" in printed.out


@pytest.mark.parametrize(
    "words, wanted",
    [
        ([], "give --out FOLDER"),
        (["--run", "x"], "give --out FOLDER"),
        (["--out", "x"], "CellNetwork needs an architecture: give --architecture FILE or --run"),
        (["--run", "x", "--architecture", "y", "--out", "z"], "not allowed with argument"),
        (["--top", "2", "--out", "z"], "--top N is of a search: give --run RUN, or leave it out"),
        (["--run", "x", "--top", "0", "--out", "z"], "--top must be at least 1, got 0"),
        (["--run", "x", "--top", "two", "--out", "z"], "invalid int value: 'two'"),
    ],
)
def test_arguments_that_do_not_fit(call, base, words, wanted):
    done = call("train", *base, *words)
    assert done.code == 2
    assert wanted in done.err


def test_mistakes_make_no_folder(refused, base, architecture, run, tmp_path):
    out = ["--out", tmp_path / "out"]
    bad = tmp_path / "bad.json"
    bad.write_text('{"kind": "cell_pair", "version": 9}')
    for wanted, words in {
        "is no run folder": ["--run", tmp_path],
        "cannot read the architecture": ["--architecture", tmp_path / "none.json"],
        "version": ["--architecture", bad],
    }.items():
        refused(wanted, "train", *base, *words, *out)
    one = ["--architecture", architecture, *out]
    for wanted, override in {
        "Did you mean 'epochs'?": "Train.epoch=3",
        "gpu:93": "Global.device=gpu:93",
        "Data.path is missing": "Data.name=cifar10",
        "width 4 is below bottleneck 64": "Network.bottleneck=64",
        "Global.plugins: cannot import ": "Global.plugins=[nowhere.py]",
    }.items():
        refused(wanted, "train", *base, override, *one)
    assert not (tmp_path / "out").exists()


def test_a_file_where_the_folder_should_be(refused, base, architecture, tmp_path):
    (tmp_path / "file").write_text("in the way")
    one = ["--architecture", architecture, "--out", tmp_path / "file"]
    refused("choose another --out folder", "train", *base, *one)


def test_a_classic_network_with_branches_from_training_to_deployment(call, refused, tmp_path):
    """Trained, gone on with, measured on the test set and exported; fused to the plain costs."""
    (tmp_path / "quick.yaml").write_text(
        "Global: {seed: 1, device: cpu}\n"
        "Network: {name: CifarQuick}\n"
        "Data: {name: cifar10-mini, image_size: 16, train: 60, held_out: 20}\n"
        "Train: {epochs: 1, batch_size: 20, branches: dbb}\n"
    )
    words = ["train", "-c", tmp_path / "quick.yaml", "--out", tmp_path / "out"]
    assert call(*words).code == 0
    folder = tmp_path / "out" / "CifarQuick"
    again = call(*words, "--resume")
    assert (again.code, "CifarQuick finished already" in again.out) == (0, True)
    refused(
        "Train.branches was 'dbb', now it is 'acb'", *words, "--resume", "-o", "Train.branches=acb"
    )
    refused("takes no architecture; leave out", *words, "--architecture", "x.json")
    metrics = json.loads((folder / "metrics.json").read_text())
    plan = cifar_quick_plan(image_size=16)
    assert (metrics["parameters"], metrics["image_size"]) == (plan.parameters, 16)

    tested = call("eval", folder, "--json")
    assert tested.code == 0
    deployed = call(
        "export_model", folder, "--out", tmp_path / "deployed", "--repetitions", 0, "--json"
    )
    assert deployed.code == 0
    about = json.loads(deployed.out)
    assert about["deployed_form"]["macs"] == fused_plan(plan).macs
    assert about["deployed_form"]["parameters"] == fused_plan(plan).parameters
    assert about["trained_form"]["parameters"] > plan.parameters
    # what export itself allows at most, 1e-4, stands here at 1e-5: float32 gives 1e-6
    assert max(about["largest_difference"].values()) < 1e-5
