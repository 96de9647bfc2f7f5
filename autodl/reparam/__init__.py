"""Re-parameterisation: many branches while training, one convolution when deployed.

    blocks        asymmetric.py (ACNet), diverse.py (DBB), repvgg.py: for Conv2D with BatchNorm2D
    replacement   ``replace_convolutions``: puts a block where a built network has a convolution
    fusion        ``fuse``, ``fuse_in_place``: every block, and every plain convolution with its
                  batch-norm, becomes one convolution; ``load_fused`` reads weights into the result
    functional    the six transforms on raw tensors

Both forms give the same outputs in evaluation mode. While training they differ, and should: the
branches normalise with the statistics of the batch.
"""

from autodl.system.packages import require_paddle

require_paddle()
