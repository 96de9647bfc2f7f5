"""tools/train.py by two processes on CPUs, against one process with the doubled batch."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import numpy as np
import pytest
from paddle.distributed import parallel as paddle_parallel
from safetensors.numpy import load_file

from autodl import __main__ as command
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import save_architecture

# all that a batch takes part in: dropout, mixup, clipping; neither 210 nor 101 are whole batches
SMALL = """
Global: {seed: 3, device: cpu}
Network: {width: 4, cells_per_stage: 1, stages: 2, bottleneck: 1, dropout: 0.2}
Data: {name: cifar10-mini, image_size: 8, train: 210, held_out: 101}
Train: {epochs: 6, batch_size: 20, learning_rate: 0.05, warmup_epochs: 1, cutout: 2, mixup: 0.2,
        label_smoothing: 0.1, gradient_clip: 1.0}
"""
# dropped edges, a second classifier and random signs take part in it as well
GENOTYPE = """
Global: {seed: 3, device: cpu}
Network: {name: GenotypeNetwork, genotype: LRC_1, channels: 2, layers: 3}
Data: {name: cifar10-mini, train: 60, held_out: 21}
Train: {epochs: 3, batch_size: 10, learning_rate: 0.01, mixup: 0.5, auxiliary_weight: 0.4,
        drop_path: 0.6, lrc_weight: 2.0}
"""
SMALL_WORDS = ("-c", "small.yaml", "--architecture", "cell.json", "--out", "out")
GENOTYPE_WORDS = ("-c", "genotype.yaml", "--out", "out")
# Importing Paddle takes longer than either training.
BOTH = f"""
import functools
import sys

from autodl import __main__ as command
from autodl.training import parallel

parallel.join = functools.cache(parallel.join)  # a process joins once
for words in {[SMALL_WORDS, GENOTYPE_WORDS]}:
    if code := command.main(["train", *words]):
        sys.exit(code)
    print("the next", flush=True)
"""
LIMIT = 120  # seconds; a launch takes about ten


def launch(folder, *command):
    """Launch two processes in a folder; their logs are in ``log``."""
    command = [
        *(sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", "2"),
        *("--log_dir", "log", *command),
    ]
    environment = {key: value for key, value in os.environ.items() if "PADDLE" not in key}
    return subprocess.run(
        command,
        cwd=folder,
        env={**environment, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
    )


def fork_two(folder, *words):
    """Processes as the launcher would start them, which have imported all; output in ``log-N``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(2):
        child = os.fork()
        if not child:
            _train(folder, rank, port, words)
        children.append(child)
    return children


def _train(folder, rank, port, words):
    """End this process by the tool."""
    code = 99
    try:
        os.chdir(folder)
        log = os.open(f"log-{rank}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with open(log, "w") as file, redirect_stdout(file), redirect_stderr(file):
            endpoints = [f"127.0.0.1:{port}", "127.0.0.1:0"]
            os.environ.update(
                PADDLE_TRAINER_ID=str(rank),
                PADDLE_TRAINERS_NUM="2",
                PADDLE_TRAINER_ENDPOINTS=",".join(endpoints),
                PADDLE_CURRENT_ENDPOINT=endpoints[rank],
            )
            paddle_parallel._global_parallel_env = None  # that of the test
            sys.argv = ["autodl"]
            code = command.main(["train", *words])
    finally:
        os._exit(code)


def ended(child):
    """The exit code of a process, negative where a signal has ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def prepare(folder):
    folder.mkdir(exist_ok=True)
    (folder / "small.yaml").write_text(SMALL)
    (folder / "genotype.yaml").write_text(GENOTYPE)
    (folder / "both.py").write_text(BOTH)
    space = CellSpace(nodes=2, operations=("conv_3x3", "max_pool_3x3"))
    save_architecture(space.sample(np.random.default_rng(1)), folder / "cell.json")
    return folder


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    """Unbroken trainings by two processes, of a cell and of a genotype; what the first printed."""
    folder = prepare(tmp_path_factory.mktemp("launched") / "two")
    done = launch(folder, "both.py")
    assert done.returncode == 0, done.stdout
    out = done.stdout.partition("the next")[0]
    return SimpleNamespace(folder=folder, cell=folder / "out" / "cell", out=out)


def test_two_processes_train_like_one_with_the_doubled_batch(launched, call, tmp_path):
    """Equal to rounding, whose growth is that of any other rounding error.

    Moving half of the initial weights by one unit in their last place changes the losses of one
    process by up to 1e-7 and its weights by 3e-5. Any of batch-norm's backward pass,
    its variance, dropout or gradients left to each process by itself changes a loss by 1e-4 at
    least, and weights by 0.08.
    """
    folder = prepare(tmp_path)
    one = ["-c", folder / "small.yaml", "--architecture", folder / "cell.json"]
    done = call("train", *one, "-o", "Train.batch_size=40", "--out", folder / "out")
    assert done.code == 0, done.err
    cells = [launched.cell, folder / "out" / "cell"]
    two, one = (json.loads((cell / "metrics.json").read_text()) for cell in cells)
    assert len(two["curve"]) == len(one["curve"]) == 6
    for ours, theirs in zip(two["curve"], one["curve"], strict=True):
        for key in ("epoch", "learning_rate"):
            assert ours[key] == theirs[key], key
        for key in ("loss", "held_out_loss"):
            np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-5, err_msg=key)
        for key in ("accuracy", "held_out_accuracy"):  # one picture may be on the edge
            np.testing.assert_allclose(ours[key], theirs[key], atol=0.01, err_msg=key)
    assert two["curve"][-1]["loss"] < two["curve"][0]["loss"]
    two, one = (load_file(cell / "weights.safetensors") for cell in cells)
    assert two.keys() == one.keys()
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4, atol=1e-4, err_msg=name)


def test_so_they_do_with_all_that_genotype_networks_are_trained_by(launched, call, tmp_path):
    """Signs or dropped edges left to each process by itself change a loss by 1e-2."""
    config = launched.folder / "genotype.yaml"
    done = call("train", "-c", config, "-o", "Train.batch_size=20", "--out", tmp_path)
    assert done.code == 0, done.err
    two, one = (
        json.loads((folder / "GenotypeNetwork" / "metrics.json").read_text())["curve"]
        for folder in (launched.folder / "out", tmp_path)
    )
    for ours, theirs in zip(two, one, strict=True):
        # rounding, as above
        np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-5)
        np.testing.assert_allclose(ours["held_out_loss"], theirs["held_out_loss"], rtol=1e-5)


def test_one_process_prints_and_writes(launched):
    lines = [line for line in launched.out.splitlines() if "autodl INFO" in line]
    assert len(lines) == 1 + 6
    assert launched.out.count("held-out accuracy") == 1
    assert "cell" not in (launched.folder / "log" / "workerlog.1").read_text()
    assert len(list((launched.cell / "vdl").iterdir())) == 1
    (first,) = json.loads((launched.cell / "run.json").read_text())["starts"]
    assert first["processes"] == 2


def test_another_number_of_processes_may_ask_for_it_with_the_same_batch(launched, call, refused):
    folder = launched.folder
    copied = shutil.copytree(folder / "out", folder / "copied")
    one = ["-c", folder / "small.yaml", "--architecture", folder / "cell.json", "--resume"]
    done = call("train", *one, "--out", copied, "-o", "Train.batch_size=40")
    assert (done.code, "cell finished already" in done.out) == (0, True)
    refused("Train.batch_size was 40, now it is 20", "train", *one, "--out", copied)


def test_a_killed_process_ends_all_and_they_go_on_to_the_same_weights(launched, tmp_path):
    folder = prepare(tmp_path)
    first, second = fork_two(folder, *SMALL_WORDS)
    checkpoint, deadline = folder / "out/cell/checkpoint.safetensors", time.monotonic() + LIMIT
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(second, signal.SIGKILL)
    assert (ended(first), ended(second)) == (2, -signal.SIGKILL)
    told = (folder / "log-0").read_text()
    assert "error: another process of this training has ended or does not answer" in told
    assert 'File "' not in told, told
    assert not (folder / "out/cell/metrics.json").exists(), "killed too late to test anything"

    both = fork_two(folder, *SMALL_WORDS, "--resume")
    assert [ended(child) for child in both] == [0, 0]
    assert "cell resumed after epoch" in (folder / "log-0").read_text()
    two, one = (
        (cell / "weights.safetensors").read_bytes()
        for cell in (folder / "out" / "cell", launched.cell)
    )
    assert two == one
