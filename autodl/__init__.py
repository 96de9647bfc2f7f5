"""AutoDL for PaddlePaddle: neural networks that design neural networks.

Importing this package costs next to nothing: every part is imported by its own name, and only
those below the line in the README's map of the code import Paddle. It sets variables of the
environment, for Paddle's speed on AMD processors (``autodl/system/processor.py``) and for kernels
that repeat (``autodl/system/paddle_environment.py``).
"""

from autodl.system.paddle_environment import prepare_paddle as _prepare_paddle
from autodl.system.processor import use_vector_units as _use_vector_units

__version__ = "0.1.0"

_use_vector_units()  # before anything imports Paddle
_prepare_paddle()
