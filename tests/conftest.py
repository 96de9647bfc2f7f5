"""One thread per process, and property tests that are the same every time."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and Paddle

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")
