"""How operations and metrics are called in pictures and reports, and coloured."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """Operations that share a colour: ``fill`` of the box, ``ink`` of its border and arrows."""

    label: str
    fill: str
    ink: str


# The first pattern that matches decides; the last one takes what plugins add.
_FAMILIES: tuple[tuple[str, Family], ...] = (
    (r"skip", Family("skip", "#ECECEC", "#6B6B6B")),
    (r"max_pool", Family("max pooling", "#F8D5D3", "#B23A35")),
    (r"avg_pool", Family("average pooling", "#FCEDB9", "#9A7400")),
    (r"dil_conv|dilated_", Family("dilated convolution", "#E2D9F3", "#6A4BA8")),
    (r"sep_conv", Family("separable convolution", "#CFEAE3", "#1C7C69")),
    (r"conv_\d+x\d+_\d+x\d+$", Family("pair of convolutions", "#FBDFC4", "#BC6512")),
    (r"lstm$|gru$", Family("recurrence", "#F6D9EA", "#98367A")),
    (r"conv_", Family("convolution", "#D3E5F6", "#2C6AA6")),
    (r"", Family("other", "#FFFFFF", "#444444")),
)

_WORDS = {
    "dil": "dilated",
    "sep": "separable",
    "skip_connect": "skip",
    "lstm": "LSTM",
    "gru": "GRU",
}


def family(operation: str) -> Family:
    """The family of an operation's name; names that nobody foresaw are "other"."""
    return next(found for pattern, found in _FAMILIES if re.match(pattern, operation))


def families() -> tuple[Family, ...]:
    """All families in the order of the legend."""
    return tuple(found for _, found in reversed(_FAMILIES))


def readable(operation: str) -> str:
    """``dil_conv_3x3`` as ``dilated conv 3×3``, and so on."""
    if operation in _WORDS:
        return _WORDS[operation]
    words = [_WORDS.get(word, word) for word in operation.split("_") if word]
    text = re.sub(r"(\d)x(\d)", r"\1×\2", " ".join(words))
    return re.sub(r"(\d×\d) (?=\d×\d)", r"\1, ", text) or operation


_METRICS = {
    "macs": "MACs",
    "latency_ms": "latency (ms)",
    "training_ms": "training step (ms)",
    "seconds": "seconds",
    "compute_seconds": "seconds of computing",
    "teacher_seconds": "seconds of the teacher",
}


def readable_metric(metric: str) -> str:
    """``macs`` as ``MACs``, and so on."""
    return _METRICS.get(metric, metric.replace("_", " "))


def readable_number(value: float | None) -> str:
    """Whole numbers as such, four digits after the point below 1, four in all above; or a dash."""
    if value is None:
        return "-"
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.4g}"
