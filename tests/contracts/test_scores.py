"""What every score keeps to: one batch for all, whatever its order, and the same number again."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autodl.config.components import make_part, table
from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.evaluation.zero_cost.score import Examples, Score
from autodl.evaluation.zero_cost.scorer import Scorer
from autodl.networks.network import PlanNetwork
from autodl.plans.plan import with_outputs
from autodl.spaces.edge_cell.architecture import EdgeCell
from autodl.spaces.edge_cell.plan import edge_cell_plan
from autodl.system.roles import missing
from autodl.tasks.pictures import PictureTask
from autodl.training.goal import Truth

SCORES = list(table("Score"))
OPERATIONS = (
    "nor_conv_3x3",
    "skip_connect",
    "nor_conv_1x1",
    "avg_pool_3x3",
    "none",
    "nor_conv_3x3",
)


def pictures(count: int = 24) -> PictureTask:
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)
    found = Pictures(images, np.arange(count) % 3)
    return PictureTask.alone(found, Normalisation.of(found))


def plan(width: int = 4):
    return edge_cell_plan(EdgeCell(OPERATIONS), classes=3, image_size=8, width=width, cells=1)


def make(name) -> Score:
    part = make_part("Score", {"name": name})
    return part.factory()(**part.arguments())


def scored(score: Score, examples: Examples) -> float:
    network = PlanNetwork(with_outputs(plan(), 1) if score.single_output else plan(), 5)
    network.train()
    return score(network, examples)


@pytest.mark.parametrize("name", SCORES)
def test_it_plays_its_role(name):
    assert not missing(make(name), Score)


@pytest.mark.parametrize("name", SCORES)
def test_a_score_is_finite_and_the_same_again(name):
    first, again = Scorer(pictures(), [name], 16, 0), Scorer(pictures(), [name], 16, 0)
    assert math.isfinite(first(plan())[name])
    assert first(plan()) == again(plan()) == again(plan())


@pytest.mark.parametrize("name", [name for name in SCORES if name != "zico"])
def test_the_order_of_the_batch_makes_no_difference(name):
    # but for zico, whose batches are the halves
    score, examples = make(name), Examples.of(pictures(), 16, 0)
    order = np.random.default_rng(1).permutation(16)
    targets = Truth(examples.truth.targets[order])
    shuffled = Examples(examples.inputs[order], targets, examples.goal)
    # float32 sums in another order, through a dozen layers
    assert scored(score, shuffled) == pytest.approx(scored(score, examples), rel=2e-4)


def test_zico_is_the_same_for_exchanged_halves():
    examples = Examples.of(pictures(), 16, 0)
    order = np.r_[8:16, 0:8]
    targets = Truth(examples.truth.targets[order])
    exchanged = Examples(examples.inputs[order], targets, examples.goal)
    assert scored(make("zico"), exchanged) == pytest.approx(
        scored(make("zico"), examples), rel=1e-6
    )


@pytest.mark.parametrize("name", ["naswot", "jacobian", "synflow", "macs", "parameters"])
def test_labels_are_not_read(name):
    examples = Examples.of(pictures(), 16, 0)
    poisoned = Examples(examples.inputs, None, None)  # type: ignore[arg-type]
    assert scored(make(name), poisoned) == scored(make(name), examples)


@pytest.mark.parametrize("name", ["macs", "parameters", "synflow", "naswot"])
def test_a_wider_network_scores_higher(name):
    scorer = Scorer(pictures(), [name], 16, 0)
    assert scorer(plan(8))[name] > scorer(plan(4))[name]
