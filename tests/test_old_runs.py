"""Runs of an earlier release: reported, gone on with, retrained, exported, inferred from.

``old_runs`` was made by release 0.1.0 before its code was put into rooms: two searches, the best of
the second one trained, that network compressed, and a width search. Nothing in it may be changed.
"""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from autodl.compression.bits.packed_network import load_packed_weights
from autodl.data.load import load_split
from autodl.jobs.compress.config import load_compress
from autodl.jobs.compress.run import compress
from autodl.jobs.export import export
from autodl.jobs.release.publish import publish
from autodl.jobs.search.run import run_search
from autodl.jobs.train.run import best_of_run, retrain
from autodl.jobs.width.config import load_width
from autodl.jobs.width.run import run_width_search
from autodl.recipes.config import load_train
from autodl.release import load
from autodl.reports.run import read_run, summary_lines
from autodl.runs.folder import CONFIG, METRICS, TRIALS, read_manifest
from autodl.runs.store import TrialStore
from autodl.search.config import load_search
from autodl.trained.folder import load_trained
from autodl.trained.network import load_trained_network
from autodl.training.metrics import logits_of

STORED = Path(__file__).parent / "old_runs"
ONE_PICTURE = 1 / 40  # of the held-out ones; other processors sum in another order


@pytest.fixture
def old(tmp_path):
    return Path(shutil.copytree(STORED, tmp_path / "old"))


def results(folder):
    with closing(TrialStore(folder / TRIALS, read_only=True)) as store:
        return [(t.id, t.state, t.architecture, t.reward, t.reason) for t in store.trials()]


def accuracy_of(trained, pictures):
    logits = logits_of(trained.network, pictures, trained.normalisation)
    return np.mean(logits.argmax(axis=1) == pictures.labels)


@pytest.mark.parametrize(
    "name, trials, reward, front", [("agent", 14, 4.0, None), ("halving", 8, 0.675, 5)]
)
def test_they_are_reported(old, name, trials, reward, front):
    report = read_run(old / name)
    assert len(report["trials"]) == trials == report["manifest"]["finished_trials"]
    assert report["best"]["reward"] == pytest.approx(reward)
    assert report["front"] is None if front is None else report["front"][0]["id"] == front
    assert summary_lines(report)


@pytest.mark.parametrize("name, wanted", [("agent", 22), ("halving", 10)])
def test_searches_go_on_with_more_trials(old, name, wanted):
    """The agent's from the snapshot after 10 trials; what is finished stays as it is."""
    folder, before = old / name, results(old / name)
    config = load_search(folder / CONFIG, [f"Search.max_trials={wanted}"])
    assert run_search(config, folder, resume=True).finished == wanted
    assert results(folder)[: len(before)] == before
    assert len(read_manifest(folder)["starts"]) == 2
    assert not list(folder.glob(f"{TRIALS}-*"))


def test_their_results_are_reused(old, tmp_path):
    """So what makes equal work equal is what it was."""
    config = load_search(
        old / "halving" / CONFIG,
        ["Fidelity=null", f"Search.cache=[{old / 'halving'}]", "Search.max_trials=2"],
    )
    assert run_search(config, tmp_path / "new").finished == 2


def test_their_best_is_trained_anew(old, tmp_path):
    (trained,) = (old / "trained").iterdir()
    ((name, architecture),) = best_of_run(old / "halving", top=1)
    assert name == trained.name
    config, known, _ = load_trained(trained)
    assert architecture == known
    assert retrain(config, architecture, tmp_path / "new").metrics["epochs"] == 2


def test_a_finished_training_is_read_and_an_interrupted_one_goes_on_from_its_checkpoint(old):
    (trained,) = (old / "trained").iterdir()
    before = json.loads((trained / METRICS).read_text())
    lines = []
    config, architecture, _ = load_trained(trained)
    assert retrain(config, architecture, trained, resume=True).metrics == before
    (trained / METRICS).unlink()
    again = retrain(config, architecture, trained, resume=True, progress=lines.append)
    assert lines[1:] == ["resumed after epoch 2"]
    assert again.metrics["curve"] == before["curve"]
    found, expected = again.metrics["held_out_accuracy"], before["held_out_accuracy"]
    assert found == pytest.approx(expected, abs=ONE_PICTURE)


def test_a_trained_network_is_exported_released_and_predicts(old, tmp_path):
    (trained,) = (old / "trained").iterdir()
    config, _, metrics = load_trained(trained)
    data = load_split(config.data)
    found = load_trained_network(trained)
    accuracy = accuracy_of(found, data.held_out)
    assert accuracy == pytest.approx(metrics["held_out_accuracy"], abs=ONE_PICTURE)
    assert export(trained, tmp_path / "exported").files
    publish(trained, tmp_path / "models" / "old", found_by="a search", repetitions=0)
    prediction = load("old", models=tmp_path / "models").predict(data.held_out.images)
    right = np.mean(prediction.labels == data.held_out.labels)
    assert right == pytest.approx(accuracy, abs=ONE_PICTURE)


def test_a_finished_compression_is_known_as_the_one_asked_for(old):
    """It has options on record that identities now leave out, as they are at their defaults."""
    (trained,) = (old / "trained").iterdir()
    folder = old / "compressed"
    assert "branches" in read_manifest(folder)["identity"]["FineTuning"]
    before = json.loads((folder / METRICS).read_text())
    after = compress(load_compress(folder / CONFIG), str(trained), folder, resume=True)
    assert {key: after[key] for key in before} == before
    assert after["held_out_accuracy"] == before["accuracy_after"]  # what opening it takes is added
    found = load_trained_network(trained)
    load_packed_weights(found.network, folder / "packed.safetensors")
    found.network.eval()
    data = load_split(load_train(trained / CONFIG).data)
    accuracy = accuracy_of(found, data.held_out)
    assert accuracy == pytest.approx(before["accuracy_after"], abs=ONE_PICTURE)


def test_a_finished_width_search_is_read(old):
    folder = old / "width"
    found = run_width_search(load_width(folder / CONFIG), folder, resume=True)
    metrics = json.loads((folder / METRICS).read_text())
    assert (found.macs, found.accuracy) == (metrics["macs"], metrics["accuracy"])
