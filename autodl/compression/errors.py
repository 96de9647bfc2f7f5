"""What cannot be compressed, and why."""

from __future__ import annotations

from autodl.errors import AutoDLError


class CompressionError(AutoDLError, ValueError):
    """Weights, levels or numbers of bits that compression cannot work with."""
