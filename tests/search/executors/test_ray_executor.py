"""What Ray adds to the contract of executors: nodes and actors that are lost, GPUs, addresses."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from autodl.errors import ConfigError, MissingPackageError
from autodl.runs.store import Proposal, TrialStore
from autodl.search.executors import ray_cluster, ray_executor
from autodl.search.executors.ray_executor import RayExecutor
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.codec import encode_text
from autodl.trial import TrialState

HERE = Path(__file__).resolve().parents[1]
ROOT = HERE.parents[1]
FINE, KILLED, HANG, HOG = 0, 4, 10, 11  # what evaluators_for_tests does on them
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (make ray)")


@pytest.fixture
def open_ray(ray_here, tmp_path):
    """A function that makes an executor on the Ray of this machine, closed in the end."""
    opened = []

    def open_ray(factory="make", **options):
        name, logs = f"evaluators_for_tests:{factory}", tmp_path / "logs"
        opened.append(RayExecutor(name, {"scale": 2.0}, 11, log_folder=logs, **options))
        return opened[-1]

    yield open_ray
    for executor in opened:
        executor.close()


def proposal(trial_id, command):
    cell = Cell((command, trial_id % 9), (1,))
    return Proposal(trial_id, CellPair(cell, cell), 0)


def run(executor, commands):
    """All results by id; as many at a time as the executor takes."""
    waiting, results = [proposal(i, command) for i, command in enumerate(commands)], {}
    while waiting or executor.running():
        while waiting and len(executor.running()) < executor.workers:
            executor.submit(waiting.pop(0))
        trial = executor.wait()
        assert trial.id not in results
        results[trial.id] = trial
    return results


def wait_until_busy(executor):
    while not any(worker.work for worker in executor._workers.values()):
        assert executor.wait(0.1) is None
    return next(worker for worker in executor._workers.values() if worker.work)


def test_what_a_trial_does_to_its_process_fails_it_alone(open_ray, tmp_path):
    executor = open_ray(workers=2, trial_seconds=2.0, trial_memory_mb=150)
    commands = [FINE, KILLED, HANG, HOG, FINE]
    results = run(executor, commands)
    died = "its worker process died (signal 9, SIGKILL); ray-"
    assert results[1].reason.startswith(died)
    assert results[2].reason == "it took longer than Search.trial_seconds=2"
    assert results[3].reason.endswith(" MB of memory, more than Search.trial_memory_mb=150")
    good = [trial_id for trial_id, trial in results.items() if trial.state is TrialState.COMPLETE]
    assert sorted(good) == [0, 4]
    for trial_id, trial in results.items():
        assert (
            trial.architecture
            == proposal(trial_id, trial.architecture.normal.op_ids[0]).architecture
        )
    assert (tmp_path / "logs" / "ray-0" / "worker-0.log").is_file()


def test_a_worker_lives_for_many_trials_and_ends_with_the_executor(open_ray):
    executor = open_ray(workers=1)
    processes = {t.evaluation.metrics["process"] for t in run(executor, [FINE] * 4).values()}
    assert len(processes) == 1
    executor.close()
    process = Path(f"/proc/{processes.pop():.0f}")
    end = time.monotonic() + 10
    while process.exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_relative_paths_are_those_of_the_driver(open_ray, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("scale.txt").write_text("0.75")
    assert run(open_ray("make_from_a_file", workers=1), [FINE])[0].reward == 0.75


def test_an_actor_that_dies_alone_fails_its_trial_and_is_replaced(open_ray, monkeypatch):
    monkeypatch.setattr(ray_executor, "_NODE_GRACE_SECONDS", 0.5)
    import ray

    executor = open_ray(workers=1)
    executor.submit(proposal(0, HANG))
    ray.kill(wait_until_busy(executor).actor)
    trial = executor.wait()
    assert (trial.id, trial.state) == (0, TrialState.FAILED)
    assert trial.reason.startswith("its Ray actor died: ")
    assert trial.architecture == proposal(0, HANG).architecture
    assert run(executor, [FINE])[0].state is TrialState.COMPLETE


def test_an_actor_that_died_while_idle_is_replaced_and_fails_no_trial(open_ray):
    import ray

    executor = open_ray(workers=1)
    assert run(executor, [FINE])[0].state is TrialState.COMPLETE
    actor = executor._workers[0].actor
    ray.kill(actor)

    def wait_for_its_death():
        while True:
            ray.get(actor.__ray_ready__.remote())

    with pytest.raises(ray.exceptions.RayActorError):
        wait_for_its_death()
    assert run(executor, [FINE])[0].state is TrialState.COMPLETE


def test_a_trial_whose_node_is_lost_is_done_again_but_not_for_ever(open_ray, monkeypatch):
    import ray

    executor = open_ray(workers=1)
    executor.submit(proposal(0, HANG))
    for lost in range(3):
        worker = wait_until_busy(executor)
        assert executor.running() == (0,)
        lost_nodes = {False: frozenset([worker.node]), True: frozenset(["another"])}
        monkeypatch.setattr(ray_cluster, "nodes", lambda *, alive, nodes=lost_nodes: nodes[alive])
        ray.kill(worker.actor)
        trial = executor.wait(20 if lost == 2 else 1)
        assert (trial is None) == (lost < 2)
    assert trial.state is TrialState.FAILED
    assert trial.reason.startswith("its node was lost, 3 times: ")


def test_a_cluster_without_nodes_ends_the_search(open_ray, monkeypatch):
    executor = open_ray(workers=1)
    monkeypatch.setattr(ray_cluster, "nodes", lambda *, alive: frozenset([] if alive else ["a"]))
    with pytest.raises(ConfigError, match=r"every node .* is lost; .* --resume"):
        executor.submit(proposal(0, FINE))


def test_trials_are_cut_and_those_that_wait_for_a_processor_have_not_begun(open_ray):
    executor = open_ray(workers=4)  # there are 2 processors
    for trial_id in range(4):
        executor.submit(proposal(trial_id, HANG))
    while sum(worker.work is not None for worker in executor._workers.values()) < 2:
        assert executor.wait(0.1) is None
    assert executor.running() == (0, 1, 2, 3)
    trials = sorted(executor.cut("no time"), key=lambda trial: trial.id)
    assert [(trial.id, trial.state, trial.reason) for trial in trials] == [
        (trial_id, TrialState.FAILED, "no time") for trial_id in (0, 1)
    ]
    assert all(trial.seconds > 0 for trial in trials)
    assert executor.running() == ()


def test_workers_that_never_start_end_the_search(open_ray, monkeypatch):
    first, second = open_ray(workers=2), open_ray(workers=1)
    for trial_id in range(2):
        first.submit(proposal(trial_id, HANG))
    while sum(worker.work is not None for worker in first._workers.values()) < 2:
        assert first.wait(0.1) is None
    monkeypatch.setattr(ray_executor, "_START_SECONDS", 0.5)
    second.submit(proposal(0, FINE))
    with pytest.raises(ConfigError, match=r"no worker has started .* within 0\.5 s; each needs 1 "):
        second.wait()


def test_by_default_there_is_a_worker_for_each_processor_of_the_cluster(open_ray):
    assert open_ray().workers == 2


def test_each_worker_has_a_gpu_or_its_part_of_one(open_ray):
    executor = open_ray("make_seeing_gpus", on_gpus=True)
    assert executor.workers == 2
    seen, end = set(), time.monotonic() + 30
    while seen != {0.0, 1.0}:  # the worker that is ready first may take several trials
        assert time.monotonic() < end
        seen |= {trial.evaluation.metrics["gpu"] for trial in run(executor, [FINE] * 2).values()}
    assert open_ray(on_gpus=True, workers=3)._needs == {"num_cpus": 1, "num_gpus": 0.5}


def test_a_cluster_without_what_is_needed_is_refused(open_ray, monkeypatch):
    monkeypatch.setattr(ray_cluster, "resources", lambda name: 0)
    with pytest.raises(ConfigError, match=r"has no GPU; set Global\.device=cpu"):
        open_ray(on_gpus=True, workers=1)
    with pytest.raises(ConfigError, match=r"has no CPU; set Search\.workers"):
        open_ray()
    assert open_ray(workers=3).workers == 3  # nodes may still come


def test_no_workers_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"Search\.workers must be at least 1, got 0"):
        RayExecutor("a:b", {}, 1, workers=0, log_folder=tmp_path)


# --- the connection ------------------------------------------------------------------------------


def test_without_ray_the_command_that_installs_it_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("autodl.system.packages.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="'ray', which is not installed") as caught:
        RayExecutor("a:b", {}, 1, log_folder=tmp_path)
    assert "pip install --no-deps -r" in str(caught.value)
    assert "requirements-ray.lock" in str(caught.value)


@needs_ray
def test_an_address_at_which_nothing_listens_is_refused_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    begun = time.monotonic()
    with pytest.raises(ConfigError, match=f"nothing answers at Search.ray_address={address}"):
        ray_cluster._check_answer(address)
    assert time.monotonic() - begun < 10  # ray.init tries for minutes


@needs_ray
def test_an_address_that_does_not_speak_ray_is_refused_after_its_time(monkeypatch):
    monkeypatch.setattr(ray_cluster, "_ANSWER_SECONDS", 3.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(
            ConfigError, match=f"no Ray answers at .*{address} within 3 s"
        ) as caught:
            ray_cluster._check_answer(address)
    assert "\n" not in str(caught.value)


def search(tmp_path, name, *overrides):
    """The trials and the output of a search with the tool."""
    command = [
        sys.executable,
        str(ROOT / "tools" / "search.py"),
        "-c",
        "search/cell-agent-tokens.yaml",
    ]
    settings = ["Strategy={name: RandomSearch}", "Search.max_trials=8", *overrides]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / name), "-o", *settings],
        capture_output=True,
        text=True,
        check=True,
    )
    with closing(TrialStore(tmp_path / name / "trials.sqlite", read_only=True)) as store:
        return [(t.id, t.state, t.architecture, t.reward) for t in store.trials()], done


@pytest.mark.slow
@needs_ray
def test_a_search_that_starts_ray_itself_gives_the_same_trials_and_no_noise(tmp_path):
    expected, plain = search(tmp_path, "plain")
    trials, done = search(tmp_path, "ray", "Search.executor=ray", "Search.workers=2")
    assert trials == expected
    assert len(done.stdout.splitlines()) == len(plain.stdout.splitlines())
    assert done.stderr == plain.stderr == ""
    assert "ray" not in done.stdout.replace(str(tmp_path / "ray"), "").lower()


@pytest.mark.slow
@needs_ray
def test_a_search_survives_the_loss_of_a_node(tmp_path):
    """Two raylets on this machine; one is killed while its worker is in the middle of a trial."""
    done = subprocess.run(
        [sys.executable, str(HERE / "losing_a_node.py"), str(tmp_path)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)]),
            "RAY_USAGE_STATS_ENABLED": "0",
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["workers"] == 2
    assert sorted(said["ended"]) == list(range(14))
    with closing(TrialStore(tmp_path / "trials.sqlite", read_only=True)) as store:
        trials = list(store.trials())
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 14
    begun = [line.split(" ", 1) for line in (tmp_path / "begun").read_text().splitlines()]
    texts = [text for _, text in begun]
    assert len({raylet for raylet, _ in begun}) == 2
    assert set(texts) == {encode_text(trial.architecture) for trial in trials}
    assert len(texts) == 14 + 1  # that of the lost node was evaluated once more, and no other
