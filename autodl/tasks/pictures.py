"""Pictures in classes: the examples of ``Data``, mirrored, cropped, cut out, mixed and growing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from autodl.data.augment import augmenter, mixup
from autodl.data.batches import Normalisation, iterate
from autodl.data.dataset import Pictures
from autodl.data.load import SearchData, describe, headline, load_split
from autodl.data.options import DataOptions
from autodl.data.resize import picture_side, resize_batch
from autodl.data.views import two_views
from autodl.plans.signature import Signature, picture_signature
from autodl.tasks.task import ACCURACY, Batch, Changes, Drawing, Metric, Part, Rows


@dataclass(frozen=True, slots=True, eq=False)
class PictureTask(SearchData):
    """Telling the class of a picture; the metric is the accuracy.

    ``shown`` is the side that pictures have where nothing is drawn, None their own.
    """

    shown: int | None = None

    @classmethod
    def of(cls, data: SearchData) -> PictureTask:
        """The task of data that were split for a search."""
        return cls(**{field.name: getattr(data, field.name) for field in fields(SearchData)})

    @classmethod
    def alone(cls, pictures: Pictures, normalisation: Normalisation) -> PictureTask:
        """Pictures to train on, and no others: their classes have numbers for names."""
        classes = tuple(str(number) for number in range(int(pictures.labels.max(initial=0)) + 1))
        nothing = pictures.take(np.arange(0))
        return cls(pictures, nothing, normalisation, "", classes, "", None, {})

    @property
    def goal(self) -> str:
        """The kind of goal by name."""
        return "classification"

    @property
    def signature(self) -> Signature:
        """Colour pictures, to a number for every class."""
        return picture_signature(len(self.classes), self.train.images.shape[1])

    @property
    def metric(self) -> Metric:
        """The share of pictures whose likeliest class is the right one."""
        return ACCURACY

    @property
    def examples(self) -> str:
        """What lines of progress call them."""
        return "pictures"

    @property
    def headline(self) -> str:
        """Name and counts of the pictures, and whether they are official."""
        return headline(self)

    def count(self, part: Part) -> int:
        """How many pictures a part has."""
        return len(self._pictures(part))

    def _pictures(self, part: Part) -> Pictures:
        return self.train if part == "train" else self.held_out

    def batches(self, part: Part, size: int, drawing: Drawing | None = None) -> Iterator[Batch]:
        """Float32 ``[B, 3, H, W]`` and int64 ``[B]``; see ``Task``."""
        labels, normalisation = self._pictures(part).labels, self.normalisation
        # numbered in place of labelled, so that a batch says which pictures it has
        pictures = Pictures(self._pictures(part).images, np.arange(len(labels)))
        if drawing is None:
            for images, places in iterate(pictures, size, normalisation=normalisation):
                shown = resize_batch(images, self.shown or images.shape[-1])
                yield Batch(shown, labels[places], positions=places)
            return
        changes, rng = drawing.changes, drawing.rng
        side = self.side(changes, drawing.epoch, drawing.epochs)
        augment = augmenter(
            padding=changes.pad_crop,
            border=changes.border,
            flip_rule=changes.flip,
            vertical=changes.vertical_flip,
            brightness=changes.brightness,
            cutout_size=changes.cutout,
            fill=normalisation.mean_colour,
            epoch=drawing.epoch,
            seed=drawing.seed,
        )
        for images, places in iterate(
            pictures, size, normalisation=normalisation, rng=rng, augment=augment, drop_last=True
        ):
            resized = resize_batch(images, side)
            if changes.mixup:
                mixed = mixup(resized, places, rng, changes.mixup)
                others = mixed.partners
                yield Batch(
                    mixed.images, labels[places], labels[others], mixed.weight, places, others
                )
            else:
                yield Batch(resized, labels[places], positions=places)

    def shown_at(self, side: int) -> PictureTask:
        """The same pictures, measured at another size than their own."""
        return replace(self, shown=side)

    def side(self, changes: Changes, epoch: int, epochs: int) -> int:
        """Side of the pictures in an epoch; see ``picture_side``."""
        growth = (changes.first_size, changes.grown, changes.grown_by)
        return picture_side(epoch, epochs, self.train.images.shape[1], *growth)

    def views(self, inputs: Rows) -> tuple[Rows, ...]:
        """The pictures and their mirror images."""
        return two_views(inputs)

    def identity(self) -> dict[str, Any]:
        """Checksum and split: exactly which pictures a run saw."""
        return describe(self)

    def record(self) -> Mapping[str, Any]:
        """Classes, side and normalisation of the pictures, and how many are held out."""
        return {
            "held_out_pictures": len(self.held_out),
            "classes": list(self.classes),
            "image_size": self.train.images.shape[1],
            **self.normalisation.to_plain(),
        }


def load_pictures(options: DataOptions) -> PictureTask:
    """Read pictures and cut their training part; see ``load_split``."""
    return PictureTask.of(load_split(options))
