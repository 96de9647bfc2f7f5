"""The test set: read once, on the data of the training, and counted by hand."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autodl.data.load import load, load_split
from autodl.data.views import six_views
from autodl.errors import CheckpointError, ConfigError, DataError, StoreError
from autodl.jobs.train import (
    final_test,  # not its functions: pytest would take test_result for a test
)
from autodl.jobs.train.final_test import measure_once
from autodl.jobs.train.run import retrain
from autodl.recipes.config import load_train
from autodl.system import files
from autodl.trained.network import load_trained_network
from autodl.trained.test_record import keep_test
from autodl.trained.test_result import gain_interval, result_lines, wilson_interval
from autodl.training.metrics import logits_of


@pytest.fixture
def trained(small_training, tmp_path):
    return Path(shutil.copytree(small_training.folder, tmp_path / "trained"))


@pytest.mark.parametrize("right, count, low, high", [(81, 263, 0.2553, 0.3662), (0, 20, 0, 0.1611)])
def test_interval_against_published_values(right, count, low, high):
    """Newcombe (1998), table I, method 3, gives four digits."""
    assert wilson_interval(right, count) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("count", [1, 200, 1000, 2000, 10_000])
def test_an_interval_stays_a_share_where_all_or_none_are_right(count):
    low, high = zip(*(wilson_interval(right, count) for right in (0, count)), strict=True)
    assert 0 <= low[0] < 1e-15  # middle less reach, which are equal but for rounding
    assert 1 - 1e-15 < high[1] <= 1


def test_the_interval_of_a_gain_by_hand():
    """13 pictures that the first alone knows, 9 that the second alone does, of 100."""
    first, second = np.arange(100) < 13, (np.arange(100) >= 13) & (np.arange(100) < 22)
    low, high = gain_interval(first, second)
    middle, reach = 4 / 102, 1.96 * np.sqrt(23 - 16 / 102) / 102
    assert (low, high) == pytest.approx((middle - reach, middle + reach), rel=1e-14)
    assert gain_interval(second, first) == pytest.approx((-high, -low), rel=1e-14)
    assert gain_interval(first, first) == pytest.approx((-1.96 / 102, 1.96 / 102), rel=1e-14)


def test_the_interval_of_a_gain_holds_the_true_one_in_95_of_100_draws():
    """Of 2,000 draws of 500 pictures, with a standard error of 0.5 %."""
    rng = np.random.default_rng(0)
    cells = rng.choice(4, (2000, 500), p=[0.85, 0.05, 0.03, 0.07])  # both, first, second, neither
    bounds = [gain_interval(row <= 1, (row == 0) | (row == 2)) for row in cells]
    held = np.mean([low <= 0.02 <= high for low, high in bounds])
    assert held == pytest.approx(0.95, abs=0.015)  # three standard errors


def test_result_counted_by_hand():
    """Rows: right, wrong, right by the first of equal logits; class c has no picture."""
    logits = np.log([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25], [0.4, 0.4, 0.2]])
    result = final_test.test_result(logits, np.array([0, 1, 0]), ("a", "b", "c"))
    assert result["accuracy"] == pytest.approx(2 / 3)
    assert result["interval"] == pytest.approx(wilson_interval(2, 3))
    # the rows are probabilities already; float64 rounding
    assert result["loss"] == pytest.approx(-np.log(0.7 * 0.25 * 0.4) / 3, rel=1e-12)
    assert result["pictures"] == 3
    assert result["per_class"] == {"a": 1.0, "b": 0.0, "c": None}
    assert json.dumps(result)


def test_test_set_is_read_once(trained, monkeypatch):
    first = measure_once(trained)
    assert first["on_record"] is False
    assert first["pictures"] == 200
    assert first["data"] == "cifar10-mini"
    assert first["official"] is False
    hits = [share * 20 for share in first["per_class"].values()]
    assert sum(hits) / 200 == pytest.approx(first["accuracy"], abs=1e-12)

    def forbidden(options):
        raise AssertionError("the test set was read again")

    monkeypatch.setattr(final_test, "load", forbidden)
    assert measure_once(trained) == {**first, "on_record": True}


def test_a_record_that_was_deleted_is_written_again(trained, monkeypatch):
    """The manifest says what was found; the test set is not read a second time."""
    first, record = measure_once(trained), trained / "test.json"
    written = record.read_bytes()
    record.unlink()
    monkeypatch.setattr(final_test, "load", None)
    assert measure_once(trained) == {**first, "on_record": True}
    assert record.read_bytes() == written


def test_a_record_that_was_changed_is_refused(trained):
    first = measure_once(trained)
    changed = {k: v for k, v in first.items() if k != "on_record"} | {"accuracy": 0.99}
    (trained / "test.json").write_text(json.dumps(changed))
    with pytest.raises(StoreError, match=r"test\.json and .*run\.json give different results"):
        measure_once(trained)


def test_a_test_whose_result_cannot_be_kept_is_not_begun(trained, monkeypatch):
    monkeypatch.setattr(final_test, "load", None)
    monkeypatch.setattr(files.os, "access", lambda place, mode: False)
    with pytest.raises(StoreError, match="the result of the test is kept there"):
        measure_once(trained)


def test_other_weights_are_measured_anew(trained):
    first = measure_once(trained)
    record = {**first, "accuracy": 2.0, "weights_sha256": "of others"}
    keep_test(trained, record)
    again = measure_once(trained)
    assert {**again, "time": first["time"]} == first


def test_a_test_set_with_training_pictures_is_refused(trained, monkeypatch):
    """The classes are the same; the pictures to test on are those that were trained on."""
    load = final_test.load

    def overlapping(options):
        dataset = load(options)
        return replace(dataset, test=dataset.train)

    monkeypatch.setattr(final_test, "load", overlapping)
    with pytest.raises(DataError, match=r"give the same data by -o Data\.path=") as caught:
        measure_once(trained)
    manifest = json.loads((trained / "run.json").read_text())
    assert manifest["identity"]["Pictures"]["checksum"][:12] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (trained / "test.json").exists()


@pytest.mark.parametrize(
    "override",
    ["Data.classes=5", "Data.name=cifar10", "Data={name: npz}", "Network.width=8", "nonsense"],
)
@pytest.mark.parametrize("on_record", [False, True])
def test_only_place_and_device_may_change(trained, override, on_record):
    if on_record:
        (trained / "test.json").write_text('{"weights_sha256": "any"}')
    with pytest.raises(
        ConfigError, match=r"Data\.path, Data\.test_path and Global\.device alone"
    ) as caught:
        measure_once(trained, ["Global.device=cpu", override])
    assert override in str(caught.value)


def test_the_device_may_change(trained):
    assert measure_once(trained, ["Global.device=auto"])["pictures"] == 200


def test_a_manifest_without_a_checksum(trained):
    (trained / "run.json").write_text('{"identity": {"Pictures": null}, "starts": []}')
    with pytest.raises(StoreError, match="does not say which pictures"):
        measure_once(trained)


def test_missing_and_damaged_weights(trained):
    weights = trained / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cannot read the weights"):
        measure_once(trained)
    weights.unlink()
    with pytest.raises(CheckpointError, match="cannot read the weights"):
        measure_once(trained)
    assert not (trained / "test.json").exists()


def test_a_damaged_record_is_not_overwritten(trained):
    (trained / "test.json").write_text("{half")
    with pytest.raises(StoreError, match=r"cannot read .*test\.json"):
        measure_once(trained)
    assert (trained / "test.json").read_text() == "{half"


def test_a_folder_without_a_training(tmp_path):
    with pytest.raises(StoreError, match="no finished training"):
        measure_once(tmp_path)


def test_six_views_are_measured_beside(small_training, trained, tmp_path):
    """The accuracies of both parts are those of means over the six; the one of one view stays."""
    config = load_train(small_training.config_file, ["Evaluation.six_views=true"])
    result = retrain(config, small_training.architecture, tmp_path / "run")
    plain = small_training.result.metrics
    assert result.metrics["held_out_accuracy"] == plain["held_out_accuracy"]
    views, data = load_trained_network(tmp_path / "run"), load_split(config.data)
    six = {}
    for part, pictures in (("held_out", data.held_out), ("test", load(config.data).test)):
        logits = logits_of(views.network, pictures, views.normalisation, views=six_views)
        six[part] = float((logits.argmax(axis=1) == pictures.labels).mean())
    assert result.metrics["held_out_accuracy_six_views"] == six["held_out"]
    found = measure_once(tmp_path / "run")
    assert found["six_views"]["accuracy"] == six["test"]
    assert found["accuracy"] == measure_once(trained)["accuracy"]
    assert "one_view" not in found  # it is the accuracy
    line = f"  of six views: {six['test']:.4f} (95 %: "
    assert any(text.startswith(line) for text in result_lines("run", found))


def test_one_view_is_measured_beside_two(small_training, trained, tmp_path):
    """The same network as ``trained``, of which one view was asked for; each view is seen once."""
    config = load_train(
        small_training.config_file, ["Evaluation={mirrored: true, six_views: true}"]
    )
    result = retrain(config, small_training.architecture, tmp_path / "run")
    found = measure_once(tmp_path / "run")
    one = measure_once(trained)
    assert found["one_view"] == {name: one[name] for name in found["one_view"]}
    network, pictures = load_trained_network(tmp_path / "run"), load(config.data).test
    logits = logits_of(network.network, pictures, network.normalisation, mirrored=True)
    assert found["accuracy"] == (logits.argmax(axis=1) == pictures.labels).mean()
    assert result.metrics["mirrored"] is True
    assert "  of one view: " in "\n".join(result_lines("run", found))
