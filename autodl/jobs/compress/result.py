"""What a compression came to: bits, ratios and files as plain values, and as lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paddle import nn

    from autodl.compression.bits.packing import Tensors

ACCEPTED_LOSS = 0.005  # of accuracy: what compression may cost to be worth it


def sizes(
    original_bytes: int, packed: Path, tensors: Tensors, layers: Mapping[str, nn.Layer]
) -> dict[str, Any]:
    """Bits by layer, on average, and what they make of the files, as plain values.

    ``original_bytes`` is the size of the network's weights before, without what only its training
    needed.
    ``average_bits`` is of the indices alone, ``stored_bits`` with the levels, which are what two
    ways to choose bits are compared at: a codebook is larger than a grid.
    ``ratio`` is 32 bits over the bits of the rounded layers with their levels; ``file_ratio`` is
    that of the files, with all that was not rounded.
    """
    from autodl.compression.bits.packing import Rounded, storage_bits
    from autodl.compression.bits.rounded_layers import average_bits

    rounded = {
        path: tensors[f"{path}.weight"]
        for path in layers
        if isinstance(tensors[f"{path}.weight"], Rounded)
    }
    bits = {path: value.levels.bits for path, value in rounded.items()}  # type: ignore[union-attr]
    counts = {path: value.indices.size for path, value in rounded.items()}  # type: ignore[union-attr]
    after = packed.stat().st_size
    return {
        "bits": bits,
        "weights": counts,
        "average_bits": average_bits(bits, counts),
        "stored_bits": storage_bits(rounded) / sum(counts.values()),
        "ratio": 32 * sum(counts.values()) / storage_bits(rounded),
        "original_bytes": original_bytes,
        "packed_bytes": after,
        "formula_bytes": storage_bits(tensors) / 8,
        "file_ratio": original_bytes / after,
    }


def result_lines(metrics: Mapping[str, Any]) -> list[str]:
    """What came of a compression, for people."""
    lines = ["bits  weights  layer"]
    for path, bits in metrics["bits"].items():
        lines.append(f"{bits:>4}  {metrics['weights'][path]:>7,}  {path}")
    loss = metrics["accuracy_before"] - metrics["accuracy_after"]
    lines += [
        f"average bits, weighted by size: {metrics['average_bits']:.3f}, with their levels"
        f" {32 / metrics['ratio']:.3f} (ratio of these layers: {metrics['ratio']:.2f})",
        f"held-out accuracy: {metrics['accuracy_before']:.4f} before,"
        f" {metrics['accuracy_rounded']:.4f} rounded, {metrics['accuracy_after']:.4f} after"
        f" ({metrics['held_out_pictures']} pictures)",
        f"files: {metrics['original_bytes']:,} bytes before, {metrics['packed_bytes']:,} after"
        f" (ratio {metrics['file_ratio']:.2f})",
        f"seconds: {metrics['search_seconds']:.1f} for the bits,"
        f" {metrics['fine_tuning_seconds']:.1f} for fine-tuning",
    ]
    if metrics["details"].get("reward_pictures_trained_on"):
        lines.append("the search's reward was measured on pictures that the network was trained on")
    if changes := metrics["details"].get("binning_change"):
        bounds = metrics["details"]["bounds"]
        share = max(change / abs(bounds[path]) for path, change in changes.items())
        lines.append(
            f"bounds of the mixtures: lower by at most {share:.1e} of their size, by binning"
        )
    if metrics["packed_bytes"] >= metrics["original_bytes"]:
        lines.append("it does not pay: the packed file is not smaller")
    elif loss > ACCEPTED_LOSS:
        lines.append(
            f"it does not pay: {100 * loss:.2f} points of accuracy are lost, more than"
            f" {100 * ACCEPTED_LOSS:.1f}; allow more bits, or train longer"
        )
    return lines
