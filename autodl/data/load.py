"""From a ``Data`` section to pictures: one table of loaders, and the split of a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from autodl.data.batches import Normalisation
from autodl.data.cifar import load_cifar
from autodl.data.dataset import Dataset, LeftOut, Pictures, resize_dataset, select_classes
from autodl.data.folder import load_folder
from autodl.data.options import DataOptions, ExampleOptions
from autodl.data.random_labels import random_labels
from autodl.data.sample import NAME as SAMPLE
from autodl.data.sample import load_sample
from autodl.data.splits import Split, default_held_out, split
from autodl.data.subset import load_npz
from autodl.errors import ConfigError, DataError, lookup

# of CIFAR-10 after one JPEG round trip, from which the embedded sample was cut
_JPEG = "d5c0b295dc25cc018d7ebf180c2b9502d69251e9181e35ed885bcb824b1be222"


@dataclass(frozen=True, slots=True, eq=False)
class SearchData:
    """What trials train on and are scored on; the test part is not in here.

    ``checksum`` is that of the whole data set (both parts, after selection and resizing).
    ``split`` holds ``seed``, ``train`` and ``held_out`` (counts) and ``sha256`` (of the
    indices): with the checksum it says exactly which pictures a run saw. ``left_out`` counts the
    files that were not read, by class and reason.
    """

    train: Pictures
    held_out: Pictures
    normalisation: Normalisation
    name: str
    classes: tuple[str, ...]
    checksum: str
    official: bool | None
    split: Mapping[str, int | str]
    left_out: LeftOut = field(default_factory=dict)


def load(examples: ExampleOptions) -> Dataset:
    """Read the data set that a ``Data`` section describes. Nothing is ever downloaded.

    Raises:
        ConfigError: it describes no pictures.
        DataError: the data are missing, damaged or unsuitable.
        UnknownNameError: no such data set, or no such class in it.
    """
    options = picture_options(examples)
    return _select(_read(options), options)


def load_split(examples: ExampleOptions) -> SearchData:
    """Read the data and cut the training part into pictures to train on and to score on.

    Selecting classes does not move a picture across the cut: every class keeps the order it
    has in the whole data set. Random labels are those of positions in the whole training part, so
    that no cut changes them; the pictures that are scored on keep the true ones.

    Raises:
        DataError: see ``load``, or the numbers of pictures are impossible.
        ConfigError, UnknownNameError: see ``load``.
    """
    dataset, cut = _cut(examples)
    train = dataset.train.take(cut.train)
    if (seed := picture_options(examples).random_labels) is not None:
        drawn = random_labels(len(dataset.train), len(dataset.classes), seed)
        train = Pictures(train.images, drawn[cut.train])
    held_out = dataset.held_out or dataset.train.take(cut.held_out)
    per_picture = picture_options(examples).normalise == "pictures"
    return SearchData(
        train=train,
        held_out=held_out,
        normalisation=replace(Normalisation.of(train), per_picture=per_picture),
        name=dataset.name,
        classes=dataset.classes,
        checksum=dataset.checksum,
        official=dataset.official,
        split={
            "seed": picture_options(examples).split_seed,
            "train": len(cut.train),
            "held_out": len(held_out),
            "sha256": cut.sha256,
        },
        left_out=dataset.left_out,
    )


def picture_options(examples: ExampleOptions) -> DataOptions:
    """The section, if it describes pictures.

    Raises:
        ConfigError: it does not.
    """
    if not isinstance(examples, DataOptions):
        raise ConfigError(
            f"this is for pictures in classes, and Data.name is {examples.name}; docs/sequences.md"
            " says what can be done with series"
        )
    return examples


def left_over(examples: ExampleOptions) -> Pictures:
    """Pictures of the training part that ``load_split`` neither trains on nor holds out.

    There are some where ``train`` limits the pictures, or fewer are held out than the reserve has
    (see ``autodl/data/splits.py``); else there are none.

    Raises:
        DataError: see ``load_split``.
    """
    dataset, cut = _cut(examples)
    free = np.ones(len(dataset.train), bool)
    free[cut.train] = free[cut.held_out] = False
    return dataset.train.take(np.flatnonzero(free))


def _cut(examples: ExampleOptions) -> tuple[Dataset, Split]:
    options = picture_options(examples)
    whole = _read(options)
    dataset = _select(whole, options)
    labels = dataset.train.labels
    if dataset.held_out is not None:
        return dataset, _given_cut(dataset, options)
    held_out = options.held_out or default_held_out(len(labels), len(dataset.classes))
    class_ids = [whole.classes.index(name) for name in dataset.classes]
    return dataset, split(labels, held_out, options.train, options.split_seed, class_ids)


def _given_cut(dataset: Dataset, options: DataOptions) -> Split:
    """All of the training part to train on, beside pictures that were held out already.

    Raises:
        ConfigError: another cut is asked for.
    """
    for key in ("train", "held_out"):
        if (asked := getattr(options, key)) is not None:
            raise ConfigError(
                f"Data.{key} {asked}: {dataset.name} comes with a held-out part of"
                f" {len(dataset.held_out or ()):,} pictures; leave Data.{key} out"
            )
    nothing = np.arange(0)
    return Split(np.arange(len(dataset.train)), nothing)


def headline(data: SearchData) -> str:
    """One line for people: ``cifar10, 47500 + 2500 pictures, official: no``."""
    official = {True: "yes", False: "no", None: "unknown (nothing was published)"}[data.official]
    counts = f"{len(data.train)} + {len(data.held_out)} pictures"
    return f"{public_name(data.name, data.checksum)}, {counts}, official: {official}"


def public_name(name: str, checksum: str = "") -> str:
    """What accuracies on a data set of this name and checksum are reported under."""
    if name == SAMPLE:
        return f"{name} = CIFAR-10 (JPEG)"
    return "CIFAR-10 (JPEG)" if name == "cifar10" and checksum == _JPEG else name


def describe(data: SearchData) -> dict[str, object]:
    """What says exactly which pictures a run saw, wherever they are, for its manifest."""
    return {
        "checksum": data.checksum,
        "official": data.official,
        "split": dict(data.split),
    }


def read_from(options: ExampleOptions, data: object) -> dict[str, object]:
    """Where the examples were in this start of a run, and what was not read, for its manifest."""
    left_out = data.left_out if isinstance(data, SearchData) else {}
    left_out = {name: dict(counts) for name, counts in left_out.items()}
    path = None if options.path is None else str(options.path)
    return {"data_path": path, **({"left_out": left_out} if left_out else {})}


def _read(options: DataOptions) -> Dataset:
    return lookup(LOADERS, options.name, "data set")(options)


def _select(dataset: Dataset, options: DataOptions) -> Dataset:
    if options.classes is not None:
        dataset = select_classes(dataset, options.classes)
    if options.image_size is not None:
        dataset = resize_dataset(dataset, options.image_size)
    return dataset


def _path(options: DataOptions, what: str) -> Path:
    if options.path is None:
        raise DataError(
            f"Data.path is missing: {options.name} is read from {what}, nothing is downloaded. "
            f"Give Data.path, or set Data.name to {SAMPLE} for the embedded pictures"
        )
    return options.path


def _cifar10(options: DataOptions) -> Dataset:
    return load_cifar(_path(options, "the official python archive (folder or .tar.gz)"), 10)


def _cifar100(options: DataOptions) -> Dataset:
    return load_cifar(_path(options, "the official python archive (folder or .tar.gz)"), 100)


def _folder(options: DataOptions) -> Dataset:
    path = _path(options, "a folder with one sub-folder of pictures per class")
    return load_folder(path, options.image_size, seed=options.split_seed)


def _npz(options: DataOptions) -> Dataset:
    return load_npz(_path(options, "a file made by autodl prepare_data"))


def _sample(options: DataOptions) -> Dataset:
    if options.path is not None:
        raise DataError(
            f"{SAMPLE} ships with the package and reads no Data.path, got {str(options.path)!r}: "
            "set Data.name to cifar10, cifar100, folder or npz to read it"
        )
    return load_sample()


LOADERS: Mapping[str, Callable[[DataOptions], Dataset]] = {
    "cifar10": _cifar10,
    "cifar100": _cifar100,
    "folder": _folder,
    "npz": _npz,
    SAMPLE: _sample,
}
