"""Which layers of a network a hook may give other first weights."""

from __future__ import annotations

from paddle import nn


def layers_to_start(network: nn.Layer) -> list[nn.Layer]:
    """Layers below a network that may start from other weights, in the order of ``sublayers()``.

    Left out are those whose weight is frozen, as that of a whitened convolution, and all within a
    layer that says ``keeps_start``, as blocks of branches do: their sum is what starts.
    """
    layers = network.sublayers()
    kept = {
        id(part)
        for layer in layers
        if getattr(layer, "keeps_start", False)
        for part in layer.sublayers(include_self=True)
    }
    return [layer for layer in layers if id(layer) not in kept and not _is_frozen(layer)]


def _is_frozen(layer: nn.Layer) -> bool:
    return bool(getattr(getattr(layer, "weight", None), "stop_gradient", False))
