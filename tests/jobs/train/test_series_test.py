"""Networks for series from training to test, prediction and export, on the embedded examples."""

from __future__ import annotations

import json

import numpy as np
import pytest

from autodl.config.reading import RawConfig
from autodl.errors import ConfigError, DataError
from autodl.jobs.compress.config import resolve_compress
from autodl.jobs.compress.run import compress
from autodl.jobs.export import describe, export, export_lines
from autodl.jobs.train.final_test import measure_once
from autodl.jobs.train.run import retrain
from autodl.recipes.config import resolve_train
from autodl.runs.folder import update_manifest
from autodl.spaces.fixed import FixedArchitecture
from autodl.tasks.next_value import LEVEL
from autodl.tasks.sequences import SIGNALS
from autodl.trained.network import best_trained
from autodl.trained.series import load_series_network
from autodl.trained.test_result import result_lines

TRAIN = {"epochs": 1, "batch_size": 64, "learning_rate": 0.02, "pad_crop": 0, "flip": "none"}


def trained(folder, network, data):
    config = resolve_train(
        RawConfig(
            {
                "Global": {"seed": 0, "device": "cpu"},
                "Network": {"name": network, "width": 6},
                "Data": data,
                "Train": TRAIN,
            }
        )
    )
    lines: list[str] = []
    retrain(config, FixedArchitecture(), folder, progress=lines.append)
    return folder, lines


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signals") / "net"
    return trained(folder, "SequenceResNet", {"name": "SequenceClassification"})


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("level") / "net"
    return trained(folder, "SequenceLstm", {"name": "NextValue", "targets": ["level"]})


def test_compression_is_for_pictures(classifier, predictor, tmp_path):
    for folder, _ in (classifier, predictor):
        with pytest.raises(ConfigError, match="compression is for networks for pictures"):
            compress(
                resolve_compress(RawConfig({"Global": {"device": "cpu"}})),
                str(folder),
                tmp_path / "out",
            )
    assert not (tmp_path / "out").exists()


def test_six_views_of_series_are_refused_before_anything_is_written(tmp_path):
    config = resolve_train(
        RawConfig(
            {
                "Network": {"name": "SequenceResNet", "width": 6},
                "Data": {"name": "SequenceClassification"},
                "Train": TRAIN,
                "Evaluation": {"six_views": True},
            }
        )
    )
    with pytest.raises(ConfigError, match=r"six_views=true shifts pictures .* are series; leave"):
        retrain(config, FixedArchitecture(), tmp_path / "net")
    assert not (tmp_path / "net").exists()


def test_lines_of_progress_have_the_metric_of_the_task(classifier, predictor):
    assert "432 + 144 series of 2 x 64, 6 classes" in classifier[1][0]
    assert "top1: " in classifier[1][1]
    assert "held-out mae: " in predictor[1][1]
    assert "windows/s" in predictor[1][1]
    assert "top1" not in predictor[1][1]


def test_the_test_part_of_classes_is_measured_once(classifier):
    folder, _ = classifier
    found = measure_once(folder)
    assert (found["series"], found["on_record"]) == (144, False)
    assert measure_once(folder)["on_record"]
    assert "144 series of signals" in result_lines("net", found)[0]


def test_the_test_part_of_numbers_is_told_as_an_error(predictor):
    folder, _ = predictor
    found = measure_once(folder)
    assert found["windows"] == 568
    std = load_series_network(folder).scale.std[0]
    assert found["per_target"]["level"] == pytest.approx(found["absolute_error"] * std)
    text = "\n".join(result_lines("net", {**found, "on_record": True}))
    assert f"test mae {found['absolute_error']:.4f} standard deviations (lower is better" in text
    assert "accuracy" not in text
    assert "the test set was not read again" in text


def test_other_series_than_those_of_the_training_are_refused(predictor, tmp_path):
    folder, _ = predictor
    with np.load(LEVEL) as stored:
        np.savez(tmp_path / "other.npz", values=stored["values"] + 1, columns=stored["columns"])
    (folder / "test.json").unlink(missing_ok=True)
    update_manifest(folder, test=None)
    with pytest.raises(DataError, match="is not what the network was trained on"):
        measure_once(folder, [f"Data.path={tmp_path / 'other.npz'}"])


def test_classes_of_new_series_are_predicted_with_and_without_their_labels(classifier, tmp_path):
    folder, _ = classifier
    network = load_series_network(folder)
    from_archive = network.predict(SIGNALS)
    assert len(from_archive) == 720
    assert sum(from_archive[0]["top"].values()) == pytest.approx(1)
    with np.load(SIGNALS) as stored:
        np.savez(tmp_path / "new.npz", series=stored["series"][:3])
    assert [found["top"] for found in network.predict(tmp_path / "new.npz")] == [
        pytest.approx(found["top"], abs=1e-5)
        for found in from_archive[:3]  # batches of 3 and 720
    ]
    table = tmp_path / "short.csv"
    table.write_text("label,a,b\ntone,1,2\n")
    with pytest.raises(DataError, match=r"takes series of \[2, 64\] .* got \[1, 2\]"):
        network.predict(table)


def test_channels_of_new_series_are_known_by_their_names(tmp_path, monkeypatch):
    def rows(order):
        values = np.random.default_rng(0).normal([0, 50], size=(30, 8, 2))
        lines = [",".join(("id", "label", *order))]
        for name, series in enumerate(values):
            steps = (dict(zip("xy", step, strict=True)) for step in series)
            lines += [",".join(map(str, (name, "ab"[name % 2], *map(s.get, order)))) for s in steps]
        return "\n".join(lines) + "\n"

    (tmp_path / "xy.csv").write_text(rows("xy"))
    (tmp_path / "yx.csv").write_text(rows("yx"))
    data = {"name": "SequenceClassification", "path": str(tmp_path / "xy.csv"), "series": "id"}
    monkeypatch.setitem(TRAIN, "batch_size", 8)
    trained(tmp_path / "net", "SequenceResNet", data)
    network = load_series_network(tmp_path / "net")
    assert network.interface()["columns"] == ["x", "y"]
    known, turned = (network.predict(tmp_path / f"{order}.csv") for order in ("xy", "yx"))
    assert [found["top"] for found in turned] == [found["top"] for found in known]


def test_the_next_value_follows_the_last_window_in_the_units_of_the_data(predictor, tmp_path):
    folder, _ = predictor
    network = load_series_network(folder)
    (found,) = network.predict(LEVEL)
    with np.load(LEVEL) as stored:
        values = stored["values"].astype(float)
    row = network.compute(values[-32:].T[None])
    expected = row[0, 0] * network.scale.std[0] + network.scale.mean[0]
    assert found["values"] == {"level": pytest.approx(expected)}
    lines = ["wind,level,note", *(f"{wind},{level},x" for level, wind in values[-40:])]
    (tmp_path / "late.csv").write_text("\n".join(lines))
    (again,) = network.predict(tmp_path / "late.csv")
    assert again["values"]["level"] == pytest.approx(expected)
    (tmp_path / "few.csv").write_text("\n".join(lines[:20]))
    with pytest.raises(DataError, match="has 19 steps, the network looks at 32"):
        network.predict(tmp_path / "few.csv")


def test_both_are_exported_as_they_compute(classifier, predictor, tmp_path):
    """``export`` compares the outputs itself, to 1e-4 of the largest."""
    for (folder, _), shape, outputs in ((classifier, (2, 64), 6), (predictor, (2, 32), 1)):
        exported = export(best_trained(folder), tmp_path / str(outputs))
        told = json.loads(json.dumps(describe(exported)))
        assert told["input"]["shape"] == [None, *shape]
        assert told["output"]["shape"] == [None, outputs]
        assert exported.differences["inference"] < 1e-4
    assert told["targets"] == ["level"]
    assert "held_out_absolute_error" in told
    assert "held-out mae" in export_lines(exported)[0]


def test_networks_for_pictures_are_refused(tmp_path):
    from autodl.data.load import load_split
    from autodl.tasks.options import NextValueOptions

    with pytest.raises(ConfigError, match=r"for pictures in classes, and Data\.name is NextValue"):
        load_split(NextValueOptions())
