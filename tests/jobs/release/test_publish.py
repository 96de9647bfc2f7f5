"""Publishing: a folder that says what is in it, whole or not at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from autodl.data.load import load as load_data
from autodl.data.load import load_split
from autodl.data.views import six_views
from autodl.errors import ConfigError, DataError, StoreError
from autodl.jobs.release import publish_ensemble as ensemble_module
from autodl.jobs.release.publish import held_out_scores, publish, tell_anew
from autodl.jobs.release.publish_ensemble import publish_ensemble
from autodl.jobs.train.final_test import measure_once
from autodl.jobs.train.run import retrain
from autodl.recipes.config import load_train
from autodl.release.calibration import fit_temperature, log_loss
from autodl.release.ensemble import Ensemble
from autodl.release.metrics import ReleaseMetrics, read_metrics
from autodl.release.network import load
from autodl.release.overview import overview
from autodl.runs.folder import update_manifest
from autodl.spaces.fixed import FixedArchitecture
from autodl.spaces.stage.architecture import ConvStage, StageArchitecture
from autodl.system.files import checksum
from autodl.trained import folder as folder_module
from autodl.trained.folder import load_trained


def test_the_folder(models):
    folder = models.folder / "tiny_a"
    assert {path.name for path in folder.iterdir()} == {
        "architecture.json",
        "card.md",
        "metrics.json",
        "train.yaml",
        "weights.safetensors",
    }
    assert "path: null" in (folder / "train.yaml").read_text()
    card = (folder / "card.md").read_text()
    assert f"`{checksum(folder / 'weights.safetensors')}`" in card
    metrics = models.published["a"].metrics
    assert f"{metrics.held_out.accuracy:.4f}" in card
    assert f"{metrics.test.accuracy:.4f} (95 %: " in card
    assert "By hand." in card
    assert "CIFAR-10 (JPEG) (not the official files), read once" in card
    assert "Outputs are means" not in card
    other = (models.folder / "tiny_b" / "card.md").read_text()
    assert "Outputs are means over each picture and its mirror image" in other
    assert "read once" not in other  # it has no test accuracy


def test_an_exported_network_runs_once_and_has_a_temperature_of_its_own(models, held_out):
    """Outputs of mirror images are flatter: their temperature is not that of one run."""
    for letter in "ab":
        metrics = models.published[letter].metrics
        network = load(f"tiny_{letter}", models=models.folder)
        once = replace(network, mirrored=False).logits(held_out.images)
        single = metrics.single
        assert single.held_out == held_out_scores(once, held_out.labels, single.temperature)
        assert single.temperature == pytest.approx(fit_temperature(once, held_out.labels), rel=1e-3)
        assert (network.single_accuracy, network.single_temperature) == (
            single.held_out.accuracy,
            single.temperature,
        )
    plain, mirrored = (models.published[letter].metrics for letter in "ab")
    assert (plain.single.temperature, plain.single.held_out) == (plain.temperature, plain.held_out)
    assert mirrored.single.temperature != mirrored.temperature


def test_latencies_enter_the_card(models, tmp_path):
    made = publish(models.training / "a", tmp_path / "timed", found_by="x", repetitions=2)
    row = made.metrics.latency["inference"]
    assert row.batch_1[0] <= row.batch_1[1] <= row.batch_1[2]
    assert row.pictures_per_second == pytest.approx(64_000 / row.batch_64[1], abs=0.06)
    assert "Paddle's inference engine (oneDNN) | " in (tmp_path / "timed" / "card.md").read_text()


def test_how_it_was_found_is_told_anew(models, tmp_path):
    """Metrics and card change in that alone, and the network still loads."""
    folder = shutil.copytree(models.folder / "tiny_a", tmp_path / "tiny_a")
    before = read_metrics(ReleaseMetrics, folder / "metrics.json")
    made = tell_anew(folder, "By chance: nobody looked.")
    known = read_metrics(ReleaseMetrics, folder / "metrics.json")
    assert known == made.metrics
    assert known.training.found_by == "By chance: nobody looked."
    kept = before.training.model_copy(update={"found_by": "By chance: nobody looked."})
    assert known == before.model_copy(update={"training": kept})
    card = (folder / "card.md").read_text()
    assert "## How it was found\n\nBy chance: nobody looked.\n" in card
    assert load("tiny_a", models=tmp_path).metrics == known


def test_what_is_refused(models, tmp_path, monkeypatch):
    ready = {"found_by": "x", "repetitions": 0}
    with pytest.raises(StoreError, match="is there already"):
        publish(models.training / "a", models.folder / "tiny_a", **ready)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="the release goes there"):
        publish(models.training / "a", tmp_path / "file" / "new", **ready)
    with pytest.raises(StoreError, match="the ensemble and its one test go there"):
        publish_ensemble(["a"], tmp_path / "file")
    with pytest.raises(StoreError, match="no finished training"):
        publish(tmp_path, tmp_path / "new", **ready)
    for override in ("Data.split_seed=5", "Train.epochs=77", "Data={path: x}"):
        with pytest.raises(ConfigError, match=r"a release may change Data\.path alone"):
            publish(models.training / "a", tmp_path / "new", overrides=[override], **ready)
    copied = shutil.copytree(models.training / "a", tmp_path / "copy")
    record = json.loads((copied / "test.json").read_text())
    (copied / "test.json").write_text(json.dumps({**record, "weights_sha256": "0" * 64}))
    update_manifest(copied, test=None)  # as earlier releases left it
    with pytest.raises(StoreError, match=r"test\.json is of other weights"):
        publish(copied, tmp_path / "new", **ready)
    for spoilt in ("{", "{}"):
        (copied / "test.json").write_text(spoilt)
        with pytest.raises(StoreError, match=r"cannot read .*test\.json|test\.json is damaged"):
            publish(copied, tmp_path / "new", **ready)
    (copied / "weights.safetensors").unlink()
    with pytest.raises(StoreError, match=r"cannot read .*weights\.safetensors"):
        publish(copied, tmp_path / "new", **ready)
    with pytest.raises(ConfigError, match="bytes, allowed are 100"):
        publish(models.training / "a", tmp_path / "new", **ready, largest=100)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("change", [{"image_size": 9}, {"split_seed": 5}])
def test_other_pictures_or_another_cut_are_refused(models, tmp_path, monkeypatch, change):
    """With another cut, pictures that were trained on would calibrate."""
    plain = folder_module.load_split
    monkeypatch.setattr(
        folder_module, "load_split", lambda options: plain(options.model_copy(update=change))
    )
    with pytest.raises(DataError, match="was trained on other pictures"):
        publish(models.training / "a", tmp_path / "new", found_by="x", repetitions=0)


def test_an_imported_network_cannot_be_calibrated(models, tmp_path):
    copied = shutil.copytree(models.training / "a", tmp_path / "copy")
    manifest = json.loads((copied / "run.json").read_text())
    manifest["identity"] = {"Pictures": {"official": True}}  # as autodl release --fluid writes it
    (copied / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match="of imported networks nobody knows"):
        publish(copied, tmp_path / "new", found_by="x", repetitions=0)


def test_a_network_that_needs_a_plugin_is_not_released(models, tmp_path):
    copied = shutil.copytree(models.training / "a", tmp_path / "copy")
    text = (copied / "config.yaml").read_text()
    (copied / "config.yaml").write_text(text.replace("plugins: []", "plugins: [json]"))
    update_manifest(copied, sha256={})
    with pytest.raises(ConfigError, match="needs the plugin json"):
        publish(copied, tmp_path / "new", found_by="x", repetitions=0)


def test_members_of_an_ensemble(models, monkeypatch):
    with pytest.raises(ConfigError, match="tiny_a is named twice"):
        publish_ensemble(["tiny_a", "tiny_a"], models.folder)
    with pytest.raises(StoreError, match=r"ensemble\.json is there already; remove it first"):
        publish_ensemble(["tiny_a", "tiny_b"], models.folder)
    with pytest.raises(ConfigError, match="at least one released network"):
        publish_ensemble([], models.folder)
    with pytest.raises(ConfigError, match=r"a release may change Data\.path alone"):
        publish_ensemble(["tiny_a"], models.folder, overrides=["Data.split_seed=5"])
    monkeypatch.setattr(
        ensemble_module,
        "load_split",
        lambda options: load_split(options.model_copy(update={"image_size": 9})),
    )
    with pytest.raises(DataError, match="is not what tiny_a was trained on"):
        publish_ensemble(["tiny_a"], models.folder)


def test_the_ensemble_says_what_it_is_made_of(models):
    made = models.ensemble
    content = json.loads((models.folder / "ensemble.json").read_text())
    assert content["members"] == dict(made.members)
    assert set(made.weights_sha256) == set(made.members)
    assert made.test.pictures == 200
    assert made.test.data == models.published["a"].metrics.test.data
    assert np.isfinite(made.held_out.loss)
    assert 0 <= made.cross_validated.selected <= 1
    assert content["cross_validated"]["mean"] == made.cross_validated.mean


def test_the_ensemble_says_what_it_gains_on_the_test_pictures(models):
    """Over the plain mean of all that could be chosen, and over the best of them."""
    members = [load(name, models=models.folder) for name in ("tiny_a", "tiny_b")]
    test = load_data(load_trained(models.training / "a")[0].data).test
    logits = [member.logits(test.images) for member in members]
    mean = Ensemble(members).predict(test.images).labels == test.labels
    best = max((0, 1), key=lambda i: members[i].metrics.held_out.accuracy)
    alone = logits[best].argmax(axis=1) == test.labels
    together = models.ensemble.test.accuracy
    over_mean, over_best = models.ensemble.gains
    assert over_mean.than == "the plain mean of the 2 networks"
    assert over_mean.gain == pytest.approx(together - mean.mean(), abs=1e-12)
    assert over_best.than == members[best].name
    assert over_best.gain == pytest.approx(together - alone.mean(), abs=1e-12)
    for each in models.ensemble.gains:
        assert each.interval[0] < each.gain < each.interval[1]


SIX_VIEWS = """
Global: {seed: 3, device: cpu}
Network: {name: Airbench, widths: [4, 4, 4]}
Data: {name: cifar10-mini, image_size: 10, train: 100, held_out: 100}
Train: {recipe: fast, epochs: 1, batch_size: 50}
Evaluation: {mirrored: true, six_views: true}
"""


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    """A network by hand, trained by the fast recipe, tested with six views, and released."""
    root = tmp_path_factory.mktemp("six")
    (root / "six.yaml").write_text(SIX_VIEWS)
    retrain(load_train(root / "six.yaml"), FixedArchitecture(), root / "training")
    tested = measure_once(root / "training")
    made = publish(root / "training", root / "models" / "six_a", found_by="Me.", repetitions=0)
    data = load_split(load_trained(root / "training")[0].data).held_out
    return SimpleNamespace(root=root, tested=tested, made=made, held_out=data)


def test_a_network_predicts_with_the_six_views_that_its_card_is_of(six):
    network = load("six_a", models=six.root / "models")
    images, metrics = six.held_out.images, six.made.metrics
    plain = network.normalisation.normalise(images)
    outputs = [network.network(paddle.to_tensor(view)).numpy() for view in six_views(plain)]
    logits = network.logits(images)
    np.testing.assert_allclose(logits, np.mean(outputs, axis=0), rtol=1e-5, atol=1e-5)  # float32
    right = int((logits.argmax(axis=1) == six.held_out.labels).sum())
    facts = load_trained(six.root / "training")[2]
    assert (metrics.views, metrics.held_out.right) == (6, right)
    assert metrics.held_out.accuracy == facts["held_out_accuracy_six_views"]
    assert metrics.temperature == pytest.approx(fit_temperature(logits, six.held_out.labels))
    assert metrics.test.accuracy == six.tested["six_views"]["accuracy"]
    assert metrics.test.loss == six.tested["six_views"]["loss"] != six.tested["loss"]
    once = replace(network, mirrored=False, six_views=False).logits(images)
    assert metrics.single.held_out.loss == pytest.approx(log_loss(once, six.held_out.labels))
    chances = Ensemble([network]).predict(images).probabilities
    np.testing.assert_allclose(chances, network.predict(images).probabilities, rtol=1e-12)
    assert network.worth()["held_out_accuracy_six_views"] == metrics.held_out.accuracy
    card = (six.made.folder / "card.md").read_text()
    assert "Outputs are means over six views of each picture" in card


def test_a_network_by_hand_is_told_apart(six):
    spent = six.made.metrics.training
    curve = load_trained(six.root / "training")[2]["curve"]
    assert spent.by_hand
    assert spent.core_seconds == sum(epoch["compute_seconds"] for epoch in curve) < spent.seconds
    card = (six.made.folder / "card.md").read_text()
    assert "## Who designed it\n\nPeople: no search found it.\n\nMe.\n" in card
    assert f"in {spent.core_seconds / 3600:.2f} core-hours" in card
    row = overview(six.root / "models").splitlines()[2]
    assert "| `six_a` | hand-made, as the control |" in row
    assert f"| {spent.core_hours:.2f} | 6 |" in row


def test_fewer_views_where_they_were_measured(six, tmp_path):
    ready = {"found_by": "x", "repetitions": 0}
    made = publish(six.root / "training", tmp_path / "two", views=2, **ready)
    facts = load_trained(six.root / "training")[2]
    assert made.metrics.held_out.accuracy == facts["held_out_accuracy"]
    assert made.metrics.test.loss == six.tested["loss"]
    assert load("two", models=tmp_path).six_views is False
    single = publish(six.root / "training", tmp_path / "one", views=1, **ready)
    assert single.metrics.test.loss == six.tested["one_view"]["loss"] != six.tested["loss"]
    earlier = tmp_path / "earlier"  # whose test did not say it
    shutil.copytree(six.root / "training", earlier)
    (earlier / "test.json").unlink()
    known = json.loads((earlier / "run.json").read_text())
    del known["test"]["one_view"]
    (earlier / "run.json").write_text(json.dumps(known))
    with pytest.raises(StoreError, match=r"test\.json has no accuracy of 1 views"):
        publish(earlier, tmp_path / "none", views=1, **ready)
    with pytest.raises(ConfigError, match="over 1, 2 or 6 views of a picture, got 3"):
        publish(six.root / "training", tmp_path / "three", views=3, **ready)


def test_a_network_whose_outputs_are_scaled_takes_a_new_classifier(six):
    """The scale behind Airbench's classifier learns nothing, and stays."""
    other = load("six_a", classes=3, models=six.root / "models")
    whole = load("six_a", models=six.root / "models")
    own, new = whole.network.state_dict(), other.network.state_dict()
    changed = {name for name in own if own[name].shape != new[name].shape}
    assert changed == {"head.classifier.weight"}
    for name in own.keys() - changed:
        np.testing.assert_array_equal(own[name].numpy(), new[name].numpy())


def test_members_are_of_one_cut_however_it_is_written(small_training):
    """200 of the 1,000 pictures are held out where nothing is said."""

    def cut(*overrides):
        return load_train(small_training.config_file, ["Data.train=null", *overrides])

    plain = cut("Data.held_out=null")
    data = ensemble_module._same_data(["a", "b"], [plain, cut("Data.held_out=200")])
    assert len(data.held_out) == 200
    for other in ("Data.held_out=150", "Data.split_seed=5"):
        with pytest.raises(ConfigError, match="a and b have other Data sections"):
            ensemble_module._same_data(["a", "b"], [plain, cut(other)])


def test_a_network_of_stages_is_released_with_what_it_decides_about_its_training(six, tmp_path):
    """It was trained with branches, which its released form needs to be told of, and is fused."""
    config = load_train(
        six.root / "six.yaml", ["Network={name: StageNetwork}", "Evaluation.six_views=false"]
    )
    stages = ConvStage(4, "stride", 2, form="acb"), ConvStage(8, "conv_pool", 1)
    architecture = StageArchitecture(stages, rate=2.0, decay=0.5)
    retrain(config, architecture, tmp_path / "training")
    made = publish(tmp_path / "training", tmp_path / "own", found_by="Chance.", repetitions=0)
    network, facts = load("own", models=tmp_path), load_trained(tmp_path / "training")[2]
    right = (network.predict(six.held_out.images).labels == six.held_out.labels).sum()
    assert right == made.metrics.held_out.right == round(100 * facts["held_out_accuracy"])
    assert (made.metrics.views, made.metrics.training.by_hand) == (2, False)
    card = (made.folder / "card.md").read_text()
    assert "with several branches" in card
    assert "(`architecture.json`): the rate times 2, the decay times 0.5, acb branches in " in card
    told = tell_anew(made.folder, "By me.", by_hand=True).metrics
    assert told.training.by_hand
    assert "acb branches in" in (made.folder / "card.md").read_text()
