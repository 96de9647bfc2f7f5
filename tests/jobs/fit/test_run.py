"""From a folder of pictures to a deployed network, and back again after an end of any kind."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from autodl.errors import ConfigError, StoreError
from autodl.jobs.export import export
from autodl.jobs.fit import candidates, plan, speed
from autodl.jobs.fit.config import fit_config
from autodl.jobs.fit.contest import Contest
from autodl.jobs.fit.finish import next_lines
from autodl.jobs.fit.run import run_fit
from autodl.jobs.train.final_test import measure_once
from autodl.release import load


def make_small(patch):
    """Trainings end by their epochs, long before their time is up; a search has two trials."""
    patch.setattr(candidates, "MOST_EPOCHS", 2)
    patch.setattr(plan, "MOST_TRIALS", 2)
    patch.setattr(plan, "FEWEST_TRIALS", 2)
    patch.setattr(plan, "LEVELS", ((16, (4, 8, 8)),))
    patch.setattr(plan, "SIDES", (16,))
    patch.setattr(speed, "measure_speed", lambda *network: (2e9, 6e9))


@pytest.fixture
def few_epochs(monkeypatch):
    make_small(monkeypatch)


def config(pictures, **asked):
    return fit_config(pictures, seed=0, device="cpu", **{"minutes": 30.0, **asked})


@pytest.fixture(scope="module")
def fitted(colours, tmp_path_factory):
    """A fit with all three candidates, done once."""
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        lines = []
        out = tmp_path_factory.mktemp("fit") / "model"
        result = run_fit(config(colours), out, tell=lines.append)
    return out, result, lines


def test_all_candidates_are_compared_and_the_best_is_retrained(fitted):
    out, result, lines = fitted
    compared = {path.name for path in (out / "round-1" / "compared").iterdir()}
    assert compared == {"hand-made", "released", "found"}
    assert len(list((out / "round-1" / "retrained").iterdir())) == 1
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics == json.loads(json.dumps(result.metrics))
    assert [entrant["name"] for entrant in metrics["tried"][:3]] == [
        "hand-made",
        "released",
        "found",
    ]
    assert len(metrics["tried"]) == 4
    assert metrics["chosen"]["balanced"] == max(entrant["balanced"] for entrant in metrics["tried"])
    assert all(re.match(r"\[Fit\]\[\d+:\d\d left\] ", line) for line in lines)


def test_the_network_predicts_and_is_deployed(fitted, colours):
    out, result, _ = fitted
    network = load(str(out / "network"))
    assert network.classes == ("blue", "green", "red")
    files = sorted((colours / "red").iterdir())[:3]
    assert len(network.predict(files).names) == 3
    deployment = json.loads((out / "deployed" / "deployment.json").read_text())
    assert deployment["classes"] == ["blue", "green", "red"]
    assert deployment["output"]["temperature"] == network.single_temperature != 1.0
    assert set(result.metrics["exported"]["files"]) >= {"paddle"}


def test_what_takes_trainings_says_where_the_network_of_a_fit_is(fitted, tmp_path):
    with pytest.raises(StoreError, match=r"is of autodl fit, .* see its card.md and deployed/"):
        measure_once(fitted[0])
    with pytest.raises(StoreError, match=re.escape(f"--model {fitted[0]}")):
        export(fitted[0], tmp_path / "out")


def test_the_test_part_is_looked_at_once_and_told_by_class(fitted):
    out, result, _ = fitted
    test = result.metrics["test"]
    matrix = np.array(test["confusion"])
    assert matrix.sum() == test["pictures"] == 6  # cut: 2 of 10 of each class
    assert test["accuracy"] == pytest.approx(matrix.trace() / 6)
    assert test["on_record"] is False
    card = (out / "card.md").read_text()
    for name in ("blue", "green", "red"):
        assert re.search(rf"\| {name} \| .* \| 2 \|", card)


def test_the_page_refers_to_nothing_outside_itself(fitted):
    out, _, _ = fitted
    text = (out / "report.html").read_text()
    assert "autodl infer" in text
    assert not re.findall(r'(?:src|href)="(?!data:)', text)


def test_lines_to_be_copied_are_quoted(fitted):
    out, _, _ = fitted
    lines = next_lines(Path("my model"), Path("it's"))
    assert shlex.split(lines[0])[-1] == "my model/network"
    assert shlex.split(lines[1])[1] == "my model/predict.py"
    assert shlex.split(lines[2])[2:5] == ["it's", "--out", "my model"]
    assert f"load({str(out / 'network')!r})" in (out / "card.md").read_text()


def test_the_script_runs(fitted, colours, capsys, monkeypatch):
    out, _, _ = fitted
    script = out / "predict.py"
    assert len(script.read_text().splitlines()) <= 12
    file = str(next((colours / "red").iterdir()))
    monkeypatch.setattr("sys.argv", [str(script), file])
    exec(compile(script.read_text(), script, "exec"), {"__file__": str(script)})
    assert capsys.readouterr().out.startswith(f"{file} ")


def test_it_goes_on_after_a_full_disk_and_then_with_more_minutes(
    colours, tmp_path, few_epochs, monkeypatch
):
    from autodl.jobs.fit import finish

    out, wanted = tmp_path / "model", config(colours, released=False, minutes=5.0)

    def full(*args):
        raise StoreError("cannot write: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(finish, "export_network", full)
        with pytest.raises(StoreError, match="No space left"):
            run_fit(wanted, out)
    (kept,) = (out / "round-1" / "retrained").iterdir()
    weights = (kept / "weights.safetensors").read_bytes()
    with monkeypatch.context() as patch:  # all that was trained counts, also without any time
        patch.setattr(Contest, "_time_left", lambda contest: 0.0)
        again = run_fit(wanted, out, resume=True)
    assert [entrant["folder"] for entrant in again.metrics["tried"]] == [
        *("round-1/compared/hand-made", "round-1/compared/found"),
        f"round-1/retrained/{kept.name}",
    ]
    assert (kept / "weights.safetensors").read_bytes() == weights
    assert again.metrics["round"] == 1
    assert again.metrics["test"]["on_record"] is True
    assert not [path for path in out.iterdir() if path.name.startswith(".new")]
    with pytest.raises(StoreError, match="--resume"):
        run_fit(wanted, out)

    moved = out.rename(tmp_path / "moved")
    record = moved / "round-1" / "result.json"  # the best there is, so that the next round loses
    record.write_text(json.dumps({**json.loads(record.read_text()), "balanced": 2.0}))
    plan = moved / "round-1" / "plan.json"
    known = json.loads(plan.read_text())
    plan.write_text(json.dumps({**known, "reasons": {"search": "as the first round has it"}}))
    whole = {name: (moved / name).stat().st_mtime_ns for name in ("network", "deployed")}
    with monkeypatch.context() as patch:
        patch.setattr(finish, "export_network", full)
        with pytest.raises(StoreError, match="No space left"):
            run_fit(wanted, moved, resume=True)
    assert whole == {name: (moved / name).stat().st_mtime_ns for name in whole}
    assert len(load(str(moved)).predict(next((colours / "red").iterdir())).names) == 1
    more = run_fit(wanted, moved, resume=True)
    assert more.metrics["round"] == 2
    assert more.metrics["chosen"]["folder"].startswith("round-1/")
    assert {path.name for path in moved.glob("round-*")} == {"round-1", "round-2"}
    assert "- search: as the first round has it\n" in (moved / "card.md").read_text()


def test_ctrl_c_keeps_the_best_so_far(colours, tmp_path, few_epochs):
    import signal

    def interrupt(line):
        if ": retrained for" in line:
            signal.raise_signal(signal.SIGINT)

    result = run_fit(config(colours, released=False, minutes=1.5), tmp_path / "m", tell=interrupt)
    assert result.stopped == "interrupted"
    assert (tmp_path / "m" / "deployed" / "deployment.json").exists()
    assert result.metrics["tried"][-1]["epochs"] == 1  # cut after its first update


def test_too_few_minutes_leave_no_folder(colours, tmp_path):
    with pytest.raises(ConfigError, match="--minutes more"):
        run_fit(config(colours, minutes=0.01), tmp_path / "m")
    assert not (tmp_path / "m").exists()
