"""What goes wrong with branches and kernels, said with the path of the layer."""

from __future__ import annotations

from autodl.errors import AutoDLError


class ReparameterisationError(AutoDLError, ValueError):
    """A layer cannot take a branched form, or branches cannot become one convolution.

    Args:
        reason: what was rejected, what is allowed and how to mend it.
        layer: dotted path of the layer as far as it is known; whoever knows more of it raises
            ``error.inside(path)``.
    """

    def __init__(self, reason: str, layer: str = "") -> None:
        super().__init__(f"{layer}: {reason}" if layer else reason)
        self.reason = reason
        self.layer = layer

    def inside(self, path: str) -> ReparameterisationError:
        """The same error seen from a model that holds the layer at ``path``."""
        return ReparameterisationError(self.reason, ".".join(p for p in (path, self.layer) if p))
