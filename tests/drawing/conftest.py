"""Here the pictures are looked at."""

import pytest


@pytest.fixture(autouse=True)
def plain_pictures():
    """None is left out."""
