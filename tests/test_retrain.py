"""Retraining: exact resume after a kill, folders, and the test set read once."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from autodl.errors import ConfigError, DataError, StoreError
from autodl.final_test import measure_once, wilson_interval
from autodl.retrain import best_of_run, load_train, load_trained, retrain
from autodl.search.store import Proposal, TrialStore
from autodl.spaces.cell_space import CellSpace
from autodl.spaces.codec import save_architecture
from autodl.trial import Evaluation, Trial, TrialState

ROOT = Path(__file__).parents[1]
SPACE = CellSpace(nodes=2, operations=("conv_3x3", "max_pool_3x3"))
ARCHITECTURE = SPACE.sample(np.random.default_rng(1))
CONFIG = """
Global: {seed: 3, device: cpu}
Network: {width: 4, cells_per_stage: 1, stages: 2, bottleneck: 1, dropout: 0.2}
Data: {name: cifar10-mini, image_size: 8, train: 200, held_out: 100}
Train: {epochs: 4, batch_size: 20, learning_rate: 0.05, cutout: 2}
"""


@pytest.fixture(scope="module")
def config_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory, config_file):
    """An unbroken training."""
    folder = tmp_path_factory.mktemp("trained") / "whole"
    lines = []
    result = retrain(load_train(config_file), ARCHITECTURE, folder, progress=lines.append)
    return folder, result, lines


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_folder_and_lines(trained):
    folder, result, lines = trained
    config, architecture, metrics = load_trained(folder)
    assert architecture == ARCHITECTURE
    assert config.train.epochs == metrics["epochs"] == len(lines) == 4
    assert result.accuracy == metrics["held_out_accuracy"]
    assert metrics["curve"][-1]["held_out_accuracy"] == result.accuracy
    assert lines[1].startswith("[Train][Epoch 2/4] lr: 0.0")
    assert metrics["held_out_pictures"] == 100


def test_killed_training_resumes_to_the_same_weights(trained, config_file, tmp_path):
    """SIGKILL once the first checkpoint is there; what follows equals the unbroken training."""
    save_architecture(ARCHITECTURE, tmp_path / "cell.json")
    command = [
        *(sys.executable, str(ROOT / "tools" / "train.py"), "-c", str(config_file)),
        *("--architecture", str(tmp_path / "cell.json"), "--out", str(tmp_path)),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    checkpoint, deadline = tmp_path / "cell" / "checkpoint.safetensors", time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "cell" / "metrics.json").exists(), "killed too late to test anything"

    refused = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    done = subprocess.run(
        [*command, "--resume"], capture_output=True, text=True, env=environment, check=True
    )
    assert "resumed after epoch" in done.stdout
    assert sha256(tmp_path / "cell" / "weights.safetensors") == sha256(
        trained[0] / "weights.safetensors"
    )


def test_resume_with_another_recipe_is_refused(trained, config_file):
    changed = load_train(config_file, ["Train.learning_rate=0.1"])
    with pytest.raises(StoreError, match=r"Train\.learning_rate was 0\.05, now it is 0\.1"):
        retrain(changed, ARCHITECTURE, trained[0], resume=True)


def test_test_set_is_read_once(trained, monkeypatch):
    first = measure_once(trained[0])
    assert first["on_record"] is False
    assert first["pictures"] == 200
    hits = [first["per_class"][name] * 20 for name in first["per_class"]]
    assert sum(hits) / 200 == pytest.approx(first["accuracy"], abs=1e-12)

    def forbidden(options):
        raise AssertionError("the test set was read again")

    monkeypatch.setattr("autodl.final_test.load", forbidden)
    again = measure_once(trained[0])
    assert again == {**first, "on_record": True}


def test_other_classes_are_refused(trained):
    (trained[0] / "test.json").unlink(missing_ok=True)
    with pytest.raises(DataError, match="the network knows the classes"):
        measure_once(trained[0], ["Data.classes=5"])


def test_interval_against_published_values():
    """Wilson's interval for 81 of 263: 0.2553 to 0.3662 (Newcombe 1998, table I, method 3)."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    low, high = wilson_interval(0, 20)
    assert low == pytest.approx(0.0, abs=1e-12)
    assert high == pytest.approx(0.1611, abs=5e-5)


def test_best_of_run_lists_each_architecture_once(tmp_path):
    architectures = [SPACE.sample(np.random.default_rng(seed)) for seed in (1, 2, 1, 3)]
    with closing(TrialStore(tmp_path / "trials.sqlite")) as store:
        store.propose([Proposal(i, a, 0) for i, a in enumerate(architectures)])
        for i, reward in enumerate((0.3, 0.5, 0.4, None)):
            evaluation = None if reward is None else Evaluation(reward)
            state = TrialState.FAILED if reward is None else TrialState.COMPLETE
            store.finish(Trial(i, architectures[i], state, evaluation))
    names = [name for name, _ in best_of_run(tmp_path, 5)]
    assert names == ["trial-0001", "trial-0002"]
    assert [a for _, a in best_of_run(tmp_path, 1)] == [architectures[1]]


def test_unfinished_training_is_not_loaded(tmp_path):
    with pytest.raises(StoreError, match="no finished training"):
        load_trained(tmp_path)


def test_search_sections_are_unknown_here(tmp_path):
    (tmp_path / "c.yaml").write_text("Search: {max_trials: 3}\n")
    with pytest.raises(ConfigError, match="unknown section Search"):
        load_train(tmp_path / "c.yaml")


@pytest.mark.parametrize("name", ["train/demo.yaml", "train/cifar10.yaml"])
def test_shipped_configs_are_valid(name):
    assert json.dumps(load_train(name).to_plain())
