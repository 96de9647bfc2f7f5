"""Statistics that are estimated anew are the means over batches, and nothing else changes."""

from __future__ import annotations

import numpy as np
import paddle

from autodl.supernets.single_path.statistics import estimate_statistics


def test_statistics_are_means_over_batches(supernet):
    rng = np.random.default_rng(0)
    batches = [paddle.to_tensor(rng.normal(size=(6, 3, 8, 8)).astype("float32")) for _ in range(3)]
    network = supernet.alone(np.array([2] * len(supernet.space.sizes)))
    network.stem.norm._mean.set_value(np.full(2, 5.0, "float32"))  # of another life
    before = {name: value.numpy() for name, value in network.state_dict().items()}
    estimate_statistics(network, batches)
    assert not network.training
    maps = [network.stem.conv(batch).numpy() for batch in batches]
    means = np.mean([one.mean(axis=(0, 2, 3)) for one in maps], axis=0)
    variances = np.mean([one.var(axis=(0, 2, 3)) for one in maps], axis=0)
    norm = network.stem.norm
    np.testing.assert_allclose(norm._mean.numpy(), means, atol=1e-5)  # float32, 384 numbers
    np.testing.assert_allclose(norm._variance.numpy(), variances, rtol=1e-4)
    assert norm._momentum == 0.9
    for name, value in network.state_dict().items():
        if not name.endswith(("_mean", "_variance")):
            np.testing.assert_array_equal(value.numpy(), before[name])
