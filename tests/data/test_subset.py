"""Subsets: what is cut, what is written, and what is refused on reading."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from autodl.data.splits import class_order, reserve
from autodl.data.subset import cut_subset, load_npz, read_subset, write_npz
from autodl.errors import DataError, StoreError, UnknownNameError


def test_a_subset_comes_from_the_training_part_by_the_rule(make_dataset, picture_number):
    source = make_dataset(per_class=100)
    subset = cut_subset(source, per_class=10, test_per_class=4)
    for part, indices in (("train", subset.train_indices), ("test", subset.test_indices)):
        pictures = getattr(subset.dataset, part)
        np.testing.assert_array_equal(picture_number(pictures.images), indices)
        np.testing.assert_array_equal(pictures.images, source.train.images[indices])
        np.testing.assert_array_equal(pictures.labels, source.train.labels[indices])
    order = class_order(source.train.labels)
    expected = np.sort(np.concatenate([members[:4] for members in order]))
    np.testing.assert_array_equal(subset.test_indices, expected)
    expected = np.sort(np.concatenate([members[5:15] for members in order]))
    np.testing.assert_array_equal(subset.train_indices, expected)
    kept = reserve(source.train.labels)
    assert np.isin(subset.test_indices, kept.held_out).all()
    assert np.isin(subset.train_indices, kept.train).all()


def test_selected_classes_keep_their_pictures(make_dataset):
    source = make_dataset(per_class=60)
    whole = cut_subset(source, per_class=10, test_per_class=3)
    part = cut_subset(source, per_class=10, test_per_class=3, classes=("dog", "bee"))
    assert part.dataset.classes == ("dog", "bee")
    for indices, all_indices in (
        (part.train_indices, whole.train_indices),
        (part.test_indices, whole.test_indices),
    ):
        wanted = all_indices[np.isin(source.train.labels[all_indices], [1, 3])]
        np.testing.assert_array_equal(indices, wanted)
    expected = np.where(source.train.labels[part.train_indices] == 3, 0, 1)
    np.testing.assert_array_equal(part.dataset.train.labels, expected)


def test_a_subset_survives_its_file(make_dataset, tmp_path):
    source = make_dataset()
    subset = cut_subset(source, per_class=5, test_per_class=2, image_size=4, classes=3)
    path = tmp_path / "new" / "small.npz"
    write_npz(subset, path)
    back = read_subset(path)
    assert back.dataset.checksum == subset.dataset.checksum
    assert back.dataset.classes == ("ant", "bee", "cat")
    assert back.dataset.name == "animals-subset"
    assert back.dataset.train.images.shape == (15, 4, 4, 3)
    np.testing.assert_array_equal(back.train_indices, subset.train_indices)
    np.testing.assert_array_equal(back.test_indices, subset.test_indices)
    assert back.about == subset.about
    assert back.about["source_checksum"] == source.checksum
    assert load_npz(path).checksum == subset.dataset.checksum
    assert [file.name for file in path.parent.iterdir()] == ["small.npz"]


def test_the_same_subset_gives_the_same_bytes(make_dataset, tmp_path):
    for name in ("a.npz", "b.npz"):
        write_npz(cut_subset(make_dataset(), per_class=5, test_per_class=2), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_names_that_are_no_utf8_text_survive_the_file(make_dataset, tmp_path):
    subset = cut_subset(make_dataset(), per_class=5, test_per_class=2)
    files = [os.fsdecode(b"caf\xe9.png"), "donn\u00e9es.png"]
    write_npz(replace(subset, about={**subset.about, "files": files}), tmp_path / "s.npz")
    assert read_subset(tmp_path / "s.npz").about["files"] == files


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"per_class": 39}, DataError, "'ant' has 40 training pictures: .* give 38, not 39"),
        ({"test_per_class": 40}, DataError, "give 0, not 5"),
        ({"per_class": 0}, DataError, "at least 1 picture"),
        ({"test_per_class": 0}, DataError, "at least 1 picture"),
        ({"classes": ("cat", "dgo")}, UnknownNameError, "Did you mean 'dog'"),
        ({"classes": 9}, DataError, "allowed are 2 to 4"),
        ({"image_size": 0}, DataError, "resized to 0"),
    ],
)
def test_impossible_subsets(make_dataset, options, error, message):
    with pytest.raises(error, match=message):
        cut_subset(make_dataset(), **{"per_class": 5, "test_per_class": 2, **options})


def test_places_that_cannot_be_written(make_dataset, tmp_path):
    subset = cut_subset(make_dataset(), per_class=5, test_per_class=2)
    with pytest.raises(DataError, match=r"must end in \.npz, got 'x\.zip'"):
        write_npz(subset, tmp_path / "x.zip")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot write"):
        write_npz(subset, tmp_path / "file" / "x.npz")


@pytest.fixture
def stored(make_dataset, tmp_path):
    """A good file's arrays, by name, and a function that writes changed ones."""
    path = tmp_path / "small.npz"
    write_npz(cut_subset(make_dataset(), per_class=5, test_per_class=2), path)
    with np.load(path) as archive:
        arrays = dict(archive)

    def write(**changes):
        changed = {**arrays, **changes}
        np.savez(path, **{name: value for name, value in changed.items() if value is not None})
        return path

    return arrays, write


def refuse(path, message):
    with pytest.raises(DataError, match=message) as info:
        load_npz(path)
    assert "\n" not in str(info.value)
    assert str(path) in str(info.value)


class Trace:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickled_objects_are_refused_and_not_loaded(stored, tmp_path):
    _, write = stored
    trace = tmp_path / "trace"
    refuse(write(train_labels=np.array([Trace(trace)], dtype=object)), "damaged or no subset")
    assert not trace.exists()
    path = tmp_path / "raw.npz"
    path.write_bytes(pickle.dumps(Trace(trace)))
    refuse(path, "damaged or no subset")
    assert not trace.exists()


def about(**changes):
    value = {"version": 1, "name": "x", "classes": ["a", "b", "c", "d"], **changes}
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"train_images": None}, "train_images is not a file in the archive"),
        ({"about": None}, "about is not a file"),
        ({"about": np.frombuffer(b"{", np.uint8)}, "damaged"),
        ({"about": np.frombuffer(b"\xff\xff", np.uint8)}, "damaged"),
        ({"about": np.frombuffer(b"[]", np.uint8)}, "damaged"),
        ({"about": about(version=2)}, "version 2, this program reads 1"),
        ({"about": about(classes=["a", "b"])}, "label 3, allowed are 0 to 1"),
        ({"about": about(classes=[1, 2, 3, 4])}, "names that are no text"),
        ({"about": about(classes=5)}, "damaged"),
        ({"about": about(name=None)}, "names that are no text"),
        ({"train_images": np.zeros((20, 8, 8, 3))}, "must be a NumPy array of uint8"),
        ({"train_images": np.zeros((19, 8, 8, 3), np.uint8)}, "19 pictures but 20 labels"),
        ({"train_images": np.zeros((20, 9, 8, 3), np.uint8)}, "9x8 but test pictures of 8x8"),
        ({"test_labels": np.full(8, -1)}, "from 0, got -1"),
        ({"test_indices": np.arange(7)}, r"test_indices must be int64 \[8\]"),
        ({"train_indices": np.zeros(20)}, "train_indices must be int64"),
    ],
)
def test_wrong_contents(stored, changes, message):
    refuse(stored[1](**changes), message)


def test_files_that_are_no_subset(tmp_path, stored):
    refuse(tmp_path / "nowhere.npz", "does not exist: make such a subset")
    refuse(tmp_path, "damaged or no subset")
    path = stored[1]()
    content = path.read_bytes()
    for kept in (0, 1, 100, len(content) // 2, len(content) - 10):
        path.write_bytes(content[:kept])
        refuse(path, "damaged or no subset")
    np.save(path.with_suffix(".npy"), np.zeros(3))
    path.write_bytes(path.with_suffix(".npy").read_bytes())
    refuse(path, "damaged or no subset")


def test_a_flipped_bit_is_noticed(stored):
    path = stored[1]()
    content = bytearray(path.read_bytes())
    content[400] ^= 1  # a pixel
    path.write_bytes(content)
    refuse(path, "damaged or no subset")


def test_a_shape_larger_than_memory_is_refused(stored, tmp_path):
    arrays, _ = stored
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            content = buffer.getvalue()
            if name == "train_images":
                content = content.replace(b"(20, 8, 8, 3)", b"(2" + b"0" * 18 + b", 8, 8, 3)")
            archive.writestr(f"{name}.npy", content)
    refuse(path, "damaged or no subset")
