"""Released networks: found, loaded whole or not at all, and right about the held-out pictures."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from autodl.errors import CheckpointError, ConfigError, UnknownNameError
from autodl.release.calibration import probabilities
from autodl.release.metrics import ReleaseMetrics, read_metrics, write_metrics
from autodl.release.network import folders, load, names
from autodl.release.overview import overview
from autodl.system.files import checksum
from autodl.trained.folder import load_trained


@pytest.fixture
def copied(models, tmp_path):
    return shutil.copytree(models.folder, tmp_path / "models")


@pytest.mark.parametrize("name", ["a", "b"])
def test_the_held_out_accuracy_is_reproduced_to_the_picture(models, held_out, name):
    network = load(f"tiny_{name}", models=models.folder)
    pictures = held_out
    found = network.predict(pictures.images)
    assert int((found.labels == pictures.labels).sum()) == network.metrics.held_out.right
    _, _, facts = load_trained(models.training / name)
    assert network.metrics.held_out.accuracy == facts["held_out_accuracy"]
    assert network.metrics.held_out.loss == pytest.approx(facts["held_out_loss"], rel=1e-6)
    assert network.mirrored == (name == "b")


def two_classes(prediction):
    chances = prediction.probabilities[:, :2]
    return replace(prediction, probabilities=chances, classes=prediction.classes[:2])


def test_predictions_are_calibrated_and_named(models, held_out):
    network = load("tiny_a", models=models.folder)
    images = held_out.images[:7]
    found = network.predict(images)
    logits = network.logits(images)
    np.testing.assert_allclose(
        found.probabilities, probabilities(logits, network.temperature), rtol=1e-12
    )
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-12)
    assert found.names == [network.classes[label] for label in found.labels]
    (first, *_) = found.top(2)
    assert first[0][0] == found.names[0]
    assert first[0][1] >= first[1][1]
    with pytest.raises(ConfigError, match="top takes 1 to 10 classes, got 11"):
        found.top(11)
    assert [len(each.top()[0]) for each in (found, two_classes(found))] == [5, 2]
    # other batches, other rounding: float32 sums of about a hundred numbers
    one_by_one = network.logits(images, batch_size=1)
    np.testing.assert_allclose(one_by_one, logits, atol=1e-4)


def test_mirror_images_do_not_matter_where_they_are_averaged(models, held_out):
    images = held_out.images[:5]
    for name, same in (("tiny_a", False), ("tiny_b", True)):
        network = load(name, models=models.folder)
        logits, mirrored = network.logits(images), network.logits(images[:, :, ::-1])
        assert np.allclose(logits, mirrored, atol=1e-5) == same


def test_names_are_ordered_by_held_out_accuracy(shipped):
    found = names()
    assert sorted(found) == ["tiny_a", "tiny_b"]
    accuracies = [load(name).metrics.held_out.accuracy for name in found]
    assert accuracies == sorted(accuracies, reverse=True)


def test_what_a_killed_publication_has_left_is_no_network(copied):
    shutil.copytree(copied / "tiny_a", copied / ".tiny_c.0123abcd")
    assert [folder.name for folder in folders(copied)] == ["tiny_a", "tiny_b"]
    assert "tiny_c" not in overview(copied)
    with pytest.raises(UnknownNameError):
        load(".tiny_c.0123abcd", models=copied)


def test_no_plugin_of_a_foreign_folder_is_imported(copied):
    """Also with the right checksum, which whoever made the folder can compute."""
    folder = copied / "tiny_a"
    plugin(folder)
    made = read_metrics(ReleaseMetrics, folder / "metrics.json")
    sha256 = checksum(folder / "train.yaml")
    write_metrics(made.model_copy(update={"config_sha256": sha256}), folder / "metrics.json")
    assert load("tiny_a", models=copied).trained


def test_a_new_classifier_keeps_the_rest(models):
    whole = load("tiny_a", models=models.folder)
    other = load("tiny_a", classes=4, models=models.folder)
    assert other.classes == ("0", "1", "2", "3")
    assert not other.trained
    own, new = whole.network.state_dict(), other.network.state_dict()
    changed = {name for name in own if own[name].shape != new[name].shape}
    (classifier,) = {name.rsplit(".", 1)[0] for name in changed}
    assert classifier == whole.network.plan.records[-1].name
    same = [name for name in own if name not in changed]
    assert all((own[name].numpy() == new[name].numpy()).all() for name in same)
    with pytest.raises(ConfigError, match="has a new classifier of 4 classes: train"):
        other.predict(np.zeros((1, 8, 8, 3), np.uint8))
    assert other.temperature == 1.0  # that of the release is not for a new classifier
    learned = replace(other, trained=True, classes=("a", "b", "c", "d"))
    assert learned.predict(np.zeros((1, 8, 8, 3), np.uint8)).probabilities.shape == (1, 4)
    assert learned.held_out_accuracy is None  # it is nobody's any more
    assert learned.weights_sha256 is None
    assert load("tiny_a", classes=10, models=models.folder).trained


def test_without_weights(models):
    fresh = load("tiny_a", pretrained=False, models=models.folder)
    trained = load("tiny_a", models=models.folder)
    assert not fresh.trained
    name = next(name for name in trained.network.state_dict() if name.endswith("weight"))
    assert (
        fresh.network.state_dict()[name].numpy() != trained.network.state_dict()[name].numpy()
    ).any()


def test_what_is_refused(models):
    with pytest.raises(UnknownNameError, match=r"no released network 'tiny_c'\. Did you mean"):
        load("tiny_c", models=models.folder)
    for classes in (1, 0, -3, True, 2.5, 10.0, "10"):
        with pytest.raises(ConfigError, match="at least 2 classes, got"):
            load("tiny_a", classes=classes, models=models.folder)


def test_a_folder_without_its_metrics_is_damaged_and_not_unknown(copied):
    (copied / "tiny_a" / "metrics.json").unlink()
    with pytest.raises(CheckpointError, match=r"tiny_a/metrics\.json is missing"):
        load("tiny_a", models=copied)
    assert load("tiny_b", models=copied).trained


def spoil_weights(folder):
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def cut_weights(folder):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-8])


def lose_weights(folder):
    (folder / "weights.safetensors").unlink()


def change(key, value):
    def spoil(folder):
        path = folder / "metrics.json"
        content = json.loads(path.read_text())
        if value is None:
            del content[key]
        else:
            content[key] = value
        path.write_text(json.dumps(content))

    return spoil


def other_operation(folder):
    """Without weights of its own, so all weights still fit."""
    path = folder / "architecture.json"
    path.write_text(path.read_text().replace("max_pool_3x3", "avg_pool_3x3"))


def plugin(folder):
    (folder / "plugin.py").write_text("raise RuntimeError('foreign code runs')")
    path = folder / "train.yaml"
    path.write_text(path.read_text().replace("plugins: []", f"plugins: [{folder / 'plugin.py'}]"))


def lose(name):
    return lambda folder: (folder / name).unlink()


def break_metrics(folder):
    (folder / "metrics.json").write_text("{half")


@pytest.mark.parametrize(
    "spoil, wanted",
    [
        (spoil_weights, "is not what was released: its SHA-256"),
        (cut_weights, "is not what was released"),
        (lose_weights, "SHA-256 is missing"),
        (change("temperature", -1), "temperature: .*greater than 0"),
        (change("classes", None), "classes: "),
        (change("surprise", 1), "surprise: "),
        (change("mean", [0.5, 0.5, 0.5]), r"metrics\.json is not what was released: its own check"),
        (break_metrics, "is no JSON"),
        (other_operation, r"architecture\.json is not what was released"),
        (plugin, r"train\.yaml is not what was released"),
        (lose("architecture.json"), r"architecture\.json is not .* SHA-256 is missing"),
        (lose("train.yaml"), r"train\.yaml is not .* SHA-256 is missing"),
    ],
)
def test_damaged_files_are_refused(copied, spoil, wanted):
    spoil(copied / "tiny_a")
    with pytest.raises(CheckpointError, match=wanted) as caught:
        load("tiny_a", models=copied)
    assert "\n" not in str(caught.value)
