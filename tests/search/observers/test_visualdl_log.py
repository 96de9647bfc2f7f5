"""What a search leaves in RUN/vdl, read back with VisualDL."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import pytest
from PIL import Image
from visualdl import LogReader

from autodl.jobs.search.parts import load_search
from autodl.jobs.search.run import run_search
from autodl.runs.store import Proposal, TrialStore
from autodl.search.observers.observer import Observer, RunInfo
from autodl.search.observers.visualdl_log import VisualDLLog
from autodl.spaces.cell.architecture import CellPair
from autodl.spaces.codec import decode_text
from autodl.trial import Evaluation, Trial, TrialState

CONFIG = {"Global": {"seed": 0, "plugins": []}, "Search": {"max_trials": 4, "note": None}}


def complete(trial_id, reward, curve=()):
    pair = CellPair.from_tokens([trial_id, 1, 2, 3], [1, 0])
    evaluation = Evaluation(reward, {"parameters": 1234.0}, tuple(curve))
    return Trial(trial_id, pair, TrialState.COMPLETE, evaluation, seconds=2.0)


def failed(trial_id):
    pair = CellPair.from_tokens([0, 1], [])
    return Trial(trial_id, pair, TrialState.FAILED, reason="loss is NaN")


def run_info(folder, **changes):
    return RunInfo(folder=folder, config=CONFIG, max_trials=4, workers=2, **changes)


def read(folder):
    (path,) = folder.glob("vdlrecords.*")
    return LogReader(file_path=str(path))


def points(folder, tag):
    return [(r.id, pytest.approx(r.value)) for r in read(folder).get_data("scalar", tag)]


def watch(log: Observer, folder):
    """A search of four trials that finish in the order 1, 0, 2 (failed), 3, with one update."""
    log.started(run_info(folder))
    log.running((0, 1))
    one, zero = complete(1, 0.25, [{"loss": 2.0, "accuracy": 0.1}]), complete(0, 0.125)
    log.finished(one, one, 1)
    log.finished(zero, one, 2)
    log.finished(failed(2), one, 3)
    log.learned({"update": 1, "mean_reward": 0.1875, "loss": -1.5})
    best = complete(3, 0.5)
    log.finished(best, best, 4)
    log.ended(best, 4, 8.0)


def test_scalars(tmp_path):
    watch(VisualDLLog(), tmp_path)
    folder = tmp_path / "vdl"
    assert points(folder, "search/reward") == [(1, 0.25), (0, 0.125), (3, 0.5)]
    assert points(folder, "search/best") == [(1, 0.25), (2, 0.25), (3, 0.25), (4, 0.5)]
    assert points(folder, "search/failed") == [(1, 0), (2, 0), (3, 1), (4, 1)]
    assert points(folder, "agent/mean_reward") == [(1, 0.1875)]
    assert points(folder, "agent/loss") == [(1, -1.5)]
    assert "agent/update" not in read(folder).get_tags()["scalar"]
    assert points(folder / "trials/0001", "epoch/loss") == [(1, 2.0)]
    assert points(folder / "trials/0001", "epoch/accuracy") == [(1, 0.1)]
    assert [path.name for path in (folder / "trials").iterdir()] == ["0001"]


def test_an_error_stands_under_its_own_name_and_the_best_is_the_lowest(tmp_path):
    learned = {"Evaluator": {"name": "TrainEvaluator"}, "Data": {"name": "NextValue"}}
    log = VisualDLLog()
    log.started(replace(run_info(tmp_path), config={**CONFIG, **learned}))
    first, pruned = complete(0, -0.5), replace(complete(1, -0.75), state=TrialState.PRUNED)
    log.finished(first, first, 1)
    log.finished(pruned, first, 2)
    log.learned({"update": 1, "mean_accuracy": -0.5})
    log.ended(first, 2, 1.0)
    folder = tmp_path / "vdl"
    assert points(folder, "search/absolute_error") == [(0, 0.5)]
    assert points(folder, "search/pruned_absolute_error") == [(1, 0.75)]
    assert points(folder, "search/best") == [(1, 0.5), (2, 0.5)]
    assert points(folder, "agent/mean_mae") == [(1, 0.5)]
    assert "search/reward" not in read(folder).get_tags()["scalar"]


def test_pruned_and_reused_trials_have_tags_of_their_own(tmp_path):
    best = complete(0, 0.5)
    curve = ({"loss": 2.0},)
    pruned = [
        Trial(i, best.architecture, TrialState.PRUNED, Evaluation(0.25, {}, curve, 0.5))
        for i in (1, 3)
    ]
    reused = Trial(2, best.architecture, TrialState.COMPLETE, best.evaluation, "result of trial 0")
    log = VisualDLLog()
    log.started(run_info(tmp_path))
    for done, trial in enumerate((best, pruned[0], reused), start=1):
        log.finished(trial, best, done)
    log.ended(best, 3, 1.0)
    log = VisualDLLog()
    # a kill before the last record of a trial: it is told again, and counted once
    log.started(run_info(tmp_path, finished=3, best=best, latest=reused))
    log.finished(pruned[1], best, 4)
    log.ended(best, 4, 1.0)
    folder = tmp_path / "vdl"
    assert points(folder, "search/reward") == [(0, 0.5), (2, 0.5)]
    assert points(folder, "search/pruned_reward") == [(1, 0.25), (3, 0.25)]
    assert points(folder, "search/pruned") == [(2, 1), (4, 2)]
    assert points(folder, "search/reused") == [(3, 1)]
    assert points(folder, "search/failed") == [(1, 0), (2, 0), (3, 0), (4, 0)]
    assert points(folder / "trials/0003", "epoch/loss") == [(1, 2.0)]


def priced(trial_id, accuracy, macs):
    pair = CellPair.from_tokens([0, 1], [])
    evaluation = Evaluation(accuracy / 2, {"accuracy": accuracy, "macs": macs})
    return Trial(trial_id, pair, TrialState.COMPLETE, evaluation)


PRICED = {**CONFIG, "Objectives": {"minimise": ["macs"], "limits": {"macs": 9}}}


def front_steps(folder):
    return [picture.id for picture in read(folder / "vdl").get_data("image", "best/front")]


def test_the_front_is_drawn_when_it_changes_but_not_too_often(tmp_path):
    """Trial 1 is beaten by trial 0 and trial 3 has failed; trial 5 comes soon after trial 4."""
    now = [0.0]
    trials = [priced(0, 0.5, 4), priced(1, 0.4, 5), priced(2, 0.4, 2), failed(3)]
    trials += [priced(4, 0.3, 1), priced(5, 0.2, 0.5), priced(6, 0.1, 3)]
    log = VisualDLLog(seconds_between_pictures=5, clock=lambda: now[0])
    log.started(replace(run_info(tmp_path), config=PRICED))
    for done, trial in enumerate(trials, start=1):
        now[0] += 5.0 if trial.id < 5 else 1.0
        log.finished(trial, trials[0], done)
    assert log._trade_off is not None
    assert [log._trade_off.ids[place] for place in log._trade_off.front] == [0, 2, 4, 5]
    log.ended(trials[0], 7, 1.0)
    assert front_steps(tmp_path) == [1, 3, 5, 6]


def test_a_resumed_run_knows_the_front(tmp_path):
    """Of three stored trials the last one beats the others; the fourth is no news."""
    trials = [priced(0, 0.4, 4), priced(1, 0.3, 5), priced(2, 0.5, 2), priced(3, 0.4, 3)]
    with closing(TrialStore(tmp_path / "trials.sqlite")) as store:
        store.propose([Proposal(trial.id, trial.architecture, 0) for trial in trials])
        for trial in trials[:3]:
            store.finish(trial)
    for latest in (trials[2], None):  # its record was lost; it was not
        log = VisualDLLog()
        info = run_info(tmp_path, finished=3, best=trials[2], latest=latest)
        log.started(replace(info, config=PRICED))
        log.finished(trials[3], trials[2], 4)
        log.ended(trials[2], 4, 1.0)
        assert front_steps(tmp_path) == [3]


def test_without_objectives_no_front_is_drawn(tmp_path):
    watch(VisualDLLog(), tmp_path)
    assert read(tmp_path / "vdl").get_tags()["image"] == ["best/cell"]


def test_best_architecture_is_drawn_and_written(tmp_path):
    """The second improvement comes within seconds, so its picture waits for the end."""
    watch(VisualDLLog(seconds_between_pictures=1000), tmp_path)
    reader = read(tmp_path / "vdl")
    pictures = reader.get_data("image", "best/cell")
    assert [picture.id for picture in pictures] == [1, 3]
    with Image.open(io.BytesIO(pictures[-1].image.encoded_image_string)) as picture:
        assert min(picture.size) > 200
    texts = reader.get_data("text", "best/architecture")
    assert [text.id for text in texts] == [1, 3]
    assert decode_text(texts[-1].text.encoded_text_string) == complete(3, 0).architecture


def test_pictures_keep_their_distance(tmp_path):
    seconds = iter(range(100))
    now = [0.0]
    log = VisualDLLog(seconds_between_pictures=5, clock=lambda: now[0])
    log.started(run_info(tmp_path))
    for trial_id in range(10):
        now[0] = 2.0 * next(seconds)  # an improvement every two seconds
        trial = complete(trial_id, float(trial_id))
        log.finished(trial, trial, trial_id + 1)
    log.ended(trial, 10, 20.0)
    pictures = read(tmp_path / "vdl").get_data("image", "best/cell")
    assert [picture.id for picture in pictures] == [0, 3, 6, 9]


def test_visualdl_itself_shows_settings_with_their_result(tmp_path):
    """Through the functions of VisualDL's server, in a process of its own: they keep state."""
    watch(VisualDLLog(), tmp_path)
    program = (
        "import json, sys; from visualdl import LogReader; from visualdl.server import lib\n"
        "reader = LogReader(sys.argv[1])\n"
        "print(json.dumps([lib.get_hparam_list(reader), reader.runs()]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "vdl")],
        capture_output=True,
        text=True,
        check=True,
    )
    (entry,), runs = json.loads(done.stdout)
    assert entry["hparams"]["Search/max_trials"] == 4
    assert entry["hparams"]["Global/plugins"] == "[]"
    assert "Search/note" not in entry["hparams"]
    assert entry["metrics"] == {"search/best": 0.5}
    assert sorted(runs) == [str(tmp_path / "vdl"), str(tmp_path / "vdl/trials/0001")]


def test_resume_continues(tmp_path):
    watch(VisualDLLog(), tmp_path)
    best = complete(3, 0.5)
    log = VisualDLLog()
    log.started(run_info(tmp_path, finished=4, best=best))
    log.learned({"update": 1, "mean_reward": 0.1875, "loss": -1.5})  # told again
    log.finished(failed(4), best, 5)
    log.finished(complete(5, 0.4), best, 6)
    log.ended(best, 6, 1.0)
    folder = tmp_path / "vdl"
    assert points(folder, "search/failed")[-2:] == [(5, 2), (6, 2)]
    assert points(folder, "search/best") == [
        (1, 0.25),
        (2, 0.25),
        (3, 0.25),
        (4, 0.5),
        (5, 0.5),
        (6, 0.5),
    ]
    assert len(points(folder, "agent/loss")) == 1
    assert len(read(folder).get_data("image", "best/cell")) == 2


def test_curves_of_the_first_trials_and_of_every_new_best(tmp_path):
    """Rewards rise at trials 0, 5 and 9; the first two trials are drawn in any case."""
    log = VisualDLLog(curves=2)
    log.started(run_info(tmp_path))
    best = None
    for trial_id, reward in enumerate((0.2, 0.1, 0.1, 0.1, 0.2, 0.3, 0.3, 0.1, 0.0, 0.4)):
        trial = complete(trial_id, reward, [{"loss": 1.0}])
        best = trial if best is None or reward > best.reward else best
        log.finished(trial, best, trial_id + 1)
    log.ended(best, 10, 1.0)
    folder = tmp_path / "vdl"
    drawn = sorted(path.name for path in (folder / "trials").iterdir())
    assert drawn == ["0000", "0001", "0005", "0009"]
    assert len(points(folder, "search/reward")) == 10


def test_a_trial_whose_curve_a_kill_cut_short_is_logged_again(tmp_path, monkeypatch):
    """Whatever of a trial is missing after a kill, resuming adds it, once."""

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    first, second = complete(0, 0.25, [{"loss": 2.0}]), complete(1, 0.5, [{"loss": 1.0}])
    log = VisualDLLog()
    log.started(run_info(tmp_path))
    log.finished(first, first, 1)
    with monkeypatch.context() as patch:
        patch.setattr("autodl.runs.event_log.os.replace", killed)
        with pytest.raises(Killed):
            log.finished(second, second, 2)
    log._log.close()
    log = VisualDLLog()
    log.started(run_info(tmp_path, finished=2, best=second, latest=second))
    log.ended(second, 2, 1.0)
    folder = tmp_path / "vdl"
    assert points(folder / "trials/0001", "epoch/loss") == [(1, 1.0)]
    assert points(folder, "search/reward") == [(0, 0.25), (1, 0.5)]
    assert points(folder, "search/failed") == [(1, 0), (2, 0)]
    assert [text.id for text in read(folder).get_data("text", "best/architecture")] == [0, 1]


def test_space_without_drawing_still_gets_its_text(tmp_path, caplog):
    class Chain:
        def to_json(self):
            return {"kind": "lattice", "version": 1}

    trial = Trial(0, Chain(), TrialState.COMPLETE, Evaluation(1.0))
    log = VisualDLLog()
    log.started(run_info(tmp_path))
    log.finished(trial, trial, 1)
    log.ended(trial, 1, 1.0)
    tags = read(tmp_path / "vdl").get_tags()
    assert tags["text"] == ["best/architecture"]
    assert "image" not in tags
    assert not caplog.records


def test_visualdl_is_imported_late_and_may_be_missing(tmp_path):
    program = (
        "import sys; from pathlib import Path\n"
        "from autodl.search.observers.visualdl_log import VisualDLLog\n"
        "from autodl.search.observers.observer import RunInfo\n"
        "log = VisualDLLog()\n"
        "assert not {'visualdl', 'matplotlib', 'rich', 'paddle'} & set(sys.modules)\n"
        "sys.modules['visualdl'] = None\n"
        "log.started(RunInfo(Path(sys.argv[1]), {}, 1, 1))\n"
        "log.learned({'update': 1, 'loss': 2.0})\n"
        "log.ended(None, 0, 0.0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "events.jsonl" in done.stderr
    events = [json.loads(line) for line in (tmp_path / "vdl/events.jsonl").open()]
    assert events[-1] == {"kind": "scalar", "tag": "agent/loss", "step": 1, "value": 2.0}


def test_errors_of_its_own_stop_nothing(tmp_path, caplog, monkeypatch):
    log = VisualDLLog()
    log.started(run_info(tmp_path))
    log.learned({"no update": 1.0})
    log.learned({"update": 1, "loss": "no number"})  # type: ignore[dict-item]
    monkeypatch.setattr("autodl.drawing.figures.to_pixels", lambda _: 1 / 0)
    best = complete(3, 0.5)
    log.finished(best, best, 1)
    log.ended(best, 1, 1.0)
    assert len(caplog.records) == 1
    assert points(tmp_path / "vdl", "search/reward") == [(3, 0.5)]


def test_calls_before_the_start_do_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = VisualDLLog()
    log.finished(complete(1, 0.5), None, 1)
    log.learned({"update": 1})
    log.ended(None, 0, 0.0)
    assert not log.warned
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("trials, shown", [(40, True), (20, False)])
def test_the_decisions_that_mattered_are_shown_at_the_end(tmp_path, monkeypatch, trials, shown):
    monkeypatch.undo()  # in other tests they are not looked for
    options = ["Strategy={name: RandomSearch}", f"Search.max_trials={trials}"]
    run_search(load_search("search/cell-agent-table.yaml", options), tmp_path / "run")
    reader = read(tmp_path / "run" / "vdl")
    pictures, texts = (reader.get_tags().get(kind, []) for kind in ("image", "text"))
    assert ("best/decisions" in pictures, "best/decisions_text" in texts) == (shown, shown)
    if shown:
        (text,) = reader.get_data("text", "best/decisions_text")
        assert text.id == trials
        assert re.search(r"^\d\.\d{3}  node 0$", text.text.encoded_text_string, re.MULTILINE)
