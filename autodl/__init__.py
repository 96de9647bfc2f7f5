"""AutoDL for PaddlePaddle: neural networks that design neural networks.

Importing this package costs nothing: every part is imported by its own name, and only
those below the line in the README's map of the code import Paddle.
"""

__version__ = "0.1.0"
