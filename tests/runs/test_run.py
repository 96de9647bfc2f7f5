"""One way to begin a run, to go on with it and to finish it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import yaml

from autodl.config.job import Part, Sections
from autodl.config.reading import RawConfig
from autodl.config.sections import GlobalOptions, Section
from autodl.errors import CheckpointError, StoreError
from autodl.runs.event_log import LINES
from autodl.runs.folder import (
    CHECKPOINT,
    CHOICE,
    CONFIG,
    LOG,
    METRICS,
    check_seals,
    read_manifest,
    update_manifest,
)
from autodl.runs.run import Run


class Job(Section):
    ADDED = ("later",)
    size: int = 1
    later: bool = False


@dataclass(frozen=True, slots=True)
class JobConfig(Sections):
    general: Annotated[GlobalOptions, Part("Global", free=("device",))]
    job: Annotated[Job, Part("Job")]


CONFIGURED = JobConfig.resolve(RawConfig({"Job": {"size": 3}}))
IDENTITY = {**CONFIGURED.identity(), "Pictures": {"checksum": "a"}}


@dataclass
class Counting:
    """A fit that counts its epochs."""

    curve: list = field(default_factory=list)

    def state(self):
        return {"curve": self.curve, "weights": np.arange(len(self.curve))}

    def restore(self, state):
        self.curve = state["curve"]
        if len(state["weights"]) != len(self.curve):
            raise KeyError("weights")

    def epoch(self):
        self.curve.append({"loss": 1 / (len(self.curve) + 1)})


def tags(epoch):
    return {f"train/{name}": value for name, value in epoch.items()}


def begin(folder, *, resume=False, config=CONFIGURED, identity=IDENTITY, tell=lambda line: None):
    return Run(folder, config, resume=resume, tell=tell).open(identity, device="cpu")


@pytest.fixture
def begun(tmp_path):
    """A run of two epochs that was left."""
    folder, fit = tmp_path / "run", Counting()
    with begin(folder) as run:
        for _ in range(2):
            fit.epoch()
            run.keep_epoch(fit, tags)
    return folder


def test_nothing_is_written_before_it_is_opened(tmp_path):
    run = Run(tmp_path / "run", CONFIGURED)
    assert run.finished(IDENTITY) is None
    assert run.restored() is None
    assert not (tmp_path / "run").exists()
    with run.open(IDENTITY, device="cpu", data_path=Path("/data"), model=None):
        assert yaml.safe_load((run.folder / CONFIG).read_text()) == CONFIGURED.to_plain()
    (start,) = read_manifest(run.folder)["starts"]
    assert (start["device"], start["data_path"], start["model"]) == ("cpu", "/data", None)


def test_a_folder_is_refused_before_any_work(tmp_path, begun):
    with pytest.raises(StoreError, match="go on with it by --resume"):
        Run(begun, CONFIGURED)
    with pytest.raises(StoreError, match="holds no run"):
        Run(tmp_path, CONFIGURED, resume=True)


def test_a_fit_goes_on_where_it_was(begun):
    fit, lines = Counting(), []
    with begin(begun, resume=True, tell=lines.append) as run:
        run.resume_fit(fit, tags)
        assert [epoch["loss"] for epoch in fit.curve] == [1, 1 / 2]
        fit.epoch()
        run.keep_epoch(fit, tags)
        assert len(run.restored()["curve"]) == 3
    assert lines == ["resumed after epoch 2"]


def logged(folder):
    lines = [json.loads(line) for line in (folder / LOG / LINES).read_text().splitlines()]
    return [(line["tag"], line["step"]) for line in lines if line["kind"] == "scalar"]


def test_what_a_kill_kept_from_the_log_is_logged_by_going_on(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "visualdl", None)  # then the log is lines
    fit = Counting()
    with begin(tmp_path) as run:
        fit.epoch()
        run.keep_epoch(fit, tags)
        fit.epoch()
        run.save(fit.state())
    assert logged(tmp_path) == [("train/loss", 1)]
    with begin(tmp_path, resume=True) as run:
        run.resume_fit(Counting(), tags)
    assert logged(tmp_path) == [("train/loss", 1), ("train/loss", 2)]


@pytest.mark.parametrize("name", [CHECKPOINT, CHOICE])
def test_what_is_saved_comes_back_and_damage_is_named(begun, name):
    with begin(begun, resume=True) as run:
        run.save({"array": np.ones((2, 3), "float32"), "text": "x"}, name)
        found = run.restored(name)
        assert found["text"] == "x"
        assert found["array"].shape == (2, 3)
        (begun / name).write_bytes(b"short")
        with pytest.raises(CheckpointError, match=f"{name}: .*; delete it to train anew"):
            run.restored(name)


def test_a_checkpoint_of_another_fit_is_named(begun):
    with begin(begun, resume=True) as run:
        run.save({"curve": [{}], "weights": np.zeros(3)})
        with pytest.raises(CheckpointError, match=rf"{CHECKPOINT}: 'weights'; delete it"):
            run.restore(Counting())


def test_a_finished_run_is_read_and_another_one_refused(begun):
    with begin(begun, resume=True) as run:
        run.finish({"accuracy": 0.5}, held_out_accuracy=0.5)
    assert read_manifest(begun)["ended"] == "complete"
    assert read_manifest(begun)["held_out_accuracy"] == 0.5
    again = Run(begun, CONFIGURED, resume=True)
    assert again.finished(IDENTITY) == {"accuracy": 0.5}
    with pytest.raises(StoreError, match=r"holds another run: Pictures\.checksum was 'a'"):
        again.finished({**IDENTITY, "Pictures": {"checksum": "b"}})
    known = {name: IDENTITY[name] for name in IDENTITY if name != "Pictures"}
    assert again.finished(known, found_later=("Pictures", "Teacher")) == {"accuracy": 0.5}
    for identity, later in ((known, ("Teacher",)), ({"Pictures": IDENTITY["Pictures"]}, ())):
        with pytest.raises(StoreError, match=r"holds another run: \w+ was .*, now it is the def"):
            again.finished(identity, found_later=later)
    other = {**IDENTITY, "Pictures": {"checksum": "b"}}
    with pytest.raises(StoreError, match=r"holds another run: Pictures\.checksum was 'a'"):
        again.finished(other, found_later=("Pictures",))
    (begun / METRICS).write_text("{")
    assert again.finished(IDENTITY) is None
    whole = (begun / CHECKPOINT).read_bytes()
    (begun / CHECKPOINT).write_bytes(whole[:-9])
    with pytest.raises(CheckpointError, match="bring it back from a back-up, or begin anew in an"):
        again.restore(Counting())
    (begun / CHECKPOINT).unlink()
    with pytest.raises(StoreError, match=rf"cannot read .*, and there is no {CHECKPOINT} to come"):
        again.finished(IDENTITY)


def test_what_never_had_a_checkpoint_is_made_again(tmp_path):
    lines = []
    run = Run(tmp_path / "run", CONFIGURED, resume=True, tell=lines.append)
    with run.open(IDENTITY):
        run.finish({"accuracy": 0.5})
    (run.folder / METRICS).unlink()
    assert run.finished(IDENTITY) is None
    assert lines[0].endswith("metrics.json': it is made again")


def test_what_a_kill_left_of_files_that_were_being_written_goes(begun):
    begun.joinpath("plugins").mkdir()
    left = (
        ".metrics.json.0123abcd.json",
        f".{CHECKPOINT}.0123abcd.safetensors",
        "plugins/.a.0a1b2c3d",
    )
    for name in left:
        (begun / name).write_bytes(b"half")
    (begun / ".mine").write_text("a file of somebody")
    with begin(begun, resume=True):
        pass
    hidden = sorted(path.name for path in begun.rglob(".*"))
    assert hidden == [".lock", ".mine"]


def test_a_run_from_before_an_option_was_left_out_of_identities_goes_on(begun):
    """It has the option on record, with its default."""
    on_record = {**IDENTITY, "Job": {"size": 3, "later": False}}
    update_manifest(begun, identity=on_record)
    with begin(begun, resume=True):
        pass
    update_manifest(begun, identity={**on_record, "Job": {"size": 3, "later": True}})
    with pytest.raises(StoreError, match=r"Job\.later was True, now it is the default"):
        begin(begun, resume=True).__enter__()


def test_how_it_failed_is_on_record(begun):
    with pytest.raises(ZeroDivisionError), begin(begun, resume=True):
        raise ZeroDivisionError("by hand")
    assert read_manifest(begun)["ended"] == "failed: ZeroDivisionError: by hand"


def test_metrics_with_names_that_are_no_text_are_sealed_as_they_are_written(tmp_path):
    """Names of files from an old archive, as the worst mistakes of a fit may have them."""
    run = Run(tmp_path / "run", CONFIGURED)
    with run.open(IDENTITY, device="cpu"):
        run.finish({"worst": ["caf\udce9.png"]})
    check_seals(tmp_path / "run", ("metrics.json",))
    assert "caf" in (tmp_path / "run" / "metrics.json").read_text()
