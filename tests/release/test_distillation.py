"""The term Distillation: its loss, what is kept of the teacher, the run's identity, and errors."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import paddle
import pytest

from autodl.config.reading import RawConfig
from autodl.errors import AutoDLError, CheckpointError, ConfigError, StoreError, UnknownNameError
from autodl.jobs.compress.config import resolve_compress
from autodl.jobs.compress.run import compress
from autodl.jobs.search.parts import load_search
from autodl.jobs.search.run import run_search
from autodl.jobs.train.run import retrain
from autodl.recipes.config import load_train
from autodl.recipes.parts import DistillationOptions
from autodl.recipes.recipe import recipe_of
from autodl.release import distillation
from autodl.release.distillation import FILE, Distillation
from autodl.release.teacher import Teacher, find_teacher
from autodl.runs.folder import read_manifest
from autodl.system.files import checksum
from autodl.system.state import decode_state, encode_state
from autodl.tasks.load import load_task
from autodl.tasks.task import Changes, Drawing
from autodl.trained.spent import core_seconds
from autodl.training.goal import Truth
from autodl.training.goals.classification import Classification
from autodl.training.parallel import ALONE
from autodl.training.setting import Setting
from autodl.training.terms.distillation import softened
from autodl.training.terms.term import Step

PART = 60  # pictures between two lines, of the 200


class Stopped(Exception):
    """Stands for a kill."""


@pytest.fixture(autouse=True)
def _short_parts(monkeypatch):
    monkeypatch.setattr(distillation, "_LEAST", PART)


@pytest.fixture
def train(small_training):
    """Trains the small network for two epochs with a teacher: the unbroken small training."""

    def train(folder, *overrides, until=None, **options):
        term = {"name": "Distillation", "teacher": str(small_training.folder), **options}
        config = load_train(
            small_training.config_file,
            [f"Train.terms={json.dumps([term])}", "Train.epochs=2", *overrides],
        )
        lines = []

        def tell(line):
            lines.append(line)
            if until is not None and until in line:
                raise Stopped

        done = retrain(config, small_training.architecture, folder, resume=True, progress=tell)
        return done, lines

    return train


@pytest.fixture
def asked(monkeypatch):
    """How many pictures the teacher was asked about, call by call."""
    counts, logits = [], Teacher.logits

    def counted(self, images):
        counts.append(len(images))
        return logits(self, images)

    monkeypatch.setattr(Teacher, "logits", counted)
    return counts


@pytest.fixture(scope="module")
def setting(small_training):
    config = load_train(small_training.config_file)
    return Setting(None, load_task(config.data), recipe_of(config.train), 0, ALONE, 1)


@pytest.mark.parametrize("mixup", [0.0, 1.0])
def test_the_loss_becomes_that_of_distillation(setting, small_training, mixup):
    """1e-5: float32. The teacher's pictures are unchanged, whatever the drawing does."""
    options = DistillationOptions(teacher=str(small_training.folder), weight=0.7, temperature=3.0)
    term, goal = Distillation(setting, options), Classification(0.1)
    drawing = Drawing(np.random.default_rng(0), Changes(pad_crop=2, flip="random", mixup=mixup))
    batch = next(iter(setting.task.batches("train", 16, drawing)))
    truth = Truth.of(batch)
    scores = np.random.default_rng(1).normal(size=(16, 10)).astype("float32")
    outputs = paddle.to_tensor(scores)
    step = Step(None, outputs, outputs, truth, goal, ALONE, lambda: None)
    plain = goal.loss(outputs, truth)
    loss = float(plain + term.loss(step))
    said = find_teacher(str(small_training.folder)).logits(setting.task.train.images)
    chances = softened(said, 3.0)
    soft = chances[batch.positions]
    if mixup:
        soft = batch.weight * soft + (1 - batch.weight) * chances[batch.partner_positions]
    own = softened(scores, 3.0).astype(float)
    taught = 9.0 * (soft * np.log(soft / own)).sum(axis=1).mean()
    assert loss == pytest.approx(0.3 * float(plain) + 0.7 * taught, rel=1e-5)


def test_a_weight_of_0_changes_nothing(train, small_training, tmp_path):
    done, _ = train(tmp_path / "run", "Train.epochs=4", weight=0)
    weights = checksum(done.folder / "weights.safetensors")
    assert weights == checksum(small_training.folder / "weights.safetensors")
    for own, plain in zip(
        done.metrics["curve"], small_training.result.metrics["curve"], strict=True
    ):
        assert own["loss"] == plain["loss"]


def test_what_it_takes_is_told_and_counted(train, small_training, tmp_path):
    done, lines = train(tmp_path / "run")
    metrics, first, second = done.metrics, *done.metrics["curve"]
    assert first["teacher_seconds"] == metrics["teacher_seconds"] > 0
    assert "teacher_seconds" not in second
    computed = first["compute_seconds"] + second["compute_seconds"]
    assert core_seconds(metrics) == computed + metrics["teacher_seconds"]
    told = [line.split(":")[1].split(",")[0] for line in lines if line.startswith("[Teacher]")]
    counts = [" 60/200 pictures", " 120/200 pictures", " 180/200 pictures", " 200/200 pictures"]
    assert told[:-1] == counts
    assert told[-1].endswith("of these pictures right")
    assert not any(line.startswith("note:") for line in lines)
    kept = decode_state((done.folder / FILE).read_bytes())
    assert kept["logits"].shape == (200, 10)
    known = read_manifest(done.folder)["identity"]["Teacher"]
    assert known == find_teacher(str(small_training.folder)).identity()


@pytest.mark.parametrize(
    "until, left", [("60/200", [60, 60, 20]), ("180/200", [20]), ("[Epoch 1/", [])]
)
def test_one_that_is_resumed_ends_like_one_that_is_not(train, tmp_path, asked, until, left):
    whole, _ = train(tmp_path / "whole")
    with pytest.raises(Stopped):
        train(tmp_path / "run", until=until)
    asked.clear()
    done, _ = train(tmp_path / "run")
    assert asked == left
    for name in ("weights.safetensors",):
        assert checksum(done.folder / name) == checksum(whole.folder / name)
    assert done.metrics["teacher_seconds"] > 0
    # what is kept was only read where the second epoch began
    assert ["prepared_seconds" in epoch for epoch in done.metrics["curve"]] == [True, False]
    assert [epoch["loss"] for epoch in done.metrics["curve"]] == [
        epoch["loss"] for epoch in whole.metrics["curve"]
    ]


def test_who_asks_again_counts_it_again(train, tmp_path):
    with pytest.raises(Stopped):
        train(tmp_path / "run", until="[Epoch 1/")
    (tmp_path / "run" / FILE).unlink()
    done, lines = train(tmp_path / "run")
    assert f"{FILE} is gone: what it held is done anew" in lines
    spent = [epoch["teacher_seconds"] for epoch in done.metrics["curve"]]
    assert min(spent) > 0
    assert done.metrics["teacher_seconds"] == sum(spent)


def test_what_is_kept_is_checked(train, tmp_path):
    with pytest.raises(Stopped):
        train(tmp_path / "run", until="200/200")
    file = tmp_path / "run" / FILE
    state = decode_state(file.read_bytes())
    rows = state["logits"]
    spoilt = [
        {**state, "logits": np.concatenate([rows, rows[:1]])},
        {**state, "logits": rows[:, :9]},
        {**state, "logits": rows.astype(np.float64)},
        {**state, "of": "{}"},
        {"of": state["of"]},
    ]
    for other in spoilt:
        file.write_bytes(encode_state(other))
        with pytest.raises(CheckpointError, match="of another teacher or of other pictures"):
            train(tmp_path / "run")
    file.write_bytes(encode_state(state)[:-9])
    with pytest.raises(CheckpointError, match=r"cannot go on from .*teacher.*damaged"):
        train(tmp_path / "run")


def test_another_teacher_is_another_run(train, small_training, tmp_path, monkeypatch):
    with pytest.raises(Stopped):
        train(tmp_path / "run", until="[Epoch 1/")
    identity = Teacher.identity

    def other(self):
        return {**identity(self), "weights_sha256": {small_training.folder.name: "0" * 64}}

    monkeypatch.setattr(Teacher, "identity", other)
    with pytest.raises(StoreError, match=r"holds another run: Teacher.weights_sha256"):
        train(tmp_path / "run")


def test_a_finished_training_needs_its_teacher_no_more(train, tmp_path, monkeypatch):
    whole, _ = train(tmp_path / "run")

    def gone(name):
        raise UnknownNameError(f"no released network {name!r}")

    monkeypatch.setattr(distillation, "find_teacher", gone)
    done, lines = train(tmp_path / "run")
    assert done.metrics == whole.metrics
    assert lines == ["finished already: nothing is left to do"]
    with pytest.raises(StoreError, match=r"holds another run: Train\.terms"):
        train(tmp_path / "run", temperature=2)


def test_what_the_teacher_takes_is_no_part_of_an_epoch(train, tmp_path, monkeypatch):
    """It is asked four times, for 400 ms each; an epoch here takes some 100 ms."""
    logits = Teacher.logits

    def slow(self, images):
        time.sleep(0.4)
        return logits(self, images)

    monkeypatch.setattr(Teacher, "logits", slow)
    done, _ = train(tmp_path / "run")
    first, second = done.metrics["curve"]
    assert first["prepared_seconds"] > 1.6
    assert first["seconds"] < first["prepared_seconds"]
    assert "prepared_seconds" not in second
    together = first["seconds"] + second["seconds"] + first["prepared_seconds"]
    assert done.metrics["seconds"] == pytest.approx(together, rel=1e-12)


SEARCH = """
Global: {seed: 3, device: cpu}
Search: {max_trials: 1, executor: inline}
Strategy: {name: RandomSearch}
Space: {nodes: 2}
Network: {width: 4, cells_per_stage: 1, stages: 2, bottleneck: 1}
Data: {name: cifar10-mini, image_size: 8, train: 40, held_out: 40}
Train: {epochs: 1, batch_size: 20, learning_rate: 0.05}
"""


def test_a_search_has_its_teacher_before_its_first_trial(small_training, tmp_path):
    (tmp_path / "search.yaml").write_text(SEARCH)

    def search(teacher):
        terms = json.dumps([{"name": "Distillation", "teacher": teacher}])
        config = load_search(tmp_path / "search.yaml", [f"Train.terms={terms}"])
        return run_search(config, tmp_path / "run")

    with pytest.raises(UnknownNameError, match="no released network 'nobody'"):
        search("nobody")
    assert not (tmp_path / "run").exists()
    assert search(str(small_training.folder)).best is not None
    teacher = find_teacher(str(small_training.folder)).identity()
    assert read_manifest(tmp_path / "run")["identity"]["Teacher"] == teacher


def test_a_compression_keeps_what_its_teacher_says(small_training, tmp_path, asked):
    short = {"epochs": 1, "batch_size": 40, "learning_rate": 0.01}
    term = {"name": "Distillation", "teacher": str(small_training.folder)}
    sections = {
        "Global": {"device": "cpu"},
        "Compression": {"name": "UniformBits", "bits": 3},
        "Train": short,
        "FineTuning": {**short, "terms": [term]},
    }
    config, source = resolve_compress(RawConfig(sections)), str(small_training.folder)

    def stop(line):
        if "[FineTuning]" in line:
            raise Stopped

    with pytest.raises(Stopped):
        compress(config, source, tmp_path / "run", progress=stop)
    assert asked == [PART, PART, PART, 20]
    compress(config, source, tmp_path / "run", resume=True)
    assert asked == [PART, PART, PART, 20]
    teacher = find_teacher(source).identity()
    assert read_manifest(tmp_path / "run")["identity"]["Teacher"] == teacher


@pytest.fixture
def teach(small_training, tmp_path):
    """Compresses the small network; sections may have a teacher, which is that network."""
    short = {"epochs": 1, "batch_size": 40, "learning_rate": 0.01}
    term = {"name": "Distillation", "teacher": str(small_training.folder)}

    def teach(*taught, method="UniformBits", resume=False, progress=lambda line: None):
        sections = {
            name: {**short, **({"terms": [term]} if name in taught else {})}
            for name in ("Train", "FineTuning")
        }
        values = {"Global": {"device": "cpu"}, "Compression": {"name": method}, **sections}
        config, source = resolve_compress(RawConfig(values)), str(small_training.folder)
        return compress(config, source, tmp_path / "run", resume=resume, progress=progress)

    return teach


@pytest.mark.parametrize("method", ["BayesianBits", "BitSearch", "UniformBits"])
def test_no_teacher_is_asked_while_levels_are_chosen(teach, tmp_path, method):
    with pytest.raises(ConfigError, match=r"Train has a part with a Teacher.*FineTuning\.terms"):
        teach("Train", "FineTuning", method=method)
    assert not (tmp_path / "run").exists()


def test_a_compression_counts_what_its_teacher_took_in_an_earlier_start(teach, tmp_path):
    """It was killed between the teacher and the first checkpoint; 1000 seconds stand for many."""

    def stop(line):
        if "200/200" in line:
            raise Stopped

    with pytest.raises(Stopped):
        teach("FineTuning", progress=stop)
    file = tmp_path / "run" / FILE
    file.write_bytes(encode_state({**decode_state(file.read_bytes()), "seconds": 1000.0}))
    seconds = teach("FineTuning", resume=True)["fine_tuning_seconds"]
    assert 1000 < seconds < 1000 + 60  # its own: less than one


def test_it_is_noted_where_the_teacher_may_know_the_held_out_pictures(train, tmp_path):
    with pytest.raises(Stopped):
        train(tmp_path / "run", "Data.held_out=150", until="note: the teacher may have learned")


@pytest.mark.parametrize(
    "overrides, options, message",
    [
        ((), {"teacher": "nobody"}, "no released network 'nobody'"),
        (("Data.classes=3",), {}, r"knows 10 classes \(airplane, .* have 3 classes"),
        ((), {"weight": 1.5}, "weight"),
        ((), {"weight": -0.5}, "weight"),
        ((), {"temperature": 0}, "temperature"),
        ((), {"teacher": ""}, "teacher"),
    ],
)
def test_what_makes_no_sense_is_refused(train, tmp_path, overrides, options, message):
    with pytest.raises(AutoDLError, match=message):
        train(tmp_path / "run", *overrides, **options)
    assert not (tmp_path / "run").exists()


def test_other_tasks_are_refused(setting, small_training):
    from autodl.tasks.in_memory import Examples

    class Series:
        examples = "series"
        inner = Examples(np.zeros((1, 1), np.float32), np.zeros(1))

    options = DistillationOptions(teacher=str(small_training.folder))
    with pytest.raises(ConfigError, match="is for pictures in classes, and here are series"):
        Distillation(replace(setting, task=Series()), options)


def test_several_processes_are_refused(setting, small_training):
    class Two:
        size = 2

    options = DistillationOptions(teacher=str(small_training.folder))
    with pytest.raises(ConfigError, match="is for one process"):
        Distillation(replace(setting, share=Two()), options)
