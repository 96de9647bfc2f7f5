"""Retraining: exact resume after a kill, logs without gaps, folders, and the best of a run."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from visualdl import LogReader

from autodl.errors import CheckpointError, ConfigError, DeviceError, StoreError
from autodl.jobs.train.run import best_of_run, retrain
from autodl.networks.onednn import training_kernels
from autodl.recipes.config import load_train
from autodl.runs.folder import CONFIG, SEALS, check_seals, read_manifest, update_manifest
from autodl.runs.store import Proposal, TrialStore
from autodl.spaces.cell.space import CellSpace
from autodl.system.files import write_json
from autodl.system.state import decode_state, encode_state
from autodl.trained.folder import load_trained
from autodl.training.parallel import Share
from autodl.trial import Evaluation, Trial, TrialState

SPACE = CellSpace(nodes=2, operations=("conv_3x3", "max_pool_3x3"))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def copied(small_training, tmp_path):
    """The folder of the finished training, to be spoilt."""
    return Path(shutil.copytree(small_training.folder, tmp_path / "copy"))


@pytest.fixture
def interrupted(copied):
    """The same as if a kill had come after the last epoch."""
    for name in ("metrics.json", "weights.safetensors"):
        (copied / name).unlink()
    seals = read_manifest(copied)[SEALS]
    update_manifest(copied, **{SEALS: {CONFIG: seals[CONFIG]}})
    return copied


def resume(small_training, folder, **options):
    config = load_train(small_training.config_file)
    return retrain(config, small_training.architecture, folder, resume=True, **options)


def test_folder_and_lines(small_training):
    folder, lines = small_training.folder, small_training.lines
    assert {
        "architecture.json",
        "checkpoint.safetensors",
        "config.yaml",
        "metrics.json",
        "run.json",
        "vdl",
        "weights.safetensors",
    } <= {path.name for path in folder.iterdir()}
    config, architecture, metrics = load_trained(folder)
    assert architecture == small_training.architecture
    assert lines[0] == "data: cifar10-mini = CIFAR-10 (JPEG), 200 + 100 pictures, official: no"
    assert config.train.epochs == metrics["epochs"] == len(lines[1:]) == 4
    accuracy = small_training.result.value
    assert metrics["held_out_accuracy"] == metrics["curve"][-1]["held_out_accuracy"] == accuracy
    assert lines[2].startswith("[Train][Epoch 2/4] lr: 0.0")
    assert metrics["held_out_pictures"] == 100
    assert metrics["device"] == "cpu"
    assert metrics["stopped_early"] == ""


def logged(folder, tag):
    (path,) = (folder / "vdl").glob("vdlrecords.*")
    return [(r.id, r.value) for r in LogReader(file_path=str(path)).get_data("scalar", tag)]


def test_every_epoch_is_logged(small_training):
    _, _, metrics = load_trained(small_training.folder)
    for tag, key in (("train/loss", "loss"), ("eval/held_out_accuracy", "held_out_accuracy")):
        expected = [(epoch["epoch"], np.float32(epoch[key])) for epoch in metrics["curve"]]
        assert logged(small_training.folder, tag) == expected


def test_killed_training_resumes_to_the_same_weights(small_training, tmp_path):
    """SIGKILL once the first checkpoint is there; what follows equals the unbroken training."""
    folder, lines = tmp_path / "cell", []
    child = os.fork()  # all is imported already
    if not child:
        try:
            retrain(load_train(small_training.config_file), small_training.architecture, folder)
        finally:
            os._exit(1)
    checkpoint, deadline = folder / "checkpoint.safetensors", time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert not (folder / "metrics.json").exists(), "killed too late to test anything"

    with pytest.raises(StoreError, match="--resume"):
        retrain(load_train(small_training.config_file), small_training.architecture, folder)
    resume(small_training, folder, progress=lines.append)
    assert any("resumed after epoch" in line for line in lines)
    assert sha256(folder / "weights.safetensors") == sha256(
        small_training.folder / "weights.safetensors"
    )
    assert [step for step, _ in logged(folder, "train/loss")] == [1, 2, 3, 4]


def test_epochs_that_a_kill_kept_from_the_log_are_logged_by_resuming(small_training, interrupted):
    """The checkpoint is written before the log: without the log's file, all epochs are missing."""
    copied, lines = interrupted, []
    shutil.rmtree(copied / "vdl")
    resume(small_training, copied, progress=lines.append)
    assert lines[1:] == ["resumed after epoch 4"]
    tag = "train/loss"
    assert logged(copied, tag) == logged(small_training.folder, tag)
    assert len(logged(copied, tag)) == 4
    assert sha256(copied / "weights.safetensors") == sha256(
        small_training.folder / "weights.safetensors"
    )


def spoil_by_cutting(data):
    return data[: len(data) // 2]


def spoil_by_another_network(data):
    state = decode_state(data)
    state["network"]["surplus.weight"] = np.zeros(3, "float32")
    return encode_state(state)


def spoil_the_optimiser(data):
    state = decode_state(data)
    state["optimizer"] = {"nowhere|velocity": np.zeros(3, "float32")}
    return encode_state(state)


def spoil_by_leaving_out(data):
    state = decode_state(data)
    del state["curve"]
    return encode_state(state)


@pytest.mark.parametrize(
    "spoil",
    [spoil_by_cutting, spoil_by_another_network, spoil_the_optimiser, spoil_by_leaving_out],
)
def test_a_damaged_checkpoint_is_named_and_the_way_out_works(small_training, interrupted, spoil):
    copied, lines = interrupted, []
    checkpoint = copied / "checkpoint.safetensors"
    checkpoint.write_bytes(spoil(checkpoint.read_bytes()))
    with pytest.raises(CheckpointError, match="delete it to train anew") as caught:
        resume(small_training, copied)
    assert str(checkpoint) in str(caught.value)
    assert "\n" not in str(caught.value)
    if spoil is spoil_by_cutting:  # once is enough
        checkpoint.unlink()
        resume(small_training, copied, progress=lines.append)
        assert lines[1] == "checkpoint.safetensors is gone: what it held is done anew"
        assert sha256(copied / "weights.safetensors") == sha256(
            small_training.folder / "weights.safetensors"
        )


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_finished_and_whole_is_only_read(small_training, copied):
    """Also without its checkpoint, which somebody may have deleted to save space."""
    (copied / "checkpoint.safetensors").unlink()
    before, lines = contents(copied), []
    again = resume(small_training, copied, progress=lines.append)
    assert (again.value, lines) == (
        small_training.result.value,
        ["finished already: nothing is left to do"],
    )
    assert contents(copied) == before


@pytest.mark.parametrize("name", ["weights.safetensors", "metrics.json", "architecture.json"])
def test_what_is_finished_and_damaged_is_made_again_from_the_checkpoint_alone(
    small_training, copied, name
):
    whole = sha256(copied / "weights.safetensors")
    (copied / name).write_bytes(b"")
    checkpoint, lines = copied / "checkpoint.safetensors", []
    kept = checkpoint.read_bytes()
    checkpoint.unlink()
    before = contents(copied)
    with pytest.raises(StoreError, match=rf"{name}.* and there is no checkpoint\.safetensors"):
        resume(small_training, copied)
    assert contents(copied) == before
    checkpoint.write_bytes(kept)
    resume(small_training, copied, progress=lines.append)
    assert lines[0].endswith("it is made again")
    assert sha256(copied / "weights.safetensors") == whole
    check_seals(copied)


def test_resume_with_another_recipe_is_refused(small_training):
    changed = load_train(small_training.config_file, ["Train.learning_rate=0.1"])
    with pytest.raises(StoreError, match=r"Train\.learning_rate was 0\.05, now it is 0\.1"):
        retrain(changed, small_training.architecture, small_training.folder, resume=True)


def test_a_device_that_is_not_there_leaves_no_folder(small_training, tmp_path):
    config = load_train(small_training.config_file, ["Global.device=gpu:93"])
    with pytest.raises(DeviceError, match="gpu:93"):
        retrain(config, small_training.architecture, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_network_that_does_not_fit_leaves_no_folder(small_training, tmp_path, monkeypatch):
    """As a network of a plugin may say it."""

    def too_small(architecture):
        raise ValueError("the pictures are too small")

    monkeypatch.setattr("autodl.jobs.train.run.plan_maker", lambda *_, **__: too_small)
    config = load_train(small_training.config_file)
    with pytest.raises(ConfigError, match=r"Network does not fit .*: the pictures are too small"):
        retrain(config, small_training.architecture, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_start_of_mixed_precision_says_whose_kernels_it_has(small_training, tmp_path):
    config = load_train(small_training.config_file, ["Train.amp=true", "Train.epochs=1"])
    retrain(config, small_training.architecture, tmp_path / "amp")
    (start,) = read_manifest(tmp_path / "amp")["starts"]
    assert start["kernels"] == training_kernels(amp=True)
    assert "kernels" not in read_manifest(small_training.folder)["starts"][0]


def test_processes_that_cannot_share_the_pictures_leave_no_folder(small_training, tmp_path):
    """200 pictures are fewer than three times 70, and no whole thirds."""

    class Leading(Share):
        def broadcast(self, data):
            return data

    config = load_train(small_training.config_file, ["Train.batch_size=70"])
    with pytest.raises(ConfigError, match=r"evenly; use Train\.batch_size=66, or fewer processes"):
        retrain(config, small_training.architecture, tmp_path / "out", share=Leading(0, 3))
    assert not (tmp_path / "out").exists()


def test_a_process_with_other_options_than_the_first_is_refused(small_training, tmp_path):
    class Elsewhere(Share):
        def broadcast(self, data):
            return data.replace(b'"learning_rate": 0.05', b'"learning_rate": 0.06')

    config = load_train(small_training.config_file)
    with pytest.raises(ConfigError, match="process 1 has other options, pictures or plugins than"):
        retrain(config, small_training.architecture, tmp_path / "out", share=Elsewhere(1, 2))
    assert not (tmp_path / "out").exists()


# The best of a run ---------------------------------------------------------------------------


def make_run(folder, architectures, rewards, config="{}\n"):
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(config)
    write_json(folder / "run.json", {"identity": {}, "starts": []})
    with closing(TrialStore(folder / "trials.sqlite")) as store:
        store.propose([Proposal(i, a, 0) for i, a in enumerate(architectures)])
        for i, reward in enumerate(rewards):
            evaluation = None if reward is None else Evaluation(reward)
            state = TrialState.FAILED if reward is None else TrialState.COMPLETE
            store.finish(Trial(i, architectures[i], state, evaluation))
    return folder


def test_best_of_run_lists_each_architecture_once(tmp_path):
    architectures = [SPACE.sample(np.random.default_rng(seed)) for seed in (1, 2, 1, 3)]
    run = make_run(tmp_path / "run", architectures, (0.3, 0.5, 0.4, None))
    assert best_of_run(run, 5) == [
        ("trial-0001", architectures[1]),
        ("trial-0002", architectures[2]),
    ]
    assert best_of_run(run, 1) == [("trial-0001", architectures[1])]


def test_best_of_run_takes_twins_for_one(tmp_path):
    """Nodes 0 and 1 read nothing: named the other way round, the cell is the same graph."""
    space = CellSpace(nodes=2, operations=("conv_1x1", "conv_3x3"), tied=True)
    one, twin, other = (space.decode(row) for row in ([0, 1, 0], [1, 0, 0], [1, 0, 1]))
    assert one != twin
    run = make_run(tmp_path / "run", [one, twin, other], (0.4, 0.5, 0.3))
    assert best_of_run(run, 5) == [("trial-0001", twin), ("trial-0002", other)]


def test_equal_rewards_go_by_trial_and_negative_ones_count(tmp_path):
    architectures = [CellSpace(nodes=4).sample(np.random.default_rng(seed)) for seed in range(3)]
    run = make_run(tmp_path / "run", architectures, (-0.5, 0.0, 0.0))
    names = [name for name, _ in best_of_run(run, 3)]
    assert names == ["trial-0001", "trial-0002", "trial-0000"]


def test_best_of_a_long_run_decodes_few_trials(tmp_path, monkeypatch):
    """100 trials, the best 20 of one architecture: 2 + 4 + ... + 32 of them are read for two."""
    draws = [CellSpace(nodes=4).sample(np.random.default_rng(seed)) for seed in range(81)]
    run = make_run(
        tmp_path / "run", [draws[0]] * 20 + draws[1:], [1.0 - i / 1000 for i in range(100)]
    )
    read = []
    best = TrialStore.best
    monkeypatch.setattr(
        TrialStore, "best", lambda store, count: read.append(count) or best(store, count)
    )
    assert [name for name, _ in best_of_run(run, 2)] == ["trial-0000", "trial-0020"]
    assert read == [2, 4, 8, 16, 32]


def test_best_of_run_knows_the_operations_of_the_runs_plugins(tmp_path):
    """In processes of their own: an operation stays once it is registered."""
    (tmp_path / "plugin.py").write_text(
        "from autodl.spaces.operations import operation, register_operation\n"
        "register_operation('my_conv', operation('conv_3x3').build)\n"
    )
    make = (
        "import sys; sys.path.insert(0, sys.argv[2]); import plugin\n"
        "from pathlib import Path; import numpy as np\n"
        "from autodl.spaces.cell.space import CellSpace\n"
        "from autodl.runs.store import Proposal, TrialStore\n"
        "from autodl.trial import Evaluation, Trial, TrialState\n"
        "space = CellSpace(nodes=2, operations=('my_conv',))\n"
        "cell = space.sample(np.random.default_rng(0))\n"
        "store = TrialStore(Path(sys.argv[1]) / 'trials.sqlite')\n"
        "store.propose([Proposal(0, cell, 0)])\n"
        "store.finish(Trial(0, cell, TrialState.COMPLETE, Evaluation(0.5)))\n"
    )
    config = f"Global: {{plugins: ['{tmp_path / 'plugin.py'}']}}\n"
    run = make_run(tmp_path / "run", [], (), config)
    read = (
        "import sys; from pathlib import Path; from autodl.jobs.train.run import best_of_run\n"
        "((name, cell),) = best_of_run(Path(sys.argv[1]), 3)\n"
        "print(name, 'my_conv' in str(cell.to_json()), 'paddle' in sys.modules)\n"
    )
    for program in (make, read):
        done = subprocess.run(
            [sys.executable, "-c", program, str(run), str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout == "trial-0000 True False\n"


def test_a_run_without_a_complete_trial(tmp_path):
    architecture = SPACE.sample(np.random.default_rng(1))
    run = make_run(tmp_path / "run", [architecture], (None,))
    with pytest.raises(StoreError, match="has no complete trial"):
        best_of_run(run, 1)
    with pytest.raises(StoreError, match="is no run folder"):
        best_of_run(tmp_path, 1)


# Reading back --------------------------------------------------------------------------------


def test_unfinished_training_is_not_loaded(tmp_path):
    with pytest.raises(StoreError, match="no finished training"):
        load_trained(tmp_path)


def test_search_sections_are_unknown_here(tmp_path):
    (tmp_path / "c.yaml").write_text("Search: {max_trials: 3}\n")
    with pytest.raises(ConfigError, match="unknown section Search"):
        load_train(tmp_path / "c.yaml")


@pytest.mark.parametrize("name", ["train/demo.yaml", "train/cell-demo.yaml", "train/cell.yaml"])
def test_shipped_configs_are_valid(name):
    assert json.dumps(load_train(name).to_plain())
