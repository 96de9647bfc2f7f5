"""What Paddle reads from its environment when it is imported, set before anything imports it."""

from __future__ import annotations

import os
import warnings


def prepare_paddle() -> None:
    """Ask for repeatable GPU kernels, and silence two warnings that Paddle repeats."""
    for flag in ("FLAGS_cudnn_deterministic", "FLAGS_embedding_deterministic"):
        os.environ.setdefault(flag, "1")
    warnings.filterwarnings("ignore", message="No ccache found")
    warnings.filterwarnings("ignore", message="When training, we now always track")
