"""A plugin's own task, trained, tested once and asked about: its error is shown as one."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from autodl.config.components import register, table
from autodl.config.reading import RawConfig
from autodl.errors import ConfigError, DataError
from autodl.jobs.train.final_test import measure_once
from autodl.jobs.train.run import retrain
from autodl.plans.signature import Signature
from autodl.recipes.config import resolve_train
from autodl.runs.folder import update_manifest
from autodl.spaces.fixed import FixedArchitecture
from autodl.tasks.in_memory import Examples
from autodl.tasks.options import TaskOptions
from autodl.tasks.task import Metric
from autodl.trained.network import best_trained, load_trained_network
from autodl.trained.series import load_any_network
from autodl.trained.test_result import result_lines

HERTZ = Metric("hertz", "hertz off", higher_is_better=False)


class Options(TaskOptions):
    metric: ClassVar[Metric] = HERTZ
    name: str = "Tones"


class Tones:
    goal, metric, examples, headline = "regression", HERTZ, "tones", "tones"
    signature = Signature((1, 8), (1,), {"channels": 1, "length": 8, "outputs": 1})
    seeds: ClassVar = {"train": 0, "held_out": 1, "test": 2}

    def __init__(self, test=False, name="a"):
        self.test, self.told = test, name

    def count(self, part):
        return 16 if part == "train" else 5

    def batches(self, part, size, drawing=None):
        wanted = "test" if self.test and part == "held_out" else part
        rng = np.random.default_rng(self.seeds[wanted])
        values = rng.normal(size=(self.count(part), 1, 8)).astype("float32")
        yield from Examples(values, values.mean(axis=2)).batches(size, drawing)

    def views(self, inputs):
        return (inputs,)

    def identity(self):
        return {"checksum": self.told}

    def record(self):
        return {}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    register("Data", "Tones", Options, lambda options, *, test=False: Tones(test))
    folder = tmp_path_factory.mktemp("tones") / "net"
    config = resolve_train(
        RawConfig(
            {
                "Global": {"seed": 0, "device": "cpu"},
                "Network": {"name": "SequenceResNet", "width": 4},
                "Data": {"name": "Tones"},
                "Train": {"epochs": 1, "batch_size": 8, "pad_crop": 0, "flip": "none"},
            }
        )
    )
    lines: list[str] = []
    done = retrain(config, FixedArchitecture(), folder, progress=lines.append)
    yield folder, done, lines
    table("Data").pop("Tones")


def test_the_error_is_shown_and_the_lower_one_is_the_better(trained):
    folder, done, lines = trained
    assert "held-out hertz off: " in lines[1]
    assert done.reward == -done.metrics["held_out_hertz"]
    assert best_trained(folder.parent) == folder


def test_the_test_part_is_measured_once_by_the_tasks_own_metric(trained):
    folder, done, _ = trained
    found = measure_once(folder)
    assert found["hertz"] != done.metrics["held_out_hertz"]  # other tones
    (line,) = result_lines("net", found)
    assert f"test hertz off {found['hertz']:.4f} (lower is better)" in line
    assert "5 tones of Tones" in line
    assert measure_once(folder)["on_record"]


def test_other_examples_than_those_of_the_training_are_refused(trained):
    folder, _, _ = trained
    (folder / "test.json").unlink(missing_ok=True)
    update_manifest(folder, test=None)
    entry = table("Data").pop("Tones")
    try:
        register("Data", "Tones", Options, lambda options, *, test=False: Tones(test, "b"))
        with pytest.raises(DataError, match="Tones is not what the network was trained on"):
            measure_once(folder)
    finally:
        table("Data")["Tones"] = entry


def test_nobody_but_the_plugin_reads_files_for_it(trained):
    folder, _, _ = trained
    with pytest.raises(ConfigError, match="Tones, a plugin's own task: the plugin alone can read"):
        load_any_network(folder)
    with pytest.raises(ConfigError, match=r"for pictures in classes, and Data\.name is Tones"):
        load_trained_network(folder)
