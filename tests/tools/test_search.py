"""The tool as people run it: mistakes, a full disk, kills."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from autodl.runs.folder import MANIFEST, TRIALS, read_manifest
from autodl.runs.store import TrialStore

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "search.py"
PLUGIN = ROOT / "tests" / "search" / "plugin_for_tests.py"
LEARNER = {
    "Global": {"seed": 3, "plugins": [str(PLUGIN)]},
    "Search": {"max_trials": 40, "executor": "inline"},
    "Strategy": {"name": "BatchLearner", "batch_size": 6},
    "Space": {"name": "CellSpace", "nodes": 3},
    "Evaluator": {"name": "SlowCount"},
}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "learner.yaml"
    path.write_text(yaml.safe_dump(LEARNER))
    return path


def command(*arguments):
    return [sys.executable, str(TOOL), *map(str, arguments)]


def process_of(*arguments, **options):
    """The tool in a process of its own, for what only a process shows."""
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=60, check=False, **options
    )
    return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.fixture
def run(call, own_tables):
    """The tool in this process, whose tables of components are put back afterwards."""
    return lambda *arguments: call("search", *arguments)


def refused(done, *wanted):
    """Exit code 2 and one line on stderr that says all that is ``wanted``."""
    assert done.code == 2, done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1, done.err
    for text in wanted:
        assert text in done.err
    return done


def trials(folder):
    with closing(TrialStore(folder / TRIALS, read_only=True)) as store:
        return [(t.id, t.state, t.architecture, t.reward, t.reason) for t in store.trials()]


def test_a_search_and_its_last_words(run, config, tmp_path):
    out = tmp_path / "run"
    done = run("-c", config, "-o", "Search.max_trials=12", "Search.note=mind this", "--out", out)
    assert (done.code, done.err) == (0, "")
    assert {"best.json", "best.svg", "config.yaml", MANIFEST, TRIALS} <= set(os.listdir(out))
    for line in ("mind this", f"{out / 'best.svg'}", "its reward: ", f"visualdl --logdir {out}"):
        assert line in done.out
    refused(run("-c", config, "--out", out), "is not empty: go on with it by --resume")
    other = run("-c", config, "-o", "Space.nodes=4", "--out", out, "--resume")
    refused(other, "Space.nodes was 3, now it is 4")


def test_a_search_of_a_strategy_that_has_no_more_to_propose_says_why(run, tmp_path):
    """A population that is told to be better at once, or end; resuming would not go on."""
    config = tmp_path / "evolution.yaml"
    config.write_text(
        "Strategy: {name: Evolution, population: 3, tournament: 2, patience: 1, least_gain: 9}\n"
        "Space: {name: MobileSpace}\nNetwork: {name: MobileNetwork}\n"
        "Evaluator: {name: TargetMatch}\nSearch: {max_trials: 50, executor: inline}\n"
    )
    done = run("-c", config, "--out", tmp_path / "run")
    assert (done.code, done.err) == (0, "")
    assert "ended: the population's quality has stopped rising\n" in done.out
    assert "--resume" not in done.out
    assert f"best found: {tmp_path / 'run' / 'best.json'}" in done.out
    manifest = json.loads((tmp_path / "run" / MANIFEST).read_text())
    assert manifest["ended"] == "the population's quality has stopped rising"
    assert 4 < manifest["finished_trials"] < 50


def test_a_printed_config_is_a_config(run, config, tmp_path):
    printed = run("-c", config, "--print-config")
    (tmp_path / "again.yaml").write_text(printed.out)
    assert run("-c", tmp_path / "again.yaml", "--print-config").out == printed.out
    assert printed.out


def test_a_reader_that_goes_away_causes_no_noise(config):
    with subprocess.Popen(
        command("-c", config, "--print-config"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize(
    "override, wanted",
    [
        ("Search.max_trails=3", "unknown key Search.max_trails. Did you mean 'max_trials'?"),
        ("Serach.max_trials=3", "unknown section Serach. Did you mean 'Search'?"),
        ('Search.max_trials="12"', '-o Search.max_trials="12": Search.max_trials: '),
        ("Space.operations=[conv_3x3, conv_33]", "conv_33"),
        ("Global.device=gup", "Global.device: "),
        ("Global.plugins=[nowhere.py]", "Global.plugins: cannot import "),
    ],
)
def test_a_mistake_is_told_in_one_line_and_makes_no_folder(run, config, tmp_path, override, wanted):
    # each kind of mistake is tested in tests/config/ and in test_assemble.py
    refused(run("-c", config, "-o", override, "--out", tmp_path / "run"), wanted)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["a file", "a file/below", "/proc/nowhere"])
def test_a_folder_that_cannot_be_made(run, config, tmp_path, name):
    (tmp_path / "a file").write_text("text")
    done = run("-c", config, "--out", tmp_path / name)
    refused(done, f"cannot write to {tmp_path / name}: ", "choose another --out folder")


def test_a_store_that_is_no_database(run, config, tmp_path):
    out = tmp_path / "run"
    run("-c", config, "-o", "Search.max_trials=1", "--out", out)
    (out / TRIALS).write_bytes(b"something else" * 99)
    refused(run("-c", config, "--out", out, "--resume"), f"cannot open {out / TRIALS}: ")


@pytest.mark.parametrize(
    "missing, config_name",
    [("paddle", "search/demo.yaml"), ("parl", "search/cell-agent-tokens.yaml")],
)
def test_a_package_that_is_not_installed(tmp_path, missing, config_name):
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib.machinery import PathFinder\n"
        "find = PathFinder.find_spec\n"
        "def find_spec(name, path=None, target=None):\n"
        f"    missing = name.partition('.')[0] == {missing!r}\n"
        "    return None if missing else find(name, path, target)\n"
        "PathFinder.find_spec = find_spec\n"
    )
    out = tmp_path / "run"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = process_of("-c", config_name, "--out", out, env=environment)
    refused(done, missing, "pip install --no-deps -r ", "requirements.lock")
    assert not out.exists()


def test_a_device_that_is_not_there(run, tmp_path):
    out = tmp_path / "run"
    done = run("-c", "search/demo.yaml", "-o", "Global.device=gpu:93", "--out", out)
    refused(done, "Global.device 'gpu:93' is not there", "use Global.device=cpu")
    assert not out.exists()


def test_a_full_disk_loses_nothing(run, forked, config, tmp_path):
    def small_files():  # Python ignores the signal, so a write that is too large is an error
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))

    whole, out = tmp_path / "whole", tmp_path / "run"
    assert run("-c", config, "--out", whole).code == 0
    done = forked("search", "-c", config, "--out", out, before=small_files)
    refused(done, f"cannot write {out / TRIALS}: ", "free some space and go on with --resume")
    finished = [trial for trial in trials(out) if trial[1].finished]
    assert 0 < len(finished) < 40
    assert finished == trials(whole)[: len(finished)]
    assert run("-c", config, "--out", out, "--resume").code == 0
    assert trials(out) == trials(whole)


def count_finished(folder):
    try:
        with closing(sqlite3.connect(f"{(folder / TRIALS).as_uri()}?mode=ro", uri=True)) as db:
            return db.execute("SELECT count(finish_order) FROM trials").fetchone()[0]
    except sqlite3.Error:
        return 0


def test_a_killed_search_is_resumed_and_a_second_one_refused_meanwhile(run, config, tmp_path):
    # the same is done with other strategies and many more kills in tests/jobs/search/test_run.py
    whole, out, draw = tmp_path / "whole", tmp_path / "run", random.Random(4)
    assert run("-c", config, "--out", whole).code == 0
    slow = ["-c", config, "--out", out, "-o", "Evaluator.seconds=0.05"]
    for target in (5, 22):
        with subprocess.Popen(
            command(*slow, "--resume"), stdout=subprocess.DEVNULL, start_new_session=True
        ) as process:
            while count_finished(out) < target:
                assert process.poll() is None
                time.sleep(0.01)
            if target == 5:
                process.send_signal(signal.SIGSTOP)  # so that it cannot end while we look
                refused(run(*slow, "--resume"), "another process is writing to")
                process.send_signal(signal.SIGCONT)
            time.sleep(draw.random() * 0.1)
            process.kill()
        assert count_finished(out) < 40
    done = run(*slow, "--resume")
    assert (done.code, done.err) == (0, "")
    assert trials(out) == trials(whole)
    assert len(read_manifest(out)["starts"]) == 3


def test_a_changed_plugin_is_accepted_where_the_user_says_so(forked, tmp_path):
    """And the report finds what the run was made with, although the file is gone by then."""
    plugin, config = tmp_path / "mine.py", tmp_path / "mine.yaml"
    plugin.write_text(PLUGIN.read_text())
    plain = {**LEARNER, "Global": {"seed": 3, "plugins": [str(plugin)]}}
    config.write_text(yaml.safe_dump({**plain, "Search": {"max_trials": 6, "executor": "inline"}}))
    assert forked("search", "-c", config, "--out", tmp_path / "run").code == 0
    plugin.write_text(f"# a comment\n{PLUGIN.read_text()}")
    again = ("search", "-c", config, "--out", tmp_path / "run", "--resume")
    refused(forked(*again), "Global.plugins was", "--accept-changed-plugins")
    refused(forked(*again[:-1], "--accept-changed-plugins"), "give --resume")
    more = ("--accept-changed-plugins", "-o", "Search.max_trials=8")
    assert forked(*again, *more).code == 0
    assert len(read_manifest(tmp_path / "run")["plugin_changes"]) == 1
    plugin.unlink()
    done = forked("report", tmp_path / "run")
    assert done.code == 0, done.err
    assert "8 trials" in done.out
