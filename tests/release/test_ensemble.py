"""Ensembles: votes, the released one, and what cannot vote."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from autodl.errors import CheckpointError, ConfigError
from autodl.release.calibration import probabilities
from autodl.release.ensemble import Ensemble, calibrated
from autodl.release.metrics import EnsembleMetrics, read_metrics, write_metrics
from autodl.release.network import from_training, load


@pytest.fixture(scope="module")
def members(models):
    return [load(name, models=models.folder) for name in ("tiny_a", "tiny_b")]


def test_the_released_one_is_reproduced_to_the_picture(models, held_out):
    ensemble = Ensemble.released(models.folder)
    found = ensemble.predict(held_out.images)
    assert int((found.labels == held_out.labels).sum()) == models.ensemble.held_out.right
    best = max(each.metrics.held_out.accuracy for each in models.published.values())
    scores = models.ensemble.cross_validated
    if scores.selected > scores.mean:
        assert models.ensemble.held_out.accuracy >= best
    else:  # which may be behind the best member
        assert set(models.ensemble.members.values()) == {1}
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-12)


def test_votes(members, held_out):
    images = held_out.images[:20]
    chances = calibrated(members, [member.logits(images) for member in members])
    soft = Ensemble(members).predict(images)
    np.testing.assert_allclose(soft.probabilities, chances.mean(axis=0), rtol=1e-12)
    weighted = Ensemble(members, "weighted", weights=[1, 3]).predict(images)
    expected = (chances[0] + 3 * chances[1]) / 4
    np.testing.assert_allclose(weighted.probabilities, expected, rtol=1e-12)
    hard = Ensemble(members, "hard").predict(images)
    agree = chances[0].argmax(1) == chances[1].argmax(1)
    assert (hard.agreement == np.where(agree, 1.0, 0.5)).all()
    assert (hard.labels[agree] == chances[0].argmax(1)[agree]).all()


def test_pictures_that_can_be_read_only_once(members, held_out):
    images = held_out.images[:3]
    found = Ensemble(members).predict(image for image in images)
    assert (found.probabilities == Ensemble(members).predict(images).probabilities).all()


def test_a_temperature_sharpens_and_keeps_the_labels(members, held_out):
    plain = Ensemble(members).predict(held_out.images)
    sharp = Ensemble(members, temperature=0.5).predict(held_out.images)
    assert (plain.labels == sharp.labels).all()
    squared = plain.probabilities**2
    np.testing.assert_allclose(
        sharp.probabilities, squared / squared.sum(axis=1, keepdims=True), rtol=1e-12
    )


def test_names_and_weights_that_ship(shipped):
    ensemble = Ensemble(["tiny_a", "tiny_b"], "weighted")
    chosen = shipped.ensemble.members
    assert ensemble.weights.tolist() == [chosen.get("tiny_a", 0), chosen.get("tiny_b", 0)]
    assert ensemble.temperature == shipped.ensemble.temperature
    assert Ensemble(["tiny_a", "tiny_b"], "weighted", temperature=2.0).temperature == 2.0
    assert Ensemble(["tiny_a", "tiny_b"]).temperature == 1.0


def test_weights_that_ship_are_for_the_networks_that_ship(members, shipped):
    other = members[0].metrics.model_copy(update={"weights_sha256": "0" * 64})
    mine = replace(members[0], metrics=other)
    with pytest.raises(CheckpointError, match="was made with another tiny_"):
        Ensemble([mine, members[1]], "weighted")


def test_members_without_weights_that_ship(members, shipped):
    strangers = [replace(member, name=f"my-{member.name}") for member in members]
    with pytest.raises(ConfigError, match=r"no weight is known of my-tiny_a, my-tiny_b"):
        Ensemble(strangers, "weighted")


def test_trained_networks_vote_like_released_ones(models, members, held_out):
    """Also imported ones, which cannot be released; nobody has calibrated them."""
    own = [from_training(models.training / name) for name in ("a", "b")]
    assert [(each.name, each.temperature, each.mirrored) for each in own] == [
        ("a", 1.0, False),
        ("b", 1.0, True),
    ]
    logits = [each.logits(held_out.images) for each in own]
    for mine, released in zip(logits, members, strict=True):
        assert (mine == released.logits(held_out.images)).all()
    expected = np.mean([probabilities(each, 1.0) for each in logits], axis=0)
    found = Ensemble(own).predict(held_out.images).probabilities
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert own[0].weights_sha256 == members[0].weights_sha256


@pytest.mark.parametrize(
    "options, wanted",
    [
        ({"vote": "sof"}, r"unknown vote 'sof'\. Did you mean 'soft'"),
        ({"weights": [1, 2]}, "weights are for vote='weighted'"),
        ({"vote": "weighted", "weights": [1]}, "2 members need as many finite weights"),
        ({"vote": "weighted", "weights": 3.0}, r"2 members need as many .* got 3\.0"),
        (
            {"vote": "weighted", "weights": ["a", "b"]},
            r"need as many .* got \['a', 'b'\]",
        ),
        ({"vote": "weighted", "weights": [1, -1]}, "not negative and not all 0"),
        ({"vote": "weighted", "weights": [0, 0]}, "not negative and not all 0"),
        ({"temperature": 0}, "a temperature is positive, got 0"),
    ],
)
def test_wrong_options(members, options, wanted):
    with pytest.raises(ConfigError, match=wanted):
        Ensemble(members, **options)


def test_weights_may_be_an_array(members, held_out):
    pictures = held_out.images[:5]
    found, expected = (
        Ensemble(members, "weighted", weights=weights).predict(pictures).probabilities
        for weights in (np.array([1.0, 2.0]), [1, 2])
    )
    assert (found == expected).all()


def test_members_that_cannot_vote_together(members, models):
    with pytest.raises(ConfigError, match="at least one member"):
        Ensemble([])
    for strange in ([members[0], 3], [None]):
        with pytest.raises(
            ConfigError, match=r"names of released networks, or loaded ones, got (int|NoneType)"
        ):
            Ensemble(strange)
    with pytest.raises(ConfigError, match="at least one member, got ReleasedNetwork"):
        Ensemble(members[0])
    others = replace(members[1], classes=tuple("abcdefghij"))
    with pytest.raises(ConfigError, match="an ensemble votes on one set of classes"):
        Ensemble([members[0], others])
    fresh = load("tiny_a", pretrained=False, models=models.folder)
    with pytest.raises(ConfigError, match="tiny_a has no trained classifier"):
        Ensemble([fresh, members[1]])


def test_an_ensemble_of_other_weights_is_refused(models, tmp_path):
    folder = shutil.copytree(models.folder, tmp_path / "models")
    path = folder / "ensemble.json"
    made = read_metrics(EnsembleMetrics, path)
    others = dict.fromkeys(made.weights_sha256, "0" * 64)
    write_metrics(made.model_copy(update={"weights_sha256": others}), path)
    with pytest.raises(CheckpointError, match="was made with another tiny_"):
        Ensemble.released(folder)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"cannot read .*ensemble\.json"):
        Ensemble.released(folder)
