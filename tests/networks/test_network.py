"""A network computes its plan: order, several readers, names, memory and seeds."""

from __future__ import annotations

import weakref

import numpy as np
import paddle
import pytest

from autodl.networks.layers import make_layer
from autodl.networks.network import PlanNetwork
from autodl.plans.layers import Add, Concat, Conv, GlobalAvgPool, Linear, Relu
from autodl.plans.plan import Auxiliary, PlanBuilder


def branching_plan():
    """The stem is read by three layers, one of which reads it twice; a branch joins late."""
    builder = PlanBuilder((3, 4, 4))
    stem = builder.add("stem", Conv(3, 2, (1, 1)), 0)
    left = builder.add("block.left", Conv(2, 2, (3, 3), padding=(1, 1, 1, 1)), stem)
    twice = builder.add("block.twice", Add(), stem, stem)
    right = builder.add("block.deep.right", Relu(), twice)
    both = builder.add("both", Concat(), left, right, stem)
    pooled = builder.add("pool", GlobalAvgPool(), both)
    builder.add("classifier", Linear(6, 5), pooled)
    return builder.finish()


@pytest.fixture
def images():
    return paddle.to_tensor(np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype("float32"))


def test_it_computes_the_plan(images):
    """Against the same layers called by hand; the same operations, so the same bits."""
    network = PlanNetwork(branching_plan(), seed=3)
    stem = network.layer("stem")(images)
    left = network.layer("block.left")(stem)
    right = paddle.nn.functional.relu(stem + stem)
    pooled = paddle.concat([left, right, stem], axis=1).mean(axis=[2, 3])
    expected = network.layer("classifier")(pooled)
    found = network(images)
    assert tuple(found.shape) == (2, *network.plan.output_shape)
    np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_layers_sit_where_their_records_say():
    plan = branching_plan()
    network = PlanNetwork(plan)
    for record in plan.records[1:]:
        assert type(network.layer(record.name)) is type(make_layer(record.layer))
    names = {name.rsplit(".", 1)[0] for name in network.state_dict()}
    assert names == {"stem", "block.left", "classifier"}
    assert sum(p.size for p in network.parameters()) == plan.parameters
    with pytest.raises(KeyError):
        network.layer("block.middle")


@pytest.mark.parametrize("name", ["training", "plan", "forward.layer", "0", "auxiliary"])
def test_names_that_python_or_paddle_use_are_fine(name, images):
    builder = PlanBuilder((3, 4, 4))
    builder.add("head", Conv(3, 2, (1, 1)), builder.add(name, Relu(), 0))
    network = PlanNetwork(builder.finish())
    assert isinstance(network.layer(name), paddle.nn.ReLU)
    expected = network.layer("head")(paddle.nn.functional.relu(images))
    np.testing.assert_array_equal(network(images).numpy(), expected.numpy())


def test_values_are_let_go_after_their_last_reader(images):
    """Without gradients, which keep them, the first of three is gone when the third is made."""
    builder = PlanBuilder((3, 4, 4))
    x = 0
    for name in ("a", "b", "c"):
        x = builder.add(name, Relu(), x)
    network = PlanNetwork(builder.finish())
    alive = []
    made = []

    def watch(layer, inputs, output):
        alive.append([value() is not None for value in made])
        made.append(weakref.ref(output))

    for name in ("a", "b", "c"):
        network.layer(name).register_forward_post_hook(watch)
    with paddle.no_grad():
        network(images)
    assert alive == [[], [True], [False, True]]


def test_the_seed_decides_the_weights():
    def weights(seed):
        return {name: v.numpy() for name, v in PlanNetwork(plan, seed).state_dict().items()}

    plan = branching_plan()
    paddle.seed(1)
    first = weights(5)
    paddle.seed(2)  # whatever the global generator is at
    again, other = weights(5), weights(6)
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
    assert not np.array_equal(first["stem.weight"], other["stem.weight"])
    paddle.seed(5)
    np.testing.assert_array_equal(weights(None)["stem.weight"], first["stem.weight"])


def with_auxiliary_plan(name="late"):
    """A classifier that reads the first layer, which the second one reads last."""
    side = PlanBuilder((2, 4, 4))
    side.add("classifier", Linear(2, 5), side.add("pool", GlobalAvgPool(), 0))
    builder = PlanBuilder((3, 4, 4))
    stem = builder.add("stem", Conv(3, 2, (1, 1)), 0)
    late = builder.add(name, Relu(), stem)
    builder.add("classifier", Linear(2, 5), builder.add("pool", GlobalAvgPool(), late))
    return builder.finish(Auxiliary(stem, side.finish()))


def test_an_auxiliary_classifier_reads_its_layer(images):
    plan = with_auxiliary_plan()
    network, plain = PlanNetwork(plan, seed=3, auxiliary=True), PlanNetwork(plan, seed=3)
    logits, extra = network.with_auxiliary(images)
    np.testing.assert_array_equal(logits.numpy(), plain(images).numpy())
    expected = network.auxiliary(network.layer("stem")(images))
    np.testing.assert_array_equal(extra.numpy(), expected.numpy())
    assert plan.parameters == sum(p.size for p in plain.parameters()) == 8 + 15
    added = set(network.state_dict()) - set(plain.state_dict())
    assert added == {"auxiliary.classifier.weight", "auxiliary.classifier.bias"}

    assert plain.auxiliary is None
    with pytest.raises(ValueError, match="was built without an auxiliary classifier"):
        plain.with_auxiliary(images)
    network.drop_auxiliary()
    network.drop_auxiliary()  # there is none any more
    assert network.auxiliary is None
    assert list(network.state_dict()) == list(plain.state_dict())


def test_an_auxiliary_classifier_that_cannot_be():
    with pytest.raises(ValueError, match="the plan has no auxiliary classifier"):
        PlanNetwork(branching_plan(), auxiliary=True)
    for name in ("auxiliary", "auxiliary.relu"):
        with pytest.raises(ValueError, match="is the place of the auxiliary classifier"):
            with_auxiliary_plan(name)
