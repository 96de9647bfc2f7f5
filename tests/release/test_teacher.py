"""Who can teach, what is said of pictures, and which pictures a teacher has seen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from autodl.errors import UnknownNameError
from autodl.release.ensemble import Ensemble
from autodl.release.network import load
from autodl.release.teacher import find_teacher
from autodl.system.files import checksum
from autodl.trained.folder import trained_pictures


def test_a_network_says_its_logits_of_two_views(shipped, held_out):
    """tiny_a was measured by one view, which does not matter. 1e-5: float32, in other batches."""
    network, teacher = load("tiny_a"), find_teacher("tiny_a")
    assert not network.mirrored
    images = held_out.images[:5]
    both = (network.logits(images), network.logits(images[:, :, ::-1]))
    np.testing.assert_allclose(teacher.logits(images), sum(both) / 2, rtol=1e-5, atol=1e-6)
    own = {"tiny_a": network.weights_sha256}
    assert teacher.identity() == {"name": "tiny_a", "weights_sha256": own}


def test_the_ensemble_says_the_logarithm_of_its_probabilities(shipped, held_out):
    images = held_out.images[:5]
    teacher, released = find_teacher("ensemble"), Ensemble.released()
    logits = teacher.logits(images)
    mean = 0.0
    for member, weight in zip(
        teacher.members, released.weights / released.weights.sum(), strict=True
    ):
        chances = softmax(member.logits(images) / member.temperature, axis=1)
        mean = mean + weight * chances
    for temperature in (1.0, 3.0):
        powers = mean ** (1 / (released.temperature * temperature))
        expected = powers / powers.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(softmax(logits / temperature, axis=1), expected, rtol=1e-5)
    assert teacher.identity() == {
        "name": "ensemble",
        "weights_sha256": {member.name: member.weights_sha256 for member in released.members},
        "votes": {name: float(count) for name, count in shipped.ensemble.members.items()},
        "temperature": released.temperature,
    }


def test_a_folder_of_a_training_teaches(small_training):
    teacher = find_teacher(str(small_training.folder))
    sha256 = checksum(small_training.folder / "weights.safetensors")
    assert teacher.identity()["weights_sha256"] == {small_training.folder.name: sha256}


def test_an_unknown_name_is_refused(shipped):
    with pytest.raises(UnknownNameError, match=r"no released network 'tiny_x'. Did you mean"):
        find_teacher("tiny_x")


@pytest.mark.parametrize("name", ["tiny_a", "ensemble", "folder"])
def test_pictures_that_it_may_have_learned_are_told(shipped, small_training, name):
    teacher = find_teacher(str(small_training.folder) if name == "folder" else name)
    seen = trained_pictures(small_training.folder)
    assert teacher.unlike(seen) == ""
    fewer = {**seen, "split": {**seen["split"], "train": 50, "sha256": "other"}}
    assert teacher.unlike(fewer) == ""  # of the same pictures, as many held out
    more = {**seen, "split": {**seen["split"], "held_out": 150}}
    assert "beside 100 held-out pictures of the split_seed 2018, and here are 150" in (
        teacher.unlike(more)
    )
    assert "was trained on other data" in teacher.unlike({**seen, "checksum": "0" * 64})
