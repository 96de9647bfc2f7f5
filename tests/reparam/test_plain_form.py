"""The form that is compressed: outputs of the trained network, and layers that the plan names."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from autodl.networks.network import PlanNetwork
from autodl.plans.layers import Conv, GlobalAvgPool, Linear
from autodl.plans.plan import PlanBuilder
from autodl.recipes.options import TrainOptions
from autodl.reparam.plain_form import is_plain, plain_form, plain_network
from autodl.reparam.training_form import training_network
from autodl.spaces.classic.cifar_quick import cifar_quick_plan
from autodl.spaces.classic.repvgg import repvgg_plan
from autodl.spaces.classic.resnet import resnet_plan
from autodl.spaces.genotype.plan import published_genotype_plan

QUICK = cifar_quick_plan(image_size=16)
RESNET = resnet_plan(depth=8, width=4, image_size=16)
REPVGG = repvgg_plan(classes=10, image_size=16, layers=(1, 1, 1, 1), width=0.0625, cifar=True)


def without_norms():
    builder = PlanBuilder((3, 16, 16))
    here = builder.add("first", Conv(3, 4, (3, 3), padding=(1, 1, 1, 1), bias=False), 0)
    here = builder.add("second", Conv(4, 4, (3, 3), padding=(1, 1, 1, 1), bias=True), here)
    here = builder.add("pool", GlobalAvgPool(), here)
    builder.add("classifier", Linear(4, 10), here)
    return builder.finish()


BARE = without_norms()


def state(network):
    return {name: value.numpy() for name, value in network.state_dict().items()}


def batches(size=16, count=2):
    rng = np.random.default_rng(3)
    return [paddle.to_tensor(rng.normal(size=(8, 3, size, size)).astype("float32"))] * count


@pytest.mark.parametrize(
    "plan, branches",
    [(QUICK, "acb"), (BARE, "dbb"), (RESNET, "acb"), (RESNET, "dbb"), (REPVGG, "repvgg")],
)
def test_branches_become_the_plans_own_convolutions_with_their_batch_norms(plan, branches, tell):
    network = training_network(plan, TrainOptions(branches=branches), seed=1)
    tell.randomise(network, dtype="float32")
    assert not is_plain(network)
    plain = plain_form(network, batches())
    assert is_plain(plain)
    x = tell.inputs(4, 3, 16, 16, dtype="float32")
    # float32: kernels of up to 5 branches and batch-norms of random scales, up to 12 in a row
    assert tell.difference(tell.run(plain, x), tell.run(network, x)) < 1e-4
    assert list(state(plain)) == list(state(plain_network(network)))
    if plan is not BARE:
        assert list(state(plain)) == list(state(PlanNetwork(plan)))


def test_a_convolution_without_batch_norm_gets_a_bias():
    """It holds what the batch-norms of its branches added."""
    network = training_network(BARE, TrainOptions(branches="acb"), seed=1)
    assert plain_network(network).layer("first").bias is not None
    assert PlanNetwork(BARE).layer("first").bias is None


def test_batch_norms_that_are_put_back_hold_the_statistics_of_what_they_read(tell):
    network = training_network(RESNET, TrainOptions(branches="dbb"), seed=1)
    tell.randomise(network, dtype="float32")
    given = batches()
    plain = plain_form(network, given)
    read = []
    plain.layer("stem.conv").register_forward_post_hook(lambda layer, x, y: read.append(y.numpy()))
    for images in given:
        plain(images)
    maps, norm = np.concatenate(read), plain.layer("stem.norm")
    # float32 outputs, summed in float64
    np.testing.assert_allclose(norm._mean.numpy(), maps.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(norm._variance.numpy(), maps.var((0, 2, 3)), rtol=1e-4, atol=1e-5)


def test_the_auxiliary_classifier_is_left_out():
    plan = published_genotype_plan(genotype="DARTS_V2", channels=4, layers=3)
    network = training_network(plan, TrainOptions(auxiliary_weight=0.4), seed=1)
    plain = plain_form(network, [])
    assert plain.auxiliary is None
    x = batches(32)[0]
    network.eval()
    assert (plain(x).numpy() == network(x).numpy()).all()
    assert set(state(plain)) == set(state(PlanNetwork(plan)))
    assert network.auxiliary is not None  # the network itself stays as it is


def test_a_plain_network_stays_what_it_is():
    network = PlanNetwork(RESNET, seed=2)
    assert is_plain(network)
    known, found = state(network), state(plain_form(network, []))
    assert list(found) == list(known)
    assert all((found[name] == known[name]).all() for name in known)
