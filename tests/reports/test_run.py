"""A run as data: counts, ranking and failures."""

import json
from contextlib import closing

import numpy as np
import pytest

from autodl.errors import StoreError
from autodl.reports.run import describe_inheritance, failures, name_ids, read_run, summary_lines
from autodl.runs.store import Proposal, TrialStore
from autodl.spaces.cell.space import CellSpace
from autodl.system.files import write_json
from autodl.trial import Evaluation, Trial, TrialState


@pytest.fixture
def run(tmp_path):
    """Four proposals: rewards 0.25, failed, 0.5, and one that is not finished."""
    space = CellSpace(nodes=3)
    proposals = [Proposal(i, space.sample(np.random.default_rng(i)), 0) for i in range(4)]
    with closing(TrialStore(tmp_path / "trials.sqlite")) as store:
        store.propose(proposals)
        for i, reward in ((0, 0.25), (2, 0.5)):
            evaluation = Evaluation(reward, {"parameters": 1500, "macs": 2.5e6, "epochs": 3})
            architecture = proposals[i].architecture
            store.finish(Trial(i, architecture, TrialState.COMPLETE, evaluation, seconds=1.5))
        failed = Trial(1, proposals[1].architecture, TrialState.FAILED, reason="it burnt")
        store.finish(failed)
    write_json(tmp_path / "run.json", {"identity": {}, "starts": []})
    (tmp_path / "config.yaml").write_text("Search: {max_trials: 4}\n")
    return tmp_path


@pytest.fixture(autouse=True)
def plain_pictures():
    """None is left out: one is looked at."""


def test_json_has_every_trial_and_the_best(forked, run):
    report = json.loads(forked("report", run, "--json").out)
    assert [t["id"] for t in report["trials"]] == [0, 1, 2, 3]
    assert [t["state"] for t in report["trials"]] == ["COMPLETE", "FAILED", "COMPLETE", "PROPOSED"]
    assert [t["reward"] for t in report["trials"]] == [0.25, None, 0.5, None]
    assert [t["reason"] for t in report["trials"]] == ["", "it burnt", "", ""]
    assert [t["seconds"] for t in report["trials"]] == [1.5, 0.0, 1.5, 0.0]
    assert report["best"] == report["trials"][2]
    assert report["best"]["architecture"]["kind"] == "cell_pair"


def test_summary_ranks_and_gives_reasons(run):
    lines = summary_lines(read_run(run), top=1)
    assert lines[0].endswith("4 trials (1 PROPOSED, 2 COMPLETE, 1 FAILED)")
    assert lines[1] == "reward: mean 0.3750, best 0.5000, worst 0.2500"
    assert lines[3].split()[:3] == ["1", "2", "0.5000"]
    assert "1.5 k parameters, 2.50 M MACs" in lines[3]
    assert lines[4:] == ["trial 1 FAILED: it burnt"]


def test_several_objectives(run):
    (run / "config.yaml").write_text(
        "Objectives: {minimise: [parameters, macs]}\nTrain: {epochs: 9}\n"
    )
    report = read_run(run)
    assert report["objectives"] == {"minimise": ["parameters", "macs"]}
    assert report["epochs"] == 9
    assert report["front"] == [{"id": 2, "reward": 0.5, "parameters": 1500, "macs": 2.5e6}]
    assert summary_lines(report)[-4:-1] == [
        "Pareto front of 1:",
        "trial  reward  parameters       macs",
        "    2  0.5000       1,500  2,500,000",
    ]


def test_without_objectives_there_is_no_front(run):
    report = read_run(run)
    assert (report["objectives"], report["front"], report["epochs"]) == (None, None, None)


def test_pruned_and_reused_trials_are_counted():
    def trial(trial_id, state, reward, **changes):
        values = {"id": trial_id, "state": state, "reward": reward, "fidelity": 1.0, "reason": ""}
        reused = bool(changes.get("reason"))
        return {**values, "seconds": 1.0, "metrics": {}, "reused": reused, **changes}

    trials = [
        trial(0, "COMPLETE", 0.5),
        trial(1, "COMPLETE", 0.5, reason="result of trial 0"),
        trial(2, "PRUNED", 0.9, fidelity=1 / 3),
        trial(3, "PRUNED", 0.1, fidelity=1 / 9, reason="result of trial 4"),
        trial(4, "PRUNED", 0.2, fidelity=1 / 9),
    ]
    lines = summary_lines({"run": "r", "trials": trials, "front": None, "epochs": 9})
    assert lines[:4] == [
        "run r: 5 trials (3 PRUNED, 2 COMPLETE)",
        "reward: mean 0.5000, best 0.5000, worst 0.5000",
        "pruned: 2 at 1 of 9 epochs, 1 at 3 of 9 epochs",
        "reused: 2 took over the result of an equal architecture",
    ]
    assert [line.split()[1] for line in lines[5:]] == ["0", "1"]
    assert lines[-1].endswith("(result of trial 0)")


def test_what_children_have_inherited_is_told():
    def trial(trial_id, parent, share, epochs):
        numbers = {"inherited_fraction": share, "effective_epochs": epochs, "epochs": 2.0}
        values = {"id": trial_id, "state": "COMPLETE", "reward": 0.5, "fidelity": 1.0}
        values |= {"reason": "", "reused": False}
        return {**values, "seconds": 1.0, "parent": parent, "metrics": numbers}

    trials = [trial(0, None, 0.0, 2.0), trial(1, 0, 0.9, 4.0), trial(2, 1, 0.0, 2.0)]
    report = {"run": "r", "trials": trials, "front": None, "epochs": 2}
    assert describe_inheritance(report) == (
        "2 children have 45% of their weights from their parents on average, and up to 4 epochs in"
        " all; nothing was there to inherit for trial 2"
    )
    lines = summary_lines(report)
    assert f"inherited: {describe_inheritance(report)}" in lines
    assert lines[-2].endswith("2 epochs, 4 with the inherited")
    assert describe_inheritance({"trials": trials[:1]}) == ""


def test_a_report_tells_the_parents(run):
    with closing(TrialStore(run / "trials.sqlite")) as store:
        architecture = store.trial(0).architecture
        store.propose([Proposal(4, architecture, 0, parent=2)])
    assert [trial["parent"] for trial in read_run(run)["trials"]] == [None] * 4 + [2]


def test_failures_that_differ_in_numbers_are_one():
    reasons = ["no", "loss 2.5e-3 in epoch 3.", "loss inf in epoch 3.", "loss 12 in epoch 4."]
    trials = [{"id": i, "state": "FAILED", "reason": text} for i, text in enumerate(reasons)]
    trials += [{"id": 9, "state": "COMPLETE", "reason": "no"}]
    assert failures({"trials": trials}) == [
        ("loss 2.5e-3 in epoch 3.", [1, 3]),
        ("no", [0]),
        ("loss inf in epoch 3.", [2]),
    ]
    assert name_ids([3]) == "trial 3"
    assert name_ids(range(11)) == "trials 0, 1, 2, 3, 4, 5, 6, 7 and 3 more"


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"no run\.json"):
        read_run(tmp_path)
    write_json(tmp_path / "run.json", {"identity": {}, "starts": []})
    with pytest.raises(StoreError, match="no trials in"):
        read_run(tmp_path)


def test_a_training_is_no_search(small_training):
    with pytest.raises(StoreError, match=r"is a training, not a search.*`autodl eval "):
        read_run(small_training.folder)


def test_a_run_without_trials_is_reported(tmp_path):
    TrialStore(tmp_path / "trials.sqlite").close()
    write_json(tmp_path / "run.json", {"identity": {}, "starts": []})
    (tmp_path / "config.yaml").write_text("Search: {max_trials: 3}\n")
    report = read_run(tmp_path)
    assert report["best"] is None
    assert summary_lines(report) == [f"run {tmp_path.name}: 0 trials (none)"]


def test_a_run_with_a_plugins_operations_is_read_and_drawn_in_another_process(forked, tmp_path):
    """The README's own plugin: a 7x7 convolution."""
    plugin = tmp_path / "seven.py"
    plugin.write_text(
        "from autodl.spaces.operations import register_operation, same_conv\n"
        "def build(builder, x, name, downsample):\n"
        "    c, s = builder.shape(x)[0], 2 if downsample else 1\n"
        "    return same_conv(builder, x, f'{name}.c', s * c, (7, 7), stride=(s, s))\n"
        "register_operation('conv_7x7', build)\n"
    )
    run = tmp_path / "run"
    searched = forked(
        *("search", "-c", "search/cell-agent-tokens.yaml", "--out", run),
        *("-o", f"Global.plugins=[{plugin}]", "Space.operations=[conv_7x7]"),
        *("Space.nodes=2", "Strategy={name: RandomSearch}", "Search.max_trials=2"),
        "Search.executor=inline",
    )
    told = forked("report", run, "--json")
    drawn = forked("report", run / "best.json", "--out", run / "a.svg", "--plugin", plugin)
    assert [done.code for done in (searched, told, drawn)] == [0, 0, 0]
    trials = json.loads(told.out)["trials"]
    assert trials[0]["architecture"]["normal"]["operations"] == ["conv_7x7", "conv_7x7"]
    assert "conv" in (run / "a.svg").read_text()
