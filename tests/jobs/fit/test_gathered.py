"""What a fit gathers is what it plans for and trains on, in its first start and later."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from PIL import Image

from autodl.data.load import load_split
from autodl.data.subset import read_subset, write_npz
from autodl.errors import ConfigError, StoreError
from autodl.jobs.fit import plan, run, speed
from autodl.jobs.fit.candidates import PICTURES, Pictures, config_of, hand_made
from autodl.jobs.fit.clock import Clock
from autodl.jobs.fit.config import fit_config
from autodl.jobs.fit.plan import Machine


@pytest.fixture(autouse=True)
def known_speed(monkeypatch):
    monkeypatch.setattr(plan, "LEVELS", ((16, (4, 8, 8)),))
    monkeypatch.setattr(plan, "SIDES", (16,))
    monkeypatch.setattr(speed, "measure_speed", lambda *network: (2e9, 6e9))
    monkeypatch.setattr(speed, "measure_exporting", lambda: 0.5)


@pytest.fixture
def dozens(tmp_path):
    """Two classes of 12 pictures; 16 of them are trained on."""
    root = tmp_path / "dozens"
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for picture in range(12):
            Image.new("RGB", (16, 16), (picture, 0, 0)).save(root / name / f"{picture}.png")
    return root


def prepared(config, folder, found):
    """The gathered pictures, the plan, how the pictures are cut for a training, and the lines."""
    lines, clock = [], Clock(config.fit.minutes, time.monotonic())
    subset, _, made = run._prepared(
        config, folder, found, None, Machine(2e9, 6e9, 0.5), clock, lines.append
    )
    if found is not None:
        folder.mkdir()
        write_npz(subset, folder / PICTURES)
    held_out = run._gathered(subset).held_out
    pictures = Pictures(folder / PICTURES, 0, "cpu", True, 1.0, held_out)
    data = load_split(config_of(hand_made(made), pictures, 10.0).data)
    return subset, made, (len(data.train), len(data.held_out)), lines


def test_a_damaged_picture_makes_the_batch_smaller(dozens, tmp_path):
    """Batches of 16 were planned by the files, and 15 pictures can be read."""
    config = fit_config(dozens, seed=0, device="cpu")
    found = run._look(config, tmp_path / "out")
    damaged = found.parts["train"].files[0]
    damaged.write_bytes(b"no picture")
    _, made, cut, lines = prepared(config, tmp_path / "out", found)
    assert cut == (15, 3)
    assert (made.train, made.batch) == (15, 15)
    assert lines[-1].startswith("1 files that are, or may be, pictures are left out")
    subset, again, later, lines = prepared(config, tmp_path / "out", None)
    assert later == cut
    assert subset.dataset.left_out == {damaged.parent.name: {"that cannot be read": 1}}
    assert again.reasons["side"] == made.reasons["side"] == "16 pixels; the pictures have 16"
    assert f"gathered from {dozens}; what else" in lines[0]


def test_fewer_pictures_are_cut_as_planned(colours, tmp_path, monkeypatch):
    """Of 30, 6 are tested on; of 450 seconds to read in, these and the held-out ones need 200."""
    monkeypatch.setattr(run, "_seconds_to_read", lambda found: 20.0)
    config = fit_config(colours, seed=0, device="cpu", minutes=30.0)
    found = run._look(config, tmp_path / "out")
    _, made, cut, _ = prepared(config, tmp_path / "out", found)
    assert cut == (12, 4)
    assert made.train == 12
    assert "more cannot be read" in made.reasons["pictures"]
    _, again, later, _ = prepared(config, tmp_path / "out", None)
    assert (later, again.reasons["pictures"]) == (cut, made.reasons["pictures"])


def test_reading_that_takes_longer_than_planned_is_no_reason_to_refuse(
    dozens, tmp_path, monkeypatch
):
    """One second is left behind it, of 2.5 at least for finishing; what could be read counts."""
    clock, gather = Clock(30.0, time.monotonic()), run.gather
    config = fit_config(dozens, seed=0, device="cpu")
    found = run._look(config, tmp_path / "out")
    found.parts["train"].files[0].write_bytes(b"no picture")

    def slowly(found, side):
        monkeypatch.setattr(Clock, "left", lambda clock: 1.0)
        return gather(found, side)

    monkeypatch.setattr(run, "gather", slowly)
    machine = Machine(2e9, 6e9, 0.5)
    _, facts, made = run._prepared(
        config, tmp_path / "out", found, None, machine, clock, lambda line: None
    )
    assert facts.seconds == 1.0
    assert (made.train, made.batch, made.widths) == (15, 15, (4, 8, 8))


def test_pictures_that_an_earlier_version_gathered_are_cut_as_then(dozens, tmp_path):
    config = fit_config(dozens, seed=0, device="cpu")
    found = run._look(config, tmp_path / "out")
    subset, *_ = prepared(config, tmp_path / "out", found)
    about = {key: value for key, value in subset.about.items() if key != run.GATHERED}
    write_npz(replace(subset, about=about), tmp_path / "out" / PICTURES)
    _, made, cut, lines = prepared(config, tmp_path / "out", None)
    assert "gathered from the folder of the first start; what else" in lines[0]
    assert cut == (16, 3)
    assert made.reasons["side"] == "16 pixels; as they were gathered in the first start"


def test_a_disk_that_is_full_before_the_pictures_are_written_costs_nothing(
    dozens, tmp_path, monkeypatch
):
    """The next start may choose another side, and so other pictures."""

    def full(*args):
        raise StoreError("cannot write: No space left on device")

    def training(*args):
        raise KeyError("it goes on")

    config, out = fit_config(dozens, seed=0, device="cpu"), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(run, "write_npz", full)
        with pytest.raises(StoreError, match="No space left"):
            run.run_fit(config, out)
    monkeypatch.setattr(run, "Contest", training)
    monkeypatch.setattr(plan, "LEVELS", ((24, (4, 8, 8)),))
    monkeypatch.setattr(plan, "SIDES", (24,))
    with pytest.raises(KeyError, match="it goes on"):
        run.run_fit(config, out, resume=True)
    identity = json.loads((out / "run.json").read_text())["identity"]
    data = read_subset(out / PICTURES).dataset
    assert data.train.images.shape[1] == 24
    assert identity["Pictures"] == {"checksum": data.checksum}
    (out / PICTURES).unlink()  # once a round is begun they are those of its plan
    monkeypatch.setattr(plan, "LEVELS", ((16, (4, 8, 8)),))
    monkeypatch.setattr(plan, "SIDES", (16,))
    with pytest.raises(StoreError, match=r"Pictures\.checksum was"):
        run.run_fit(config, out, resume=True)


def test_a_round_that_was_begun_is_not_planned_anew_however_little_time_is_left(
    dozens, tmp_path, monkeypatch
):
    given, out = [], tmp_path / "out"

    def training(this, pictures, *others):
        given.append((this.plan, pictures.epoch_seconds))
        raise KeyError("it goes on")

    monkeypatch.setattr(run, "Contest", training)
    with pytest.raises(KeyError):
        run.run_fit(fit_config(dozens, seed=0, device="cpu"), out)
    short = fit_config(dozens, seed=0, device="cpu", minutes=0.01)
    with pytest.raises(ConfigError, match="--minutes more"):
        run.run_fit(short, out, resume=True)
    (out / "round-1" / "compared").mkdir()
    with pytest.raises(KeyError):
        run.run_fit(short, out, resume=True)
    assert given[0] == given[1]


def test_a_start_that_another_one_has_overtaken_is_refused(dozens, tmp_path, monkeypatch):
    """Both have looked at a folder without rounds; the other's would get these pictures."""
    config, out = fit_config(dozens, seed=0, device="cpu"), tmp_path / "out"

    def full(*args):
        raise StoreError("cannot write: No space left on device")

    def overtaken(self, *identity, **start):
        (out / "round-1").mkdir()
        return opened(self, *identity, **start)

    monkeypatch.setattr(run, "write_npz", full)
    with pytest.raises(StoreError, match="No space left"):
        run.run_fit(config, out)
    identity = json.loads((out / "run.json").read_text())["identity"]
    opened = run.Run.open
    monkeypatch.setattr(run.Run, "open", overtaken)
    monkeypatch.setattr(plan, "LEVELS", ((24, (4, 8, 8)),))
    monkeypatch.setattr(plan, "SIDES", (24,))
    with pytest.raises(StoreError, match=r"another start has gone on with .*out meanwhile"):
        run.run_fit(config, out, resume=True)
    assert json.loads((out / "run.json").read_text())["identity"] == identity


def test_a_round_of_which_nothing_was_begun_is_planned_anew(tmp_path):
    """An earlier version could plan batches that no training took."""
    facts = plan.Facts(16, 3, 5, 2, 16, 1800.0, Machine(2e9, 6e9, 0.5))
    first, second = plan.make_plan(facts), plan.make_plan(replace(facts, train=15))
    assert run._round(tmp_path, first) == (1, first)
    assert run._round(tmp_path, second) == (1, second)
    (tmp_path / "round-1" / "compared").mkdir()
    assert run._round(tmp_path, first) == (1, second)


def test_rounds_are_numbered_on_where_earlier_ones_were_removed(tmp_path):
    """To free the disk, say; a finished round is never begun again."""
    own = plan.make_plan(plan.Facts(16, 3, 5, 2, 16, 1800.0, Machine(2e9, 6e9, 0.5)))
    (tmp_path / "round-2").mkdir()
    (tmp_path / "round-2" / "result.json").write_text("{}")
    assert run._round(tmp_path, own) == (3, own)
    (tmp_path / "round-3" / "compared").mkdir()
    assert run._round(tmp_path, own) == (3, own)
