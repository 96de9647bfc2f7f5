"""Statistics measured anew."""

import numpy as np
import paddle
from paddle import nn

from autodl.compression.batch_norms import estimate_again
from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures


def test_statistics_are_the_mean_over_batches():
    """Of 3 whole batches of 8, the last picture left out; float32 sums."""
    images = np.random.default_rng(0).integers(0, 256, (25, 4, 4, 3)).astype(np.uint8)
    data = Pictures(images, np.zeros(25, np.int64))
    normalisation = Normalisation.of(data)
    network = nn.Sequential(nn.Dropout(0.9), nn.BatchNorm2D(3))
    network[1]._mean.set_value(np.float32([9, 9, 9]))
    weights = network[1].weight.numpy()
    estimate_again(network, data, normalisation, batch_size=8)
    batches = normalisation.normalise(images[:24]).reshape(3, 8, 3, 4, 4)
    means = batches.mean(axis=(1, 3, 4)).mean(axis=0)
    variances = batches.var(axis=(1, 3, 4)).mean(axis=0)
    np.testing.assert_allclose(network[1]._mean.numpy(), means, atol=1e-5)
    np.testing.assert_allclose(network[1]._variance.numpy(), variances, rtol=1e-4)
    np.testing.assert_array_equal(network[1].weight.numpy(), weights)
    assert network[1]._momentum == 0.9
    assert not network[1].training
    assert paddle.is_grad_enabled()
