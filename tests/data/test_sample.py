"""The embedded pictures are what the documentation says they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autodl.data.load import public_name
from autodl.data.sample import FILE, load_sample
from autodl.data.splits import reserve, split_per_class
from autodl.data.subset import read_subset

LABELS = Path(__file__).with_name("cifar10_train_labels.bin")


def test_sizes_and_labels():
    assert FILE.stat().st_size < 4_000_000
    sample = load_sample()
    assert sample.name == "cifar10-mini"
    assert sample.official is False
    assert sample.classes == (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    assert sample.train.images.shape == (1000, 32, 32, 3)
    assert sample.test.images.shape == (200, 32, 32, 3)
    assert np.bincount(sample.train.labels).tolist() == [100] * 10
    assert np.bincount(sample.test.labels).tolist() == [20] * 10


def test_the_pictures_are_real():
    """Neighbouring pixels of photographs agree; the colours are CIFAR-10's to a few levels."""
    images = load_sample().train.images.astype(float)
    steps = np.abs(np.diff(images, axis=2)).mean()
    assert 5 < steps < 25  # noise would have 85
    # published means of the whole set; 1,000 pictures of deviation about 33 are good to 1.1
    np.testing.assert_allclose(images.mean(axis=(0, 1, 2)), [125.3, 123.0, 113.9], atol=5)
    pixels = images.reshape(1000, -1)
    assert len(np.unique(pixels, axis=0)) == 1000


def test_the_indices_are_those_of_the_rule():
    """The labels of the source's training part, in its order, lie beside this file.

    They are packed two to a byte, the first in the upper half.
    """
    packed = np.frombuffer(LABELS.read_bytes(), np.uint8)
    labels = np.stack([packed >> 4, packed & 15], axis=1).reshape(-1).astype(np.int64)
    assert np.bincount(labels).tolist() == [5000] * 10

    subset, sample = read_subset(FILE), load_sample()
    np.testing.assert_array_equal(labels[subset.train_indices], sample.train.labels)
    np.testing.assert_array_equal(labels[subset.test_indices], sample.test.labels)
    rule = reserve(labels)
    assert (len(rule.train), len(rule.held_out)) == (47_500, 2_500)
    assert np.isin(subset.train_indices, rule.train).all()
    assert np.isin(subset.test_indices, rule.held_out).all()
    exactly = split_per_class(labels, held_out=20, train=100)
    np.testing.assert_array_equal(subset.train_indices, exactly.train)
    np.testing.assert_array_equal(subset.test_indices, exactly.held_out)


def test_the_origin_is_written_down():
    about = read_subset(FILE).about
    assert about["source"] == "cifar10"
    assert about["source_official"] is False
    assert about["seed"] == 2018
    assert len(about["source_checksum"]) == 64


def test_the_source_of_the_sample_is_reported_as_jpeg():
    """Its checksum stands in two places: inside the sample and in ``load.py``."""
    source = read_subset(FILE).about["source_checksum"]
    assert public_name("cifar10", source) == "CIFAR-10 (JPEG)"
    assert public_name("cifar10", "0" * 64) == public_name("cifar10") == "cifar10"
    assert public_name("cifar10-mini") == "cifar10-mini = CIFAR-10 (JPEG)"
