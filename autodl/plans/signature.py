"""What a network is built for: the shapes that it takes and gives, and how makers are told them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Signature:
    """The shapes of one example, going in and coming out, without the axis of the batch.

    ``arguments`` are the keywords that a plan maker is called with beside its options: for pictures
    ``classes`` and ``image_size``, for another kind of task those that its networks take.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    arguments: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


def picture_signature(classes: int, image_size: int) -> Signature:
    """Square colour pictures in classes: ``[3, image_size, image_size]`` to ``[classes]``."""
    arguments = MappingProxyType({"classes": classes, "image_size": image_size})
    return Signature((3, image_size, image_size), (classes,), arguments)
