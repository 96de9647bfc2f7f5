"""Proximal steps, tolerances, and a network whose layers have 2 and 8 levels."""

import numpy as np
import paddle
import pytest
from paddle import nn
from scipy.optimize import minimize_scalar

from autodl.compression.bits.bayesian_bits import (
    BayesianBits,
    curvatures_of,
    proximal_step,
    tolerances,
)
from autodl.compression.bits.levels import Levels
from autodl.compression.bits.options import BayesianBitsOptions
from autodl.compression.bits.rounded_layers import assign, layers_to_round, weights_of
from autodl.compression.bits.straight_through import rounded_forward
from autodl.compression.choice import Task
from autodl.compression.errors import CompressionError
from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.tasks.pictures import PictureTask
from autodl.training.fit import Trainer
from autodl.trial import TrialFailure

TRAIN = TrainOptions(
    epochs=2, batch_size=20, learning_rate=1e-4, weight_decay=0.0, pad_crop=0, flip="none"
)


def pictures(count=100, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    images = rng.integers(0, 80, size=(count, 8, 8, 3))
    images[np.arange(count), labels, labels] += 150  # a corner each
    return Pictures(images.astype(np.uint8), labels.astype(np.int64))


def task_of(network, keep_ends=False, **options):
    data = pictures()
    return Task(
        network=network,
        layers=layers_to_round(network, keep_ends=keep_ends),
        pictures=data,
        normalisation=Normalisation.of(data),
        train=TRAIN.model_copy(update=options),
        seed=0,
    )


def small_network(seed=0):
    paddle.seed(seed)
    return nn.Sequential(
        nn.Conv2D(3, 8, 3, padding=1, bias_attr=False),
        nn.BatchNorm2D(8),
        nn.ReLU(),
        nn.Conv2D(8, 8, 3, stride=2, padding=1),
        nn.Flatten(),
        nn.Linear(128, 4),
    )


def test_proximal_step_is_the_minimum():
    levels = Levels.codebook([0.0, 0.25])
    step = proximal_step(np.float32([0.3]), levels, 4.0)
    best = minimize_scalar(lambda u: 0.5 * (u - 0.3) ** 2 + 4.0 * (u - 0.25) ** 2)
    assert step[0] == pytest.approx(0.2555556, abs=1e-7)
    assert step[0] == pytest.approx(best.x, abs=1e-7)


def test_proximal_step_contracts_by_its_factor():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=200).astype("float32")
    levels = Levels.codebook(rng.normal(size=7))
    away = weights - levels.rounded(weights)
    for pull in (0.0, 0.5, 3.0):
        moved = proximal_step(weights, levels, pull)
        # float32 rounding of numbers of size 1
        np.testing.assert_allclose(
            moved - levels.rounded(weights), away / (1 + 2 * pull), atol=3e-7
        )
    np.testing.assert_allclose(proximal_step(weights, levels, 1e9), levels.rounded(weights), 1e-6)
    np.testing.assert_array_equal(proximal_step(levels.values, levels, 2.0), levels.values)


def test_tolerances_are_wider_where_the_loss_is_flatter():
    network = small_network()
    layers = layers_to_round(network, keep_ends=False)
    counts = np.array([layer.weight.size for layer in layers.values()])
    deviations = np.array([weights_of(layer).std() for layer in layers.values()])
    curved = dict(zip(layers, [4.0, 1.0, 1.0], strict=True))
    found = np.array(list(tolerances(curved, layers, 0.3).values()))
    # rounding noise (tolerance x deviation) goes with 1 / sqrt(curvature)
    noise = found * deviations
    np.testing.assert_allclose(noise[1:] / noise[0], 2.0, rtol=1e-6)
    assert np.exp(counts @ np.log(found) / counts.sum()) == pytest.approx(0.3)
    flat = dict.fromkeys(layers, 0.0)
    assert all(np.isfinite(list(tolerances(flat, layers, 0.3).values())))


def test_curvatures_leave_the_network_as_it_is():
    task = task_of(small_network())
    before = {name: value.numpy() for name, value in task.network.state_dict().items()}
    curved = curvatures_of(task)
    assert list(curved) == list(task.layers)
    assert min(curved.values()) > 0
    for name, value in task.network.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])
    assert all(parameter.grad is None for parameter in task.network.parameters())


def trained_on_levels():
    """An MLP trained on a task, with 2 levels in the first layer and 8 in the second."""
    paddle.seed(1)
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(192, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4)
    )
    task = task_of(network, epochs=8, learning_rate=0.05)
    del task.layers["5"]  # of free weights
    levels = {}
    for (path, layer), count in zip(task.layers.items(), (2, 8), strict=True):
        reach = 1.5 * weights_of(layer).std()
        levels[path] = Levels.codebook(np.linspace(-reach, reach, count))
    trainer = Trainer(
        network, PictureTask.alone(task.pictures, task.normalisation), recipe_of(task.train), 0
    )
    with rounded_forward(task.layers, levels):
        trainer.fit()
    assign(task.layers, levels)
    assert trainer.curve[-1]["accuracy"] > 0.6  # of 4 classes, with crops and the like
    task.train = TRAIN
    return network, task


@pytest.mark.parametrize("by_sensitivity", [False, True])
def test_levels_that_are_there_are_found(by_sensitivity):
    """1 and 3 bits, and the outputs stay: weights on levels are where they were, to rounding."""
    network, task = trained_on_levels()
    x = paddle.to_tensor(np.random.default_rng(0).normal(size=(16, 3, 8, 8)).astype("float32"))
    before = network(x).numpy()
    method = BayesianBits(
        BayesianBitsOptions(tolerance=0.05, interval=5, by_sensitivity=by_sensitivity)
    )
    # the network learns nothing here: what is tested is inference and rounding
    task.train = task.train.model_copy(update={"learning_rate": 1e-12})
    choice = method.choose(task)
    assert {path: own.bits for path, own in choice.levels.items()} == {"1": 1, "3": 3}
    assign(task.layers, choice.levels)
    np.testing.assert_allclose(network(x).numpy(), before, atol=1e-6)


def test_training_draws_weights_to_their_levels():
    task = task_of(small_network(), epochs=4)
    methods = [
        BayesianBits(BayesianBitsOptions(tolerance=0.4, interval=5, last_pull=pull))
        for pull in (0, 5)
    ]
    away = [spread_of(task, method) for method in methods]
    assert away[1] < 0.25 * away[0]


def spread_of(task, method):
    """Root mean square distance of the weights from their levels, after choosing."""
    task.network = small_network()
    task.layers = layers_to_round(task.network, keep_ends=False)
    method._options = method._options.model_copy(update={"first_pull": 0.0})
    levels = method.choose(task).levels
    away = [
        (weights_of(layer) - levels[path].rounded(weights_of(layer))).ravel()
        for path, layer in task.layers.items()
    ]
    return float(np.sqrt(np.mean(np.concatenate(away) ** 2)))


def test_interrupted_training_goes_on_to_the_same_levels():
    """From what was saved after the first of two epochs, in a fresh network."""
    whole, saved = task_of(small_network()), []
    whole.save = saved.append
    method = BayesianBits(BayesianBitsOptions(tolerance=0.3, interval=2))
    expected = method.choose(whole)

    resumed = task_of(small_network(seed=5))
    resumed.saved = saved[0]
    found = method.choose(resumed)
    for path, own in expected.levels.items():
        np.testing.assert_array_equal(found.levels[path].values, own.values)
    for path, layer in whole.layers.items():
        np.testing.assert_array_equal(weights_of(layer), weights_of(resumed.layers[path]))
    assert found.details["average_bits"] == expected.details["average_bits"]
    assert found.seconds > 0


def test_no_layer_has_fewer_bits_than_the_least():
    """A tolerance of the whole deviation would leave one level."""
    choice = BayesianBits(BayesianBitsOptions(tolerance=2.0, least_bits=2)).choose(
        task_of(small_network(), epochs=1)
    )
    assert min(own.bits for own in choice.levels.values()) == 2


def test_a_layer_of_nearly_equal_weights_has_the_least_bits():
    """99.6 % zeros: no tolerance gives the others enough of the mass to be a level."""
    network = small_network()
    weights = np.zeros([8, 8, 3, 3], "float32")
    weights[0, 0, 0, :2] = [1.0, -1.0]
    network[3].weight.set_value(weights)
    choice = BayesianBits(BayesianBitsOptions(by_sensitivity=False, interval=100)).choose(
        task_of(network, epochs=1)
    )
    assert choice.levels["3"].bits >= 1


def test_change_of_the_bounds_by_binning_is_told():
    """Of 576 weights; the other layer's 216 are a point each."""
    method = BayesianBits(BayesianBitsOptions(points=216, interval=100, by_sensitivity=False))
    details = method.choose(task_of(small_network(), epochs=1)).details
    assert details["binning_change"]["0"] == 0
    assert 0 < details["binning_change"]["3"] < 0.01 * abs(details["bounds"]["3"])


def test_a_training_that_diverges_says_so():
    """And not that a layer should be left out."""
    task = task_of(small_network(), learning_rate=1e30)
    with pytest.raises(TrialFailure, match=r"a lower Train\.learning_rate"):
        BayesianBits(BayesianBitsOptions(interval=1, by_sensitivity=False)).choose(task)


def constant(network):
    network[3].weight.set_value(np.full([8, 8, 3, 3], 0.5, "float32"))


def not_finite(network):
    network[3].weight.set_value(np.full([8, 8, 3, 3], np.nan, "float32"))


def bias_not_finite(network):
    network[5].bias.set_value(np.full([4], np.nan, "float32"))


@pytest.mark.parametrize(
    "spoil, options, said",
    [
        (bias_not_finite, {}, "no finite gradient in 0: some numbers of the network are not"),
        (constant, {}, "^3: all 576 weights are 0.5: a constant layer.*Layers.keep=.3. leaves"),
        (not_finite, {}, "^3: 576 of 576 weights are not finite"),
        (lambda network: None, {"truncation": 256}, "^0: 216 weights are fewer.*256"),
    ],
)
def test_bad_layers_are_named(spoil, options, said):
    network = small_network()
    spoil(network)
    with pytest.raises(CompressionError, match=said):
        BayesianBits(BayesianBitsOptions(**options)).choose(task_of(network))


def test_more_bits_than_levels_are_refused():
    assert BayesianBits(BayesianBitsOptions(truncation=9, least_bits=4))
    with pytest.raises(ValueError, match="least_bits must be at most 4, the bits of truncation 16"):
        BayesianBits(BayesianBitsOptions(least_bits=5))
