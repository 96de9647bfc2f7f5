"""AutoDL for PaddlePaddle: neural networks that design neural networks.

Importing this package costs next to nothing: every part is imported by its own name, and only
those below the line in the README's map of the code import Paddle. It sets one variable of the
environment, for Paddle's speed on AMD processors; see ``autodl/system/processor.py``.
"""

from autodl.system.processor import use_vector_units as _use_vector_units

__version__ = "0.1.0"

_use_vector_units()  # before anything imports Paddle
