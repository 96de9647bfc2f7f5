"""What every term of the loss keeps to: it is finite, and gradients flow only where they should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import paddle
import pytest

from autodl.config.components import make_part, table
from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.networks.precision import mixed_precision
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.reparam.training_form import training_network
from autodl.spaces.genotype.architecture import published_genotype
from autodl.spaces.genotype.plan import genotype_plan
from autodl.tasks.pictures import PictureTask
from autodl.training.goal import Truth
from autodl.training.goals.classification import Classification
from autodl.training.parallel import ALONE
from autodl.training.setting import Setting
from autodl.training.terms.term import Step

CIFAR10 = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
# options, and which weights besides those of the network's own path learn from it
TERMS = {
    "Auxiliary": ({"weight": 0.4}, "auxiliary."),
    "Distillation": ({"weight": 0.5, "teacher": "evolution_1"}, ""),
    "Rademacher": ({"weight": 0.1}, ""),
    "RepVGGL2": ({"weight": 0.1}, ""),
}
FORMS = {"RepVGGL2": "repvgg"}  # that a term needs


def test_every_term_is_held_to_this():
    assert set(TERMS) == set(table("Term"))


def forward(name, weight=None):
    """A term of a small network on a batch, the network and the loss."""
    options, _ = TERMS[name]
    values = {"name": name, **options, **({} if weight is None else {"weight": weight})}
    train = TrainOptions(terms=(values,), branches=FORMS.get(name, "none"))
    plan = genotype_plan(published_genotype("DARTS_V1"), channels=4, layers=3, classes=10)
    network = training_network(plan, train, seed=0)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
    pictures = Pictures(images, np.arange(8) % 4)
    alone = PictureTask.alone(pictures, Normalisation.of(pictures))
    task = replace(alone, classes=CIFAR10)  # those of a teacher
    part = make_part("Term", values)
    term = part.factory()(Setting(network, task, recipe_of(train), 0, ALONE, 1), part.options)
    batch = next(iter(task.batches("train", 8)))
    inputs, truth = paddle.to_tensor(batch.inputs), Truth.of(batch)
    paddle.seed(1)
    outputs = network(inputs)
    step = Step(
        network, inputs, outputs, truth, Classification(), ALONE,
        lambda: mixed_precision(False),
    )  # fmt: skip
    return network, inputs, truth, term.loss(step)


@pytest.mark.parametrize("name", TERMS)
def test_it_is_a_finite_number_and_moves_what_it_should(name):
    network, inputs, truth, loss = forward(name)
    assert loss.shape == []
    assert np.isfinite(float(loss))
    loss.backward()
    _, besides = TERMS[name]
    learns = {n for n, p in network.named_parameters() if p.grad is not None}
    learns = {n for n in learns if np.abs(dict(network.named_parameters())[n].grad.numpy()).max()}
    assert any(n.startswith("stem") for n in learns)
    assert any(n.startswith("auxiliary.") for n in learns) == (besides == "auxiliary.")
    assert inputs.grad is None
    assert truth.targets.grad is None


@pytest.mark.parametrize("name", TERMS)
def test_it_is_proportional_to_its_weight(name):
    one, two = (float(forward(name, weight)[-1]) for weight in (0.25, 0.5))
    assert two == 2 * one  # a power of 2: exact
