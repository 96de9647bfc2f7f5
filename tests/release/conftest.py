"""Two small released networks and their ensemble."""

from released_for_tests import held_out, models, shipped

__all__ = ["held_out", "models", "shipped"]
