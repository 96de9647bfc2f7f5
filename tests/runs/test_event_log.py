"""The log of events: read back with VisualDL, continued, and without VisualDL."""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from visualdl import LogReader

from autodl.runs.event_log import EventLog, flatten


def record_file(folder):
    (path,) = folder.glob("vdlrecords.*")
    return path


def scalars(folder, tag):
    reader = LogReader(file_path=str(record_file(folder)))
    return [(record.id, record.value) for record in reader.get_data("scalar", tag)]


def lines(folder):
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


@pytest.fixture
def no_visualdl(monkeypatch):
    monkeypatch.setitem(sys.modules, "visualdl", None)  # makes the import fail


def test_read_back(tmp_path):
    log = EventLog(tmp_path)
    log.scalar("search/reward", 0.5, 3)
    log.scalar("loss 5%", np.float64("nan"), 0)
    log.text("best/architecture", "{}", 3)
    log.picture("best/cell", np.full((4, 6, 3), 200, np.uint8), 3)
    log.hyper_parameters({"Search": {"trials": 24, "yes": True, "no": None}}, ["search/best"])
    log.close()
    assert scalars(tmp_path, "search/reward") == [(3, 0.5)]
    ((step, value),) = scalars(tmp_path, "loss 5_")  # VisualDL refuses the sign in a tag
    assert step == 0
    assert math.isnan(value)
    data = LogReader(file_path=str(record_file(tmp_path)))
    (text,) = data.get_data("text", "best/architecture")
    assert text.text.encoded_text_string == "{}"
    (picture,) = data.get_data("image", "best/cell")
    assert picture.image.encoded_image_string.startswith(b"\x89PNG")
    (settings,) = data.get_data("hyper_parameters", "hparam")
    values = {info.name: info for info in settings.hparam.hparamInfos}
    assert values["Search/trials"].int_value == 24
    assert values["Search/yes"].string_value == "true"
    assert values["Search/no"].string_value == "null"
    assert [info.name for info in settings.hparam.metricInfos] == ["search/best"]


def test_continuing_keeps_one_file_and_repeats_no_step(tmp_path, capfd):
    for steps in ((0, 1), (1, 2)):
        log = EventLog(tmp_path)
        for step in steps:
            log.scalar("search/best", step / 4, step)
        log.hyper_parameters({"seed": 1}, [])
        log.close()
    assert scalars(tmp_path, "search/best") == [(0, 0), (1, 0.25), (2, 0.5)]
    settings = LogReader(file_path=str(record_file(tmp_path)))
    assert len(settings.get_data("hyper_parameters", "hparam")) == 1
    assert EventLog(tmp_path).last("search/best") == 0.5
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("cut", [1, 5, 9, 20])
def test_half_written_record_is_cut_off(tmp_path, cut):
    log = EventLog(tmp_path)
    log.scalar("a", 1, 0)
    log.close()
    path = record_file(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:cut])  # the first record again, but not all of it
    log = EventLog(tmp_path)
    log.scalar("a", 2, 1)
    log.close()
    assert scalars(tmp_path, "a") == [(0, 1), (1, 2)]


def test_killed_process_loses_nothing_but_the_last_moment(tmp_path):
    program = (
        "import os, signal, sys, time; from pathlib import Path\n"
        "from autodl.runs.event_log import EventLog\n"
        "log = EventLog(Path(sys.argv[1]))\n"
        "for step in range(50): log.scalar('a', step, step)\n"
        "time.sleep(1); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    log = EventLog(tmp_path)
    for step in range(60):
        log.scalar("a", step, step)
    log.close()
    assert scalars(tmp_path, "a") == [(step, step) for step in range(60)]


def test_curve_is_a_run_of_its_own(tmp_path):
    log = EventLog(tmp_path)
    for _ in range(2):  # the second time it is there already
        log.curve("trials/0007", [{"loss": 2, "accuracy": 0.5}, {"loss": 1}], "epoch")
    log.curve("trials/0008", [], "epoch")
    log.close()
    assert scalars(tmp_path / "trials/0007", "epoch/loss") == [(1, 2), (2, 1)]
    assert scalars(tmp_path / "trials/0007", "epoch/accuracy") == [(1, 0.5)]
    assert not (tmp_path / "trials/0008").exists()


def test_json_lines_without_visualdl(tmp_path, no_visualdl, caplog):
    with caplog.at_level(logging.WARNING):
        for steps in ((0, 1), (1, 2)):
            log = EventLog(tmp_path)
            for step in steps:
                log.scalar("a", math.inf if step == 2 else step, step)
            log.text("t", "x", 0)
            log.picture("p", np.zeros((2, 2, 3), np.uint8), 0)
            log.hyper_parameters({"seed": 1}, ["a"])
            log.curve("trials/0001", [{"loss": 2.0}], "epoch")
            log.close()
    assert lines(tmp_path) == [
        {"kind": "scalar", "tag": "a", "step": 0, "value": 0.0},
        {"kind": "scalar", "tag": "a", "step": 1, "value": 1.0},
        {"kind": "text", "tag": "t", "step": 0, "value": "x"},
        {"kind": "hyper_parameters", "values": {"seed": 1}, "metrics": ["a"]},
        {"kind": "scalar", "run": "trials/0001", "tag": "epoch/loss", "step": 1, "value": 2.0},
        {"kind": "scalar", "tag": "a", "step": 2, "value": "inf"},
    ]
    assert [record.message.count("\n") for record in caplog.records] == [0, 0]  # one a start
    assert "VisualDL cannot be imported" in caplog.text


def test_failing_call_degrades_with_one_warning(tmp_path, monkeypatch, caplog):
    import visualdl

    log = EventLog(tmp_path)
    log.scalar("a", 0, 0)

    def fail(*_args, **_kwargs):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(visualdl.LogWriter, "add_scalar", fail)
    log.scalar("a", 1, 1)
    log.scalar("a", 2, 2)
    log.curve("trials/0001", [{"loss": 2.0}], "epoch")
    log.close()
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 1]
    (warning,) = caplog.records
    assert "RuntimeError: first line second line" in warning.message


def test_failing_curve_degrades_whole(tmp_path, caplog):
    log = EventLog(tmp_path)
    (tmp_path / "trials").write_text("in the way")
    log.curve("trials/0001", [{"loss": 2.0}, {"loss": 1.0}], "epoch")
    log.scalar("a", 1, 1)
    assert [line["value"] for line in lines(tmp_path)] == [2.0, 1.0, 1.0]
    assert "trials/0001" in caplog.text


POINTS = [{"loss": 1.0 / epoch, "accuracy": 0.5} for epoch in range(1, 6)]


def runs_that_visualdl_lists(folder):
    """By its own server code."""
    return sorted(Path(run).relative_to(folder).as_posix() for run in LogReader(str(folder)).logs())


@pytest.mark.parametrize("call", ["write_bytes", "replace"])
def test_a_curve_cut_short_by_a_kill_is_written_whole_later(tmp_path, monkeypatch, call):
    """Killed in the middle of writing the file, or just before it gets its name."""

    class Killed(BaseException):
        pass

    def half(path, data):
        with open(path, "wb") as file:
            file.write(data[: len(data) // 2])
        raise Killed

    def killed(*_):
        raise Killed

    log = EventLog(tmp_path)
    log.scalar("a", 1, 1)
    with monkeypatch.context() as patch:
        if call == "write_bytes":
            patch.setattr(Path, "write_bytes", half)
        else:
            patch.setattr("autodl.runs.event_log.os.replace", killed)
        with pytest.raises(Killed):
            log.curve("trials/0001", POINTS, "epoch")
    log.close()
    assert runs_that_visualdl_lists(tmp_path) == ["."]
    log = EventLog(tmp_path)
    log.curve("trials/0001", POINTS, "epoch")
    log.close()
    assert runs_that_visualdl_lists(tmp_path) == [".", "trials/0001"]
    found = scalars(tmp_path / "trials/0001", "epoch/loss")
    assert found == [(step, np.float32(1.0 / step)) for step in range(1, 6)]
    assert [path.name[:11] for path in (tmp_path / "trials/0001").iterdir()] == ["vdlrecords."]


def test_a_curve_starts_no_thread(tmp_path):
    log = EventLog(tmp_path)
    before = threading.active_count()
    log.curve("trials/0001", POINTS, "epoch")
    assert threading.active_count() == before
    log.close()


def test_steps_in_any_order(tmp_path):
    """Far apart, negative, repeated: as a set would have them."""
    steps = np.random.default_rng(0).permutation([*range(-50, 5000, 7), 2**40, 4095, 4096])
    log = EventLog(tmp_path)
    for step in [*steps, *steps[::3]]:
        log.scalar("a", float(step % 97), int(step))
    wanted = set(steps.tolist())
    for step in [*range(-60, 5100), 2**40 - 1, 2**40]:
        assert log.has("a", step) == (step in wanted)
    assert log.last("a") == 2**40 % 97
    assert log.last("b") is None
    assert not log.has("b", 0)
    log.close()
    again = EventLog(tmp_path)
    assert [step for step in range(-60, 5100) if again.has("a", step)] == sorted(wanted - {2**40})
    again.close()


@pytest.mark.usefixtures("no_visualdl")
def test_memory_does_not_grow_with_the_steps(tmp_path):
    """20,000 steps, in order and shuffled: a bit each is 2.5 kB, a mapping would be 2 MB."""
    log = EventLog(tmp_path)
    log._append = lambda line: None  # the file is not what is measured
    tracemalloc.start()
    for step in range(20_000):
        log.scalar("in order", 0.5, step)
        log.scalar("shuffled", 0.5, step * 7919 % 20_011)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 100_000


@pytest.mark.usefixtures("no_visualdl")
def test_nothing_writable_is_survived(tmp_path, caplog):
    """A file in the folder's place: works for root too, unlike permissions."""
    (tmp_path / "vdl").write_text("in the way")
    log = EventLog(tmp_path / "vdl")
    log.scalar("a", 1, 1)
    log.scalar("a", 2, 2)
    log.close()
    assert len(caplog.records) == 2  # no VisualDL, then no lines; not once per event
    assert (tmp_path / "vdl").read_text() == "in the way"


def test_flatten():
    nested = {"A": {"x": 1, "y": {"z": 0.5}}, "b%": [1, None], "big": 2**60, "t": "s", "no": False}
    assert flatten(nested) == {
        "A/x": 1,
        "A/y/z": 0.5,
        "b_": "[1, null]",
        "big": str(2**60),
        "t": "s",
        "no": "false",
    }
